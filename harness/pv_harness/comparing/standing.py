"""How one claim's status moved between two scoreboards."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from pv_harness.deriving.status import StatusKind
from pv_harness.exit_code import ExitCode


if TYPE_CHECKING:
    from pv_harness.comparing.snapshot import Standing


class Course(Enum):
    """Where a status went; the value is the word that reports use."""

    NEWLY_FAILED = "newly failed"
    """Refuted, flaky, vacuous or broken now, and not before."""
    NEWLY_STALE = "newly stale"
    """Something covered has changed since the evidence was made."""
    DEMOTED = "demoted"
    """A level held, and a lower one, or none, does now."""
    PROMOTED = "promoted"
    """A level holds that did not."""
    SHIFTED = "shifted"
    """Another status, neither better nor worse: nothing was known, and nothing is."""


@dataclass(frozen=True, slots=True)
class Move:
    """One claim whose status is not what it was.

    Attributes:
        old: the status then, as boards print it; empty where the claim was absent.
        new: the status now.
        why: why the status is not higher now.
        held: whether a level held then.
    """

    contract: str
    falsifier: str
    course: Course
    old: str
    new: str
    why: str = ""
    held: bool = False

    @property
    def is_regression(self) -> bool:
        """True if something that held holds no more, or something is refuted that was not."""
        match self.course:
            case Course.NEWLY_FAILED | Course.DEMOTED:
                return True
            case Course.NEWLY_STALE:
                return self.held
            case Course.PROMOTED | Course.SHIFTED:
                return False


def find_course(old: Standing | None, new: Standing) -> Course | None:
    """Where the status went; None if it stands where it stood, or is new and not failing."""
    if is_failing(new) and (old is None or not is_failing(old)):
        return Course.NEWLY_FAILED
    if old is None or (old.kind, old.level) == (new.kind, new.level):
        return None
    if new.kind is StatusKind.STALE and old.kind is not StatusKind.STALE:
        return Course.NEWLY_STALE
    if rank(new) > rank(old):
        return Course.PROMOTED
    if rank(new) < rank(old):
        return Course.DEMOTED
    return Course.SHIFTED


def rank(standing: Standing) -> int:
    """0 where no level holds, else 1 for the weakest level, and so on."""
    holds = standing.kind is StatusKind.LEVEL and standing.level is not None
    return standing.level.rank + 1 if holds and standing.level else 0


def is_failing(standing: Standing) -> bool:
    """True for a status that speaks against the claim, or against its check."""
    return standing.kind.exit_code in {ExitCode.DENIED, ExitCode.INFRASTRUCTURE}
