"""What pv's exit codes mean, and which one wins when several apply."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterable


class ExitCode(IntEnum):
    """The five answers of every pv command."""

    SATISFIED = 0
    """Satisfied, with something judged."""
    DENIED = 1
    """Refuted, vacuous, or below what the gate asks."""
    CANNOT_JUDGE = 2
    """Usage, invalid contract or policy, nothing to judge."""
    UNKNOWN = 3
    """Missing, stale or incomplete evidence, which running may cure."""
    INFRASTRUCTURE = 4
    """A crash, or unreadable or altered evidence."""


_PRECEDENCE = (
    ExitCode.INFRASTRUCTURE,
    ExitCode.CANNOT_JUDGE,
    ExitCode.DENIED,
    ExitCode.UNKNOWN,
)


def combine(codes: Iterable[ExitCode]) -> ExitCode:
    """The code that a command ends with when several apply: 4, 2, 1, 3, in that order.

    No code at all means that nothing was judged, which is never a pass.
    """
    seen = set(codes)
    if not seen:
        return ExitCode.CANNOT_JUDGE
    return next((code for code in _PRECEDENCE if code in seen), ExitCode.SATISFIED)
