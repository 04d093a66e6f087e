"""How a run of `apr` ended, and the process exit code that says so."""

from __future__ import annotations

from enum import Enum
from typing import Final


CRASHED: Final = "CRASHED"
CRASH_CODE: Final = 1
"""A defect of this program; every foreseen failure is a member of ExitStatus."""


class ExitStatus(Enum):
    """The outcome of one command; three of them share exit code 0 and stay distinct members."""

    TARGET_MET = "TARGET_MET"
    EARLY_STOP = "EARLY_STOP"
    BUDGET_END = "BUDGET_END"
    USAGE = "USAGE"
    INIT_INVALID = "INIT_INVALID"
    DATA_INVALID = "DATA_INVALID"
    DEVICE_UNAVAILABLE = "DEVICE_UNAVAILABLE"
    DIVERGENCE = "DIVERGENCE"
    NUMERICAL_INSTABILITY = "NUMERICAL_INSTABILITY"
    STREAM_EXHAUSTED = "STREAM_EXHAUSTED"
    CHECKPOINT_FAILED = "CHECKPOINT_FAILED"
    INTERRUPTED = "INTERRUPTED"

    @property
    def code(self) -> int:
        """The process exit code, 0 to 255."""
        return _CODES[self]


_CODES = {
    ExitStatus.TARGET_MET: 0,
    ExitStatus.EARLY_STOP: 0,
    ExitStatus.BUDGET_END: 0,
    ExitStatus.USAGE: 2,
    ExitStatus.INIT_INVALID: 10,
    ExitStatus.DATA_INVALID: 11,
    ExitStatus.DEVICE_UNAVAILABLE: 12,
    ExitStatus.DIVERGENCE: 20,
    ExitStatus.NUMERICAL_INSTABILITY: 21,
    ExitStatus.STREAM_EXHAUSTED: 22,
    ExitStatus.CHECKPOINT_FAILED: 23,
    ExitStatus.INTERRUPTED: 130,
}
