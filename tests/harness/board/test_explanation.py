from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st
from rich.cells import cell_len
from tests.harness.board.conftest import HOSTILE, KINDS, NOW_S, boards, make_falsifier, make_row

from pv_harness.board.explanation import render_explanation
from pv_harness.board.phrases import harmless_line
from pv_harness.contracts.contract import Bound, Comparator, Level, LevelRule, Seeds
from pv_harness.deriving.status import Assessed, StatusKind
from pv_harness.evidence.records import Verdict
from pv_harness.judging.measurement import Measurement


if TYPE_CHECKING:
    from pv_harness.board.scoreboard import Row, Scoreboard


def explain(row: Row, width: int = 80, **options: object) -> str:
    return render_explanation(row, width=width, now_s=NOW_S, **options)  # type: ignore[arg-type]


def test_a_good_falsifier_at_80_columns() -> None:
    fingerprint_free = explain(make_row("GOOD", "FALSIFY-TOY-001"), line=6)
    assert fingerprint_free.splitlines() == [
        "FALSIFY-TOY-001 INTEGRATION/INTEGRATION",
        "",
        "  contract        toy-v1 1.0.0, contracts/toy-v1.yaml:6",
        "  rule            adding adds",
        "  prediction      adding adds",
        "  if it fails     adding adds",
        "  bounds          loss ≤ 2.5 nats; rows = 3",
        "  levels          PARTIAL: bounds kept, defects killed",
        "                  INTEGRATION: toy.cli:main reached",
        "  covers          toy.math",
        "  checks          checks/test_toy.py::test_sum",
        "",
        "  evidence        abababababab · 2m ago · on cpu · took 1.25 s",
        "  made on         python 3.11.7, torch 2.13.0",
        "  ✓ loss 2.25 nats (≤ 2.5, margin 0.25)",
        "  ✓ rows 3 (= 3)",
        "  ✓ 2/2 planted defects killed, controls green",
        "  ✓ reached toy.cli:main in a subprocess",
        "",
        "  planted defects 2/2 killed",
        "  ✓ minus KILLED",
        "  ✓ late KILLED",
        "  ✓ control swapped GREEN",
    ]


def test_a_refuted_one_shows_the_number_what_the_check_printed_and_the_way_on() -> None:
    text = explain(make_row("FAILED", "F-1", text="E   assert 1 == 2"))
    assert "✗ loss 2.75 nats (≤ 2.5, margin -0.25)" in text
    assert text.splitlines()[-3:] == [
        "  why not higher  loss is 2.75, but must be ≤ 2.5",
        "    E   assert 1 == 2",
        "  to change that  correct code, check or claim; then pv run --prove F-1",
    ]


def test_a_stale_one_names_what_changed_and_the_one_command() -> None:
    row = make_row("STALE", "F-1")
    text = explain(row)
    assert "  changed since   src/toy/math.py changed" in text
    assert text.endswith("  to change that  pv run --prove F-1")
    told = explain(row, changes=["src/toy/math.py changed: add; line 6 is 'x', was 'y' in 1a2"])
    assert "changed: add; line 6 is 'x'" in told


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("STALE", "  changed since   src/toy/math.py changed"),
        ("FAILED", "    E   assert 1 == 2"),
    ],
)
def test_a_waived_one_still_shows_what_is_wrong(kind: str, shown: str) -> None:
    row = make_row(kind, "F-1", text="E   assert 1 == 2")
    status = replace(row.status, kind=StatusKind.WAIVED, detail="until 2027-01-01", why="why")
    text = explain(replace(row, status=status))
    assert "F-1 WAIVED(until 2027-01-01)" in text
    assert shown in text


def test_a_vacuous_one_shows_the_defect_that_survived_and_why() -> None:
    text = explain(make_row("VACUOUS", "F-1", text="nothing was red"))
    assert "  planted defects 1/2 killed" in text
    assert "  ✗ late SURVIVED: nothing was red" in text


def test_one_that_was_never_planted_says_so() -> None:
    text = explain(make_row("NOT_RUN", "F-1"))
    assert "? minus: not planted yet" in text
    assert "? control swapped: not planted yet" in text
    assert "why not higher  never measured" in text
    assert "evidence" not in text


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("FAILED", "not planted: the check is not green without it"),
        ("ERROR", "not planted: the check is not green without it"),
        ("NOT_RUN", "not planted yet"),
    ],
)
def test_what_was_not_planted_says_why(kind: str, why: str) -> None:
    assert f"? minus: {why}" in explain(replace(make_row(kind, "F-1"), patches=()))


def test_what_was_planted_on_an_earlier_tree_says_what_it_did_there() -> None:
    told = "? minus: not planted on this tree; killed on an earlier one"
    assert told in explain(make_row("STALE", "F-1"))


def test_undeclared_files_attempts_and_seeds_are_shown() -> None:
    row = make_row("GOOD", "F-1")
    record = row.status.record
    assert record is not None
    seeded = tuple(Measurement("loss", 2.0 + seed / 10, seed=seed) for seed in (0, 1, 2))
    retried = replace(
        record,
        attempt=2,
        opened=("data/a.txt", "data/b.txt"),
        measurements=(*seeded, Measurement("rows", 3)),
    )
    shown = replace(
        row,
        status=replace(row.status, record=retried),
        runs=(Assessed(retried), Assessed(replace(record, verdict=Verdict.ERROR))),
        falsifier=replace(row.falsifier, seeds=Seeds((0, 1, 2))),
    )
    text = explain(shown)
    assert "  read, undeclared data/a.txt, data/b.txt" in text
    assert "a change of these would not make the evidence stale" in text
    assert "  attempts        2 in one run; attempt 2 is the one shown" in text
    assert "  seeds           0, 1, 2" in text
    assert "  repeated with   seeds 0, 1, 2, bound" in text
    assert "loss 2.2 nats (≤ 2.5, margin 0.3), worst of 3" in text


def test_every_condition_of_a_level_is_told() -> None:
    rule = LevelRule(
        Level.DISCHARGED, ("a:b",), "cuda", ("pair",), (Bound("steps", Comparator.EQ, 500),)
    )
    row = make_row("UNBOUND", "F-1")
    asked = replace(row, falsifier=make_falsifier("F-1", levels=(rule,), requires="cuda"))
    text = explain(asked)
    assert "DISCHARGED: a:b reached, on cuda, input pair, steps = 500" in text
    assert "  needs           cuda" in text


def test_a_long_log_is_shown_by_its_end() -> None:
    text = explain(make_row("FAILED", "F", text="\n".join(f"line {i}" for i in range(100))))
    assert "… 60 more lines above" in text
    assert "line 99" in text
    assert "line 59\n" not in text


def test_what_a_check_printed_keeps_its_indentation() -> None:
    assert "\n        deep" in explain(make_row("FAILED", "F", text="    deep"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [80, 140])
def test_every_kind_fits_and_ends_with_what_to_do(kind: str, width: int) -> None:
    row = make_row(kind, "FALSIFY-TOY-001")
    lines = explain(row, width).splitlines()
    assert all(cell_len(line) <= width for line in lines)
    assert ("to change that" in "\n".join(lines)) == bool(row.status.cure)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_drives_no_terminal(text: str) -> None:
    for kind in ("FAILED", "ERROR", "VACUOUS", "STALE"):
        row = make_row(kind, "F", text=text)
        for line in explain(row).splitlines():
            assert line.isprintable()
            assert cell_len(line) <= 80 or is_to_be_copied(line, row)


@given(board=boards(), width=st.sampled_from([60, 80, 140]))
def test_no_text_can_break_the_layout(board: Scoreboard, width: int) -> None:
    for row in board.rows:
        for line in explain(row, width, color=True).splitlines():
            bare = re.sub("\x1b\\[[0-9;]*m", "", line)
            assert bare.isprintable()
            assert cell_len(bare) <= width or is_to_be_copied(bare, row)


def is_to_be_copied(line: str, row: Row) -> bool:
    """True for what is not wrapped: lines that a check printed, and names of checks."""
    record = row.status.record
    printed = record.reason.splitlines() if record is not None else []
    names = [check.node_id for check in row.checks]
    copied = (harmless_line(text).rstrip() for text in (*printed, *names))
    return any(text and line.endswith(text) for text in copied)


def test_what_is_there_to_be_copied_is_never_cut() -> None:
    long = "E   " + "/a/very/long/path" * 20 + "  two  blanks"
    assert f"    {long}\n" in explain(make_row("FAILED", "F", text=long), 60)
