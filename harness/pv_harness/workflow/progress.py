"""What a verb calls while it works."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pv_harness.evidence.records import PatchRecord, Verdict
    from pv_harness.measuring.record import CheckRecord


@dataclass(frozen=True, slots=True)
class Progress:
    """What to call as results come in.

    Attributes:
        plan: how many results a phase will bring, and its name, before it starts.
        check: one check has ended.
        patch: one planted change has been tried.
        expect: how many seconds each check took at the last time, by node ID, and how many run
            side by side: before a phase of checks starts.
        running: the checks that run just now, told again and again.
    """

    plan: Callable[[str, int], None] = lambda _phase, _count: None
    check: Callable[[CheckRecord], None] = lambda _: None
    patch: Callable[[PatchRecord], None] = lambda _: None
    expect: Callable[[Mapping[str, float], int], None] = lambda _seconds, _jobs: None
    running: Callable[[frozenset[str]], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Done:
    """How much of what was asked for had to be done; the rest had fresh evidence.

    Attributes:
        measured: falsifiers.
        planted: changes.
        retried: falsifier ID -> the verdicts of all attempts, of those with several.
    """

    measured: int
    planted: int = 0
    retried: Mapping[str, tuple[Verdict, ...]] = field(default_factory=dict)
