"""`pv gate`: whether the statuses are good enough, and what would cure those that are not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pv_harness.exit_code import ExitCode, combine
from pv_harness.judging.status import StatusKind


if TYPE_CHECKING:
    from collections.abc import Sequence

    from pv_harness.board.scoreboard import Row
    from pv_harness.contracts.contract import Level


@dataclass(frozen=True, slots=True)
class GateResult:
    """One falsifier held against what the gate asks."""

    row: Row
    required: Level
    code: ExitCode
    why: str = ""

    @property
    def passed(self) -> bool:
        """True if the falsifier does not stand in the way."""
        return self.code is ExitCode.SATISFIED


@dataclass(frozen=True, slots=True)
class GateDecision:
    """The answer of a gate.

    Attributes:
        results: one per counted falsifier that was asked about.
        left_out: falsifiers that are blocked by an absent device, where the gate allows it.
    """

    results: tuple[GateResult, ...]
    left_out: tuple[Row, ...]

    @property
    def exit_code(self) -> ExitCode:
        """0 only if something was asked about and all of it is good enough."""
        return combine(result.code for result in self.results)


def decide_gate(
    rows: Sequence[Row], required: Level | None, *, allow_blocked: bool = False
) -> GateDecision:
    """Hold every counted row against the required level, or against its ceiling.

    Args:
        rows: the rows that the gate is asked about.
        required: the level asked for; a claim that can't show it has to be at its ceiling.
            None asks for the ceiling everywhere.
        allow_blocked: leave out rows whose device is absent, instead of not knowing.
    """
    counted = [row for row in rows if row.falsifier.counted]
    left_out = [
        row for row in counted if allow_blocked and row.status.kind is StatusKind.BLOCKED
    ]
    asked = [row for row in counted if row not in left_out]
    return GateDecision(tuple(_hold(row, required) for row in asked), tuple(left_out))


def _hold(row: Row, required: Level | None) -> GateResult:
    ceiling = row.falsifier.ceiling
    wanted = ceiling if required is None or required.rank > ceiling.rank else required
    status = row.status
    if status.kind is not StatusKind.LEVEL or status.level is None:
        code = status.kind.exit_code or ExitCode.UNKNOWN
        return GateResult(row, wanted, code, status.why or str(status))
    if status.level.rank < wanted.rank:
        why = f"{status.level.value} is below {wanted.value}: {status.why}"
        return GateResult(row, wanted, ExitCode.DENIED, why)
    return GateResult(row, wanted, ExitCode.SATISFIED)
