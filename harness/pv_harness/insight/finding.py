"""One thing about a claim, its check or its evidence that somebody should look at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Concern(Enum):
    """What is wrong; the value is what reports call it. The gravest comes first."""

    FLAKY = "flaky"
    NEVER_FAILED = "never failed under any defect"
    NEVER_RAN = "never ran"
    ALWAYS_SKIPPED = "always skipped"
    NEVER_PLANTED = "no defect was ever planted"
    FEW_DEFECTS = "fewer than two defects"
    UNTESTED_BOUND = "bound never tested"
    UNDECLARED_FILE = "reads files that nothing declares"
    OLD_EVIDENCE = "old evidence"
    ALWAYS_BLOCKED = "always blocked"
    RETRIED = "measured more than once in a run"
    NEAR_BOUND = "close to its bound"
    NO_CONTROL = "no control"

    @property
    def meaning(self) -> str:
        """Why that matters, in one sentence."""
        return _MEANINGS[self]

    @property
    def is_advice(self) -> bool:
        """True for what may be as it is; `--strict` denies the other concerns alone."""
        return self in _ADVICE


_ADVICE = {Concern.ALWAYS_BLOCKED, Concern.RETRIED, Concern.NEAR_BOUND, Concern.NO_CONTROL}
_MEANINGS = {
    Concern.FLAKY: "it passed and failed on one fingerprint, so neither says much",
    Concern.NEVER_FAILED: "a check that never failed has not been seen to be able to",
    Concern.NEVER_RAN: "nothing is known about these claims",
    Concern.ALWAYS_SKIPPED: "a skipped check says nothing, however often it runs",
    Concern.NEVER_PLANTED: "it passes, but nobody has seen that it could fail",
    Concern.FEW_DEFECTS: "one defect can be noticed by accident",
    Concern.UNTESTED_BOUND: "no defect breaks it, and no measured value came near it",
    Concern.UNDECLARED_FILE: "a change of such a file makes no evidence stale",
    Concern.OLD_EVIDENCE: "the sources are the same, the world around them may not be",
    Concern.ALWAYS_BLOCKED: "no machine that measured had the device",
    Concern.RETRIED: "a check that needs another attempt is on its way to being flaky",
    Concern.NEAR_BOUND: "within 1 % of being refuted: noise may do the rest",
    Concern.NO_CONTROL: "nothing shows that the check allows what the rule allows",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One concern about one falsifier.

    Attributes:
        text: what was seen.
        cure: the command or the edit that would change that.
    """

    concern: Concern
    contract: str
    falsifier: str
    text: str
    cure: str


@dataclass(frozen=True, slots=True)
class Timing:
    """How long one falsifier takes.

    Attributes:
        measured_s: its newest measurement.
        planted_s: the newest outcome of each of its planted changes, together.
        planted: how many of those there are.
    """

    falsifier: str
    measured_s: float
    planted_s: float
    planted: int

    @property
    def total_s(self) -> float:
        """Both together."""
        return self.measured_s + self.planted_s
