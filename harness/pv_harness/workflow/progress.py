"""What a verb calls while it works."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Callable

    from pv_harness.evidence.records import PatchRecord
    from pv_harness.measuring.record import CheckRecord


@dataclass(frozen=True, slots=True)
class Progress:
    """What to call as results come in.

    Attributes:
        plan: how many results a phase will bring, and its name, before it starts.
        check: one check has ended.
        patch: one planted change has been tried.
    """

    plan: Callable[[str, int], None] = lambda _phase, _count: None
    check: Callable[[CheckRecord], None] = lambda _: None
    patch: Callable[[PatchRecord], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Done:
    """How much of what was asked for had to be done; the rest had fresh evidence."""

    measured: int
    planted: int = 0
