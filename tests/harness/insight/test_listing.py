"""Which rows a list takes, and how it shows them."""

from __future__ import annotations

import json
from pathlib import PurePosixPath

import pytest
from hypothesis import given, strategies as st

from pv_harness.board.scoreboard import Row
from pv_harness.contracts.contract import (
    Bound,
    Comparator,
    Contract,
    Falsifier,
    Level,
    LevelRule,
)
from pv_harness.deriving.status import Status, StatusKind
from pv_harness.errors import UsageError
from pv_harness.insight.listing import Wanted, choose, render_json, render_text


def row(  # noqa: PLR0913 - each test names what it is about
    name: str,
    *,
    contract: str = "x-v1",
    ceiling: Level = Level.PARTIAL,
    kind: StatusKind = StatusKind.NOT_RUN,
    level: Level | None = None,
    covers: tuple[str, ...] = ("m",),
    rule: str = "r",
    counted: bool = True,
) -> Row:
    claim = Falsifier(
        id=name,
        rule=rule,
        prediction="p",
        if_fails="f",
        covers=covers,
        bounds=(Bound("gap", Comparator.GE, 3.0, "nats"),),
        levels=(LevelRule(ceiling),),
        counted=counted,
    )
    heading = Contract(contract, "1.0.0", "t", PurePosixPath("x.yaml"), (claim,))
    return Row(heading, claim, Status(kind, ceiling, level))


ROWS = (
    row("A", ceiling=Level.DISCHARGED, kind=StatusKind.FAILED, covers=("pkg.init", "other")),
    row("B", contract="y-v1", kind=StatusKind.LEVEL, level=Level.PARTIAL, covers=("pkg",)),
    row("C", kind=StatusKind.STALE, level=Level.PARTIAL, covers=("pkgs",), counted=False),
)


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (Wanted(), "ABC"),
        (Wanted(levels=(Level.DISCHARGED,)), "A"),
        (Wanted(levels=(Level.DISCHARGED, Level.PARTIAL)), "ABC"),
        (Wanted(kinds=(StatusKind.FAILED, StatusKind.STALE)), "AC"),
        (Wanted(covers="pkg"), "AB"),
        (Wanted(covers="pkg*"), "ABC"),
        (Wanted(covers="pkg.init"), "A"),
        (Wanted(contract="y-v1"), "B"),
        (Wanted(contract="?-v1", covers="pkg"), "AB"),
        (Wanted(contract="y-v1", covers="pkgs"), ""),
    ],
)
def test_a_row_has_everything_that_is_asked_for(wanted: Wanted, names: str) -> None:
    assert "".join(r.falsifier.id for r in choose(ROWS, wanted)) == names


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (Wanted(covers="pkg.inti"), "'pkg.inti' is not covered here; did you mean pkg.init?"),
        (Wanted(covers="zzz"), "'zzz' is not covered here; `pv list` shows what there is"),
        (Wanted(contract="y-v2"), "'y-v2' is not a contract here; did you mean y-v1?"),
    ],
)
def test_a_name_that_nothing_has_is_refused(wanted: Wanted, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        choose(ROWS, wanted)
    assert str(caught.value) == message


def test_the_text_shows_level_and_ceiling_and_the_denominator() -> None:
    assert render_text(ROWS[1:], 3, width=80).splitlines() == [
        "B   PARTIAL/PARTIAL",
        "    r",
        "    0 checks · 0 defects · 0 controls · gap ≥ 3 nats",
        "C¹  STALE/PARTIAL",
        "    r",
        "    0 checks · 0 defects · 0 controls · gap ≥ 3 nats",
        "",
        "2 of 3 falsifiers",
    ]


def test_the_json_holds_what_the_text_shows() -> None:
    document = json.loads(render_json(ROWS[:1], 3))
    assert (document["format"], document["of"]) == ("pv-list/1", 3)
    (shown,) = document["falsifiers"]
    assert (shown["id"], shown["ceiling"], shown["kind"]) == ("A", "DISCHARGED", "FAILED")
    assert shown["bounds"] == ["gap ≥ 3 nats"]


@given(st.text(), st.integers(40, 160))
def test_no_text_of_a_contract_drives_the_terminal(rule: str, width: int) -> None:
    text = render_text((row(f"\x1b]0;{rule[:5]}", rule=f"\x1b[31m{rule}"),), 1, width=width)
    assert all(c.isprintable() or c == "\n" for c in text)
