from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, strategies as st
from rich.cells import cell_len
from tests.harness.board.conftest import (
    HOSTILE,
    KINDS,
    NOW_S,
    boards,
    make_board,
    make_falsifier,
    make_patch,
    make_record,
    make_row,
)

from pv_harness.board.phrases import Tone, tone_of
from pv_harness.board.scoreboard import Row, Scoreboard
from pv_harness.board.terminal import MARKS, render_scoreboard
from pv_harness.contracts.contract import Defect
from pv_harness.deriving.derivation import derive_status
from pv_harness.deriving.status import Assessed, AssessedPatch
from pv_harness.evidence.records import PatchOutcome


ESCAPE = re.compile("\x1b\\[[0-9;]*m")


def show(board: Scoreboard, width: int = 80, *, color: bool = False) -> list[str]:
    return render_scoreboard(board, width=width, now_s=NOW_S, color=color).splitlines()


def test_the_board_at_80_columns() -> None:
    assert show(make_board(("GOOD", "FAILED", "BLOCKED"))) == [
        "  falsifier       level/ceiling           killed  age on",
        "toy-v1  1 of 3 at their ceiling",
        "  adding adds",
        "✓ FALSIFY-TOY-001 INTEGRATION/INTEGRATION 2/2      2m cpu",
        "    loss 2.25 nats (≤ 2.5, margin 0.25)",
        "✗ FALSIFY-TOY-002 FAILED                  2/2      1m cpu",
        "    loss 2.75 nats (≤ 2.5, margin -0.25)",
        "- FALSIFY-TOY-003 BLOCKED(needs cuda)     0/2      2m cpu",
        "    loss 2.25 nats (≤ 2.5, margin 0.25)",
        "",
        "what is not at its ceiling, the most urgent last:",
        "- FALSIFY-TOY-003 BLOCKED(needs cuda)",
        "    → pv run --prove FALSIFY-TOY-003, where cuda is",
        "✗ FALSIFY-TOY-002 FAILED",
        "    loss is 2.75, but must be ≤ 2.5",
        "    → pv explain FALSIFY-TOY-002",
        "",
        "2 of 3 falsifiers judged · 1 of 3 at their ceiling",
        "4 of 6 declared defects killed · 2 wait for their device",
        "BLOCKED 1 · FAILED 1 · INTEGRATION 1",
    ]


def test_the_measured_value_stands_on_the_row_of_a_wide_terminal() -> None:
    lines = show(make_board(("GOOD",)), 140)
    assert lines[3] == (
        "✓ FALSIFY-TOY-001 INTEGRATION/INTEGRATION 2/2      2m cpu   "
        "loss 2.25 nats (≤ 2.5, margin 0.25)"
    )
    assert lines[5] == "1 of 1 falsifiers judged · 1 of 1 at their ceiling"


def test_the_most_urgent_stands_last_before_the_counts() -> None:
    lines = show(make_board())
    start = next(i for i, line in enumerate(lines) if line.startswith("what is not"))
    entries = [line[0] for line in lines[start + 1 :] if line[:1] in set(MARKS.values())]
    order = [tone for tone in Tone if tone is not Tone.GOOD]
    assert entries == sorted(entries, key=[MARKS[tone] for tone in order].index)
    assert {"↑", "~", "-", "?", "!", "✗"} == set(entries)


def test_colour_is_never_all_that_tells_a_row() -> None:
    assert len(set(MARKS.values())) == len(Tone)
    for kind in KINDS:
        row = make_row(kind, "FALSIFY-X")
        assert f"{MARKS[tone_of(row.status)]} FALSIFY-X" in "\n".join(show(Scoreboard((row,))))


def test_without_colour_there_is_no_escape_and_with_it_the_same_text() -> None:
    plain, colored = show(make_board()), show(make_board(), color=True)
    assert not any("\x1b" in line for line in plain)
    assert [ESCAPE.sub("", line).rstrip() for line in colored] == plain
    assert {code for line in colored for code in ESCAPE.findall(line)} <= {
        f"\x1b[{code}m"
        for code in ("0", "1", "2", "31", "32", "33", "35", "36", "1;31", "1;35")
    }


@given(board=boards(), width=st.sampled_from([40, 80, 100, 140, 200]), color=st.booleans())
def test_no_text_can_break_the_layout(board: Scoreboard, width: int, *, color: bool) -> None:
    for line in show(board, width, color=color):
        bare = ESCAPE.sub("", line)
        assert cell_len(bare) <= width
        assert bare.isprintable()


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("width", [80, 140])
def test_hostile_titles_and_reasons_stay_in_their_line(text: str, width: int) -> None:
    lines = show(make_board(text=text), width)
    assert all(cell_len(line) <= width and line.isprintable() for line in lines)
    rows = [line for line in lines if re.match(r"\S FALSIFY-TOY-\d{3}.? +\S", line)]
    assert len(rows) >= len(KINDS)


def test_a_long_id_is_cut_in_the_middle_and_whole_where_it_needs_attention() -> None:
    name = f"FALSIFY-{'VERY-' * 15}LONG-001"
    lines = show(Scoreboard((make_row("FAILED", name),)))
    assert all(len(line) <= 80 for line in lines)
    assert re.search(r"✗ FALSIFY-VERY-.*….*LONG-001 FAILED", lines[3])
    assert name in "".join(line.strip() for line in lines[5:])


def test_rows_with_one_reason_are_told_as_one() -> None:
    lines = show(make_board(("NOT_RUN",) * 300))
    start = next(i for i, line in enumerate(lines) if line.startswith("what is not"))
    assert lines[start + 1] == "? 300 falsifiers NOT_RUN: never measured"
    assert "FALSIFY-TOY-006 and 294 more" in " ".join(lines[start + 2 : -3])
    assert lines[-5] == "    → pv run --prove"
    assert len(lines) - start < 12


def unproven(identity: str, *defects: str) -> Row:
    planted = tuple(Defect(make_patch(name), "loss") for name in defects)
    falsifier = make_falsifier(identity, defects=planted)
    runs = (Assessed(make_record(falsifier)),)
    status = derive_status(falsifier, bound=True, runs=runs, patches=())
    row = make_row("GOOD", identity)
    return replace(row, falsifier=falsifier, status=status, runs=runs, patches=())


def test_rows_that_wait_for_planting_are_told_as_one_whatever_their_defects() -> None:
    lines = show(Scoreboard((unproven("F-1", "a", "b"), unproven("F-2", "c"))))
    start = next(i for i, line in enumerate(lines) if line.startswith("what is not"))
    assert lines[start + 1 : start + 5] == [
        "? 2 falsifiers NOT_RUN(passed, but not proven): not planted at this",
        "    fingerprint",
        "    F-1, F-2",
        "    → pv prove",
    ]


def test_three_hundred_rows_are_on_the_board() -> None:
    lines = show(make_board(("GOOD",) * 300))
    assert sum(line.startswith("✓ FALSIFY-TOY-") for line in lines) == 300
    assert lines[-3:] == [
        "300 of 300 falsifiers judged · 300 of 300 at their ceiling",
        "600 of 600 declared defects killed",
        "INTEGRATION 300",
    ]


def test_unbound_rows_with_one_cure_name_no_single_one() -> None:
    text = "\n".join(show(make_board(("UNBOUND", "UNBOUND")), 140))
    assert '→ write a check marked @pytest.mark.falsifies("ID")' in text


def test_a_row_that_is_reported_apart_is_marked_and_in_no_count() -> None:
    lines = show(make_board(("GOOD", "APART")))
    assert lines[1] == "toy-v1  1 of 1 at their ceiling"
    assert any(line.startswith("✓ FALSIFY-TOY-002¹") for line in lines)
    assert lines[-1] == "1 reported apart (¹ `counted: false`), in no count"


def test_an_empty_board_says_so() -> None:
    assert show(Scoreboard(())) == [
        "0 of 0 falsifiers judged · 0 of 0 at their ceiling",
        "0 of 0 declared defects killed",
        "no falsifier",
    ]


def test_potency_is_told_per_device_where_there_are_two() -> None:
    row = make_row("GOOD", "F")
    planted = [
        AssessedPatch(replace(p.record, lane="cuda", outcome=PatchOutcome.SURVIVED))
        for p in row.patches[:1]
    ]
    both = replace(row, patches=(*row.patches, *planted))
    assert "cpu 2/2 · cuda 0/2" in "\n".join(show(Scoreboard((both,))))


def test_a_claim_without_defects_has_no_potency() -> None:
    row = make_row("GOOD", "F")
    without: Row = replace(row, falsifier=make_falsifier("F", defects=(), controls=()))
    shown = replace(without, status=replace(row.status, potency=type(row.status.potency)(0, 0)))
    assert "0/0" not in "\n".join(show(Scoreboard((shown,)))).splitlines()[3]
