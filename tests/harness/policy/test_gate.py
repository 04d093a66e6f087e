from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from pv_harness.board.scoreboard import Row, Scoreboard
from pv_harness.contracts.contract import (
    Bound,
    Comparator,
    Contract,
    Falsifier,
    Level,
    LevelRule,
)
from pv_harness.exit_code import ExitCode
from pv_harness.judging.status import Status, StatusKind
from pv_harness.policy.gate import decide_gate


FALSIFIER = Falsifier(
    "A-001",
    "r",
    "p",
    "f",
    ("m",),
    (Bound("m", Comparator.EQ, 0),),
    (LevelRule(Level.PARTIAL), LevelRule(Level.INTEGRATION, reached=("m:f",))),
)
CONTRACT = Contract("c", "1.0.0", "t", PurePosixPath("c.yaml"), (FALSIFIER,))


def row(kind: StatusKind, level: Level | None = None, *, counted: bool = True) -> Row:
    status = Status(kind, Level.INTEGRATION, level, why="why", cure="cure")
    return Row(CONTRACT, replace(FALSIFIER, counted=counted), status)


PARTIAL = row(StatusKind.LEVEL, Level.PARTIAL)
FULL = row(StatusKind.LEVEL, Level.INTEGRATION)
BLOCKED = row(StatusKind.BLOCKED)


@pytest.mark.parametrize(
    ("rows", "required", "code"),
    [
        ([FULL], None, ExitCode.SATISFIED),
        ([PARTIAL], None, ExitCode.DENIED),
        ([PARTIAL], Level.PARTIAL, ExitCode.SATISFIED),
        ([FULL], Level.DISCHARGED, ExitCode.SATISFIED),
        ([PARTIAL], Level.DISCHARGED, ExitCode.DENIED),
        ([FULL, row(StatusKind.STALE)], None, ExitCode.UNKNOWN),
        ([row(StatusKind.STALE), row(StatusKind.FAILED)], None, ExitCode.DENIED),
        ([row(StatusKind.FAILED), row(StatusKind.ERROR)], None, ExitCode.INFRASTRUCTURE),
        ([row(StatusKind.VACUOUS)], Level.PARTIAL, ExitCode.DENIED),
        ([row(StatusKind.FLAKY)], Level.PARTIAL, ExitCode.DENIED),
        ([row(StatusKind.UNBOUND)], Level.PARTIAL, ExitCode.UNKNOWN),
        ([BLOCKED, FULL], None, ExitCode.UNKNOWN),
        ([], None, ExitCode.CANNOT_JUDGE),
        (
            [row(StatusKind.LEVEL, Level.INTEGRATION, counted=False)],
            None,
            ExitCode.CANNOT_JUDGE,
        ),
    ],
)
def test_the_gate_asks_for_the_level_or_the_ceiling(
    rows: list[Row], required: Level | None, code: ExitCode
) -> None:
    assert decide_gate(rows, required).exit_code is code


def test_blocked_rows_are_left_out_only_if_the_gate_allows_it_and_never_alone() -> None:
    decision = decide_gate([FULL, BLOCKED], None, allow_blocked=True)
    assert decision.exit_code is ExitCode.SATISFIED
    assert decision.left_out == (BLOCKED,)
    alone = decide_gate([BLOCKED], None, allow_blocked=True)
    assert alone.exit_code is ExitCode.CANNOT_JUDGE


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ((FULL, BLOCKED), ExitCode.SATISFIED),
        ((PARTIAL,), ExitCode.SATISFIED),
        ((BLOCKED,), ExitCode.CANNOT_JUDGE),
        ((), ExitCode.CANNOT_JUDGE),
        ((row(StatusKind.LEVEL, Level.INTEGRATION, counted=False),), ExitCode.CANNOT_JUDGE),
        ((FULL, row(StatusKind.NOT_RUN)), ExitCode.UNKNOWN),
        ((FULL, row(StatusKind.VACUOUS), row(StatusKind.STALE)), ExitCode.DENIED),
    ],
)
def test_the_board_never_passes_with_nothing_judged(
    rows: tuple[Row, ...], code: ExitCode
) -> None:
    assert Scoreboard(rows).exit_code is code


def test_the_board_counts_only_what_is_counted() -> None:
    board = Scoreboard((FULL, PARTIAL, BLOCKED, row(StatusKind.FAILED, counted=False)))
    assert (len(board.counted), len(board.judged), len(board.at_ceiling)) == (3, 2, 1)
    assert board.tally == {"INTEGRATION": 1, "PARTIAL": 1, "BLOCKED": 1}
