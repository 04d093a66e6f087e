from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from tests.harness.board.conftest import KINDS, make_board, make_row

from pv_harness.board.phrases import Tone, by_urgency, reason_of, show_age, tone_of
from pv_harness.board.scoreboard import Row, Scoreboard, summary_lines
from pv_harness.deriving.status import AssessedPatch, Status, StatusKind
from pv_harness.evidence.finding import Finding, FindingKind
from pv_harness.evidence.records import PatchOutcome
from pv_harness.exit_code import ExitCode
from pv_harness.judging.measurement import Measurement


OTHERS = [outcome for outcome in PatchOutcome if outcome is not PatchOutcome.KILLED]


def planted_at(*answers: tuple[PatchOutcome, float]) -> Row:
    """A row whose first defect was answered so, at these moments."""
    row = make_row("GOOD", "F")
    (first,) = (p for p in row.patches if p.record.patch_id == "minus")
    records = [replace(first.record, outcome=outcome, finished_s=at) for outcome, at in answers]
    return replace(row, patches=tuple(map(AssessedPatch, records)))


def test_the_newest_answer_of_a_planted_change_counts() -> None:
    row = planted_at((PatchOutcome.SURVIVED, 2.0), (PatchOutcome.KILLED, 1.0))
    answer = row.answer(row.falsifier.defects[0])
    assert answer is not None
    assert answer.outcome is PatchOutcome.SURVIVED


@given(others=st.permutations([*OTHERS, PatchOutcome.KILLED]))
def test_a_bad_answer_is_not_undone_by_a_newer_good_one(others: list[PatchOutcome]) -> None:
    row = planted_at(*((outcome, float(at)) for at, outcome in enumerate(others)))
    answer = row.answer(row.falsifier.defects[0])
    assert answer is not None
    assert not answer.outcome.counts


@given(others=st.permutations([*OTHERS, PatchOutcome.KILLED]))
def test_of_one_moment_a_bad_answer_counts_in_any_order(others: list[PatchOutcome]) -> None:
    row = planted_at(*((outcome, 1.0) for outcome in others))
    answer = row.answer(row.falsifier.defects[0])
    assert answer is not None
    assert not answer.outcome.counts


def test_the_first_bound_is_shown_first_unless_another_one_is_broken() -> None:
    row = make_row("GOOD", "F")
    first, second = row.falsifier.bounds[:2]
    assert row.headline is not None
    assert row.headline.bound == first
    record = row.status.record
    assert record is not None
    bad = replace(record, measurements=(record.measurements[0], Measurement("rows", 99)))
    broken = replace(row, status=replace(row.status, record=bad)).headline
    assert broken is not None
    assert (broken.bound, broken.holds) == (second, False)


def uncounted(kind: str, name: str) -> Row:
    row = make_row(kind, name)
    return replace(row, falsifier=replace(row.falsifier, counted=False))


def test_rows_in_no_count_decide_nothing_beside_others() -> None:
    apart = uncounted("FAILED", "APART")
    assert Scoreboard((make_row("GOOD", "F"), apart)).exit_code is ExitCode.SATISFIED
    assert Scoreboard((make_row("STALE", "F"), apart)).exit_code is ExitCode.UNKNOWN
    # Asked about alone, they are the answer; and that one passes is no judgement still.
    assert Scoreboard((apart,)).exit_code is ExitCode.DENIED
    assert Scoreboard((uncounted("GOOD", "APART"),)).exit_code is ExitCode.CANNOT_JUDGE


def test_what_is_wrong_with_the_evidence_decides_over_all_rows_and_is_told() -> None:
    file = Path("reports/evidence/a.intoto.jsonl")
    findings = tuple(
        Finding(FindingKind.MISSING, file, f"finding {n}", "restore it") for n in range(5)
    )
    board = Scoreboard((make_row("GOOD", "F"), make_row("FAILED", "G")), findings)
    assert board.exit_code is ExitCode.INFRASTRUCTURE
    assert board.of({"F"}).exit_code is ExitCode.INFRASTRUCTURE
    assert [row.falsifier.id for row in board.of({"F"}).rows] == ["F"]
    *_, head, first, _, third, more = summary_lines(board)
    assert head == "the evidence can't be trusted, 5 findings:"
    assert (first, third) == (str(findings[0]), str(findings[2]))
    assert more == "and 2 more: pv evidence verify"


def test_an_answer_at_another_fingerprint_is_none() -> None:
    row = make_row("STALE", "F")
    assert row.answer(row.falsifier.defects[0]) is None
    assert row.lanes == ()


def test_kills_are_counted_lane_by_lane() -> None:
    row = make_row("GOOD", "F")
    (cuda,) = (p for p in row.patches if p.record.patch_id == "late")
    both = replace(
        row, patches=(*row.patches, AssessedPatch(replace(cuda.record, lane="cuda")))
    )
    assert both.lanes == ("cpu", "cuda")
    assert (both.killed_in("cpu"), both.killed_in("cuda")) == (2, 1)


def test_only_a_stale_row_has_changes() -> None:
    assert [str(c) for c in make_row("STALE", "F").changes] == ["src/toy/math.py changed"]
    assert all(not make_row(kind, "F").changes for kind in KINDS if kind != "STALE")


def test_rows_of_one_contract_stand_together_in_its_place() -> None:
    rows = make_board(("GOOD",) * 4).rows
    moved = [
        replace(row, contract=replace(row.contract, id=f"c-{index % 2}"))
        for index, row in enumerate(rows)
    ]
    groups = Scoreboard(tuple(moved)).by_contract()
    assert [(c.id, [r.falsifier.id[-1] for r in rows]) for c, rows in groups] == [
        ("c-0", ["1", "3"]),
        ("c-1", ["2", "4"]),
    ]


@pytest.mark.parametrize("kind", StatusKind)
def test_every_kind_of_status_has_a_tone_that_its_exit_code_bears_out(kind: StatusKind) -> None:
    status = Status(kind, make_row("GOOD", "F").falsifier.ceiling)
    expected = {
        ExitCode.SATISFIED: {Tone.GOOD, Tone.BELOW},
        ExitCode.DENIED: {Tone.BAD},
        ExitCode.INFRASTRUCTURE: {Tone.BROKEN},
        ExitCode.UNKNOWN: {Tone.OPEN},
        None: {Tone.AWAY, Tone.EXCUSED},
    }
    assert tone_of(status) in expected[kind.exit_code]


def test_what_is_red_is_more_urgent_than_what_is_not_known() -> None:
    shown = [tone_of(row.status) for row in by_urgency(make_board().rows)]
    assert shown == sorted(shown, key=lambda tone: -tone.urgency)
    assert Tone.GOOD not in shown
    assert shown[0] is Tone.BAD


@pytest.mark.parametrize(
    ("detail", "why", "reason"),
    [
        ("", "why", "why"),
        ("detail", "", "detail"),
        ("loss", "loss is 3", "loss is 3"),
        ("was PARTIAL, because x changed", "x changed", "x changed"),
        ("not proven", "missing", "not proven: missing"),
        ("", "", ""),
    ],
)
def test_detail_and_reason_are_told_once(detail: str, why: str, reason: str) -> None:
    status = replace(make_row("FAILED", "F").status, detail=detail, why=why)
    assert reason_of(status) == reason


def test_a_check_that_names_its_id_is_not_repeated() -> None:
    status = replace(make_row("FAILED", "F").status, detail="", why="[F] loss is 3")
    assert reason_of(status) == "loss is 3"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-5, "0s"), (0, "0s"), (59.9, "59s"), (60, "1m"), (7_200, "2h"), (172_800, "2d")],
)
def test_ages_are_told_in_their_largest_unit(seconds: float, shown: str) -> None:
    assert show_age(seconds) == shown
