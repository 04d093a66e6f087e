"""Boards for the renderers: rows of every kind, boards of any size, hostile text everywhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest
from hypothesis import strategies as st

from pv_harness.board.scoreboard import Row, Scoreboard
from pv_harness.contracts.bindings import Check
from pv_harness.contracts.contract import (
    Bound,
    Comparator,
    Contract,
    Control,
    Defect,
    Falsifier,
    Level,
    LevelRule,
    Patch,
)
from pv_harness.deriving.derivation import derive_status
from pv_harness.deriving.status import Assessed, AssessedPatch, Status, StatusKind
from pv_harness.evidence.records import PatchOutcome, PatchRecord, RunRecord, Verdict
from pv_harness.fingerprint.manifest import Change, Entry, EntryKind, Manifest
from pv_harness.judging.measurement import Measurement


if TYPE_CHECKING:
    from collections.abc import Mapping

NOW_S = 1_800_000_000.0
HOSTILE = (
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "a | b || c \\| d",
    "`code` *bold* _it_ [link](http://evil.invalid) ![i](x) # h",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07",
    "one\ntwo\r\nthree\u2028four\x0bfive",
    "right \u202eto left\u202c \u2066iso\u2069 \ufeff",
    "nul \x00 bell \x07 delete \x7f c1 \x9b31m surrogate \ud800",
    "日本語の長い題名がここに入る" * 6,
    "e\u0301\u0301\u0301 zero\u200bwidth \U0001f469\u200d\U0001f4bb ❤\ufe0f",
    "::error file=x::pwned %0A %25 a,b:c",
    "]]> <![CDATA[ &amp; &#0; <!-- --",
    "  \t ",
    "=== --- 1. - + > # ```",
    "https://evil.invalid www.evil.invalid @someone #1 $x^2$",
    "L" * 3000,
)

hostile_text = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(max_size=80),
    st.text(
        alphabet=st.sampled_from("|\\`*_[]<>&\"'\n\r\x1b:%,#$!~-+=.@ aé日\u202e"), max_size=40
    ),
    st.text(
        alphabet=st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp", "Mn", "Lo"]),
        max_size=40,
    ),
)


def make_patch(name: str) -> Patch:
    return Patch(name, PurePosixPath("src/toy/math.py"), f"find {name}", f"put {name}")


def make_falsifier(identity: str, text: str = "adding adds", **changes: object) -> Falsifier:
    falsifier = Falsifier(
        id=identity,
        rule=text,
        prediction=text,
        if_fails=text,
        covers=("toy.math",),
        bounds=(Bound("loss", Comparator.LE, 2.5, "nats"), Bound("rows", Comparator.EQ, 3)),
        levels=(
            LevelRule(Level.PARTIAL),
            LevelRule(Level.INTEGRATION, reached=("toy.cli:main",)),
        ),
        defects=(Defect(make_patch("minus"), "loss"), Defect(make_patch("late"), "rows")),
        controls=(Control(make_patch("swapped")),),
    )
    return replace(falsifier, **changes)  # type: ignore[arg-type]


def make_manifest(falsifier: Falsifier) -> Manifest:
    return Manifest(
        (
            Entry(EntryKind.CLAIM, falsifier.id, falsifier.claim_digest),
            Entry(EntryKind.SOURCE, "src/toy/math.py", "s", "b"),
        )
    )


def make_record(falsifier: Falsifier, **changes: object) -> RunRecord:
    record = RunRecord(
        falsifier.id,
        Verdict.PASSED,
        make_manifest(falsifier),
        (Measurement("loss", 2.25, samples=8), Measurement("rows", 3)),
        reached=("toy.cli:main",),
        duration_s=1.25,
        finished_s=NOW_S - 120,
        environment={"python": "3.11.7", "torch": "2.13.0"},
        statement="ab" * 32,
    )
    return replace(record, **changes)  # type: ignore[arg-type]


def plant_all(
    falsifier: Falsifier, outcomes: Mapping[str, PatchOutcome] | None = None, reason: str = ""
) -> list[AssessedPatch]:
    """An answer for every planted change, as it should be except for `outcomes`."""
    told = outcomes or {}
    found = []
    for plant in falsifier.plants:
        good = PatchOutcome.KILLED if isinstance(plant, Defect) else PatchOutcome.GREEN
        record = PatchRecord(
            falsifier.id,
            plant.id,
            plant.digest,
            told.get(plant.id, good),
            make_manifest(falsifier),
            reason=reason,
            finished_s=NOW_S - 60,
        )
        found.append(AssessedPatch(record))
    return found


def make_row(kind: str, identity: str, text: str = "adding adds") -> Row:
    """A row whose status is derived, never typed: one for each word of `KINDS`."""
    falsifier = make_falsifier(identity, text, counted=kind != "APART")
    if kind == "BLOCKED":
        falsifier = replace(falsifier, requires="cuda")
    good = make_record(falsifier)
    runs = {
        "UNBOUND": [],
        "NOT_RUN": [],
        "FAILED": [_red(good, text)],
        "FLAKY": [good, _red(good, text)],
        "ERROR": [replace(good, verdict=Verdict.ERROR, reason=f"{text}\nTraceback")],
        "BELOW": [replace(good, reached=())],
        "BLOCKED": [replace(good, verdict=Verdict.BLOCKED, reason="needs cuda")],
    }.get(kind, [good])
    changes = (
        (Change(EntryKind.SOURCE, "src/toy/math.py", "changed"),) if kind == "STALE" else ()
    )
    survived = {"late": PatchOutcome.SURVIVED} if kind == "VACUOUS" else None
    planted = (
        []
        if kind in {"NOT_RUN", "UNBOUND", "BLOCKED"}
        else plant_all(falsifier, survived, text)
    )
    assessed = tuple(Assessed(run, changes) for run in runs)
    patches = tuple(AssessedPatch(p.record, changes) for p in planted)
    status = derive_status(falsifier, bound=kind != "UNBOUND", runs=assessed, patches=patches)
    if kind == "WAIVED":
        status = Status(
            StatusKind.WAIVED,
            falsifier.ceiling,
            detail="until 2027-01-01",
            why=f"FAILED: {text}",
        )
    contract = Contract(
        "toy-v1", "1.0.0", text, PurePosixPath("contracts/toy-v1.yaml"), (falsifier,)
    )
    check = Check(identity, "checks/test_toy.py", 5, "test_sum", "checks/test_toy.py::test_sum")
    bound = () if kind == "UNBOUND" else (check,)
    return Row(contract, falsifier, status, assessed, patches, bound)


def _red(good: RunRecord, text: str) -> RunRecord:
    return replace(
        good,
        verdict=Verdict.FAILED,
        measurements=(Measurement("loss", 2.75), Measurement("rows", 3)),
        broken=("loss",),
        reason=f"loss is 2.75, but must be ≤ 2.5\n{text}",
        finished_s=NOW_S - 100,
    )


KINDS = (
    "GOOD",
    "BELOW",
    "FAILED",
    "FLAKY",
    "VACUOUS",
    "ERROR",
    "STALE",
    "UNBOUND",
    "NOT_RUN",
    "BLOCKED",
    "WAIVED",
    "APART",
)


def make_board(kinds: tuple[str, ...] = KINDS, text: str = "adding adds") -> Scoreboard:
    """A board of one contract with a row for each of the kinds."""
    return Scoreboard(
        tuple(make_row(kind, f"FALSIFY-TOY-{i:03}", text) for i, kind in enumerate(kinds, 1))
    )


@st.composite
def boards(draw: st.DrawFn) -> Scoreboard:
    """Boards whose every text is hostile: IDs, titles, reasons, names and places alike."""
    rows = []
    for index in range(draw(st.integers(0, 3))):
        row = make_row(draw(st.sampled_from(KINDS)), f"F{index}", draw(hostile_text))
        rows.append(_spoil(row, draw(hostile_text), draw(hostile_text)))
    return Scoreboard(tuple(rows))


def _spoil(row: Row, name: str, text: str) -> Row:
    falsifier = replace(row.falsifier, id=f"{row.falsifier.id}{name}", covers=(text,))
    contract = replace(
        row.contract, id=f"{name}c", title=text, path=PurePosixPath(f"{name}/c.yaml")
    )
    status = replace(row.status, why=text, cure=f"pv run {falsifier.id}")
    return replace(row, contract=contract, falsifier=falsifier, status=status)


@pytest.fixture
def every_kind() -> Scoreboard:
    """One row of every kind."""
    return make_board()
