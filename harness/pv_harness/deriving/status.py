"""What can be said of a falsifier, and what it rests on."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from pv_harness.exit_code import ExitCode


if TYPE_CHECKING:
    from pv_harness.contracts.contract import Level
    from pv_harness.evidence.records import PatchRecord, RunRecord
    from pv_harness.fingerprint.manifest import Change


class StatusKind(Enum):
    """What can be said of a falsifier."""

    LEVEL = "LEVEL"
    FAILED = "FAILED"
    FLAKY = "FLAKY"
    VACUOUS = "VACUOUS"
    ERROR = "ERROR"
    STALE = "STALE"
    UNBOUND = "UNBOUND"
    NOT_RUN = "NOT_RUN"
    BLOCKED = "BLOCKED"
    WAIVED = "WAIVED"
    """Excused by a policy until a date; never derived from evidence."""

    @property
    def exit_code(self) -> ExitCode | None:
        """What this status alone makes a command end with; None: nothing was judged."""
        match self:
            case StatusKind.LEVEL:
                return ExitCode.SATISFIED
            case StatusKind.FAILED | StatusKind.FLAKY | StatusKind.VACUOUS:
                return ExitCode.DENIED
            case StatusKind.ERROR:
                return ExitCode.INFRASTRUCTURE
            case StatusKind.STALE | StatusKind.UNBOUND | StatusKind.NOT_RUN:
                return ExitCode.UNKNOWN
            case StatusKind.BLOCKED | StatusKind.WAIVED:
                return None


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that a level asks for, and whether the evidence shows it."""

    text: str
    holds: bool
    cure: str = ""


@dataclass(frozen=True, slots=True)
class Potency:
    """How many of the live planted defects were killed, and what the others did."""

    killed: int
    planted: int
    weak: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.killed}/{self.planted}"


@dataclass(frozen=True, slots=True)
class Status:
    """What the evidence supports, and why it is not more.

    Attributes:
        level: the highest level that holds; for STALE the one that held before.
        detail: what stands in the parentheses of a status that is no level.
        why: why the status is not higher; empty at the ceiling.
        cure: the one command, or edit, that would change that.
        conditions: everything that was asked, in order, with what the evidence says.
        record: the run record that the status rests on, if there is one.
    """

    kind: StatusKind
    ceiling: Level
    level: Level | None = None
    detail: str = ""
    why: str = ""
    cure: str = ""
    potency: Potency = field(default_factory=lambda: Potency(0, 0))
    conditions: tuple[Condition, ...] = ()
    record: RunRecord | None = None

    def __str__(self) -> str:
        if self.kind is StatusKind.LEVEL and self.level is not None:
            return f"{self.level.value}/{self.ceiling.value}"
        return f"{self.kind.value}({self.detail})" if self.detail else self.kind.value

    @property
    def word(self) -> str:
        """What it is counted under: the level that holds, or the word of its kind."""
        if self.kind is StatusKind.LEVEL and self.level is not None:
            return self.level.value
        return self.kind.value

    @property
    def at_ceiling(self) -> bool:
        """True if the claim shows all that it can ever show."""
        return self.kind is StatusKind.LEVEL and self.level is self.ceiling


@dataclass(frozen=True, slots=True)
class Assessed:
    """A run record, and what has changed since it was made; nothing means fresh."""

    record: RunRecord
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class AssessedPatch:
    """The record of a planted change, and what has changed since."""

    record: PatchRecord
    changes: tuple[Change, ...] = ()
