"""Which answers of forked processes are believed.

A fork is the same as a process but for what starting anew would change: the seed of hashes,
modules that are imported already. So a fork is believed where it could not be the cause: a
control that stays green, and a broken bound that another fork of the same checks has held.
Everything else, a survivor before all, is asked again of real processes.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from pv_harness.contracts.contract import Defect
from pv_harness.evidence.records import PatchOutcome


if TYPE_CHECKING:
    from pv_harness.contracts.contract import Falsifier, Plant
    from pv_harness.proving.outcome import Answer

_ALIKE = {PatchOutcome.VOID, PatchOutcome.RED_ON_ARRIVAL, PatchOutcome.GREEN}
"""Answers that a fork can't be the cause of."""


class Waiting(NamedTuple):
    """A kill by a fork that nothing has borne out yet, and which task it answers."""

    task: int
    item: Plant
    answer: Answer


@dataclass(slots=True)
class Trust:
    """What forks have shown of one falsifier so far.

    Attributes:
        left: planted changes of it that have no answer yet.
        waiting: kills by forks whose bound no fork has held yet.
    """

    falsifier: Falsifier
    left: int
    held: set[str] = field(default_factory=set)
    waiting: list[Waiting] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def believes(self, item: Plant, answer: Answer) -> bool:
        """True if a fork's answer is the one that a process would give."""
        if answer.outcome in _ALIKE:
            return True
        return (
            isinstance(item, Defect)
            and answer.outcome is PatchOutcome.KILLED
            and self._needed_for(item) <= self.held
        )

    def may_wait(self, item: Plant, answer: Answer) -> bool:
        """True if a later fork may still show that the answer is to be believed."""
        return isinstance(item, Defect) and answer.outcome is PatchOutcome.KILLED

    def release(self) -> list[Waiting]:
        """Those that have waited and are believed now; they wait no longer."""
        free = [w for w in self.waiting if self.believes(w.item, w.answer)]
        self.waiting = [w for w in self.waiting if w not in free]
        return free

    def note(self, answer: Answer) -> None:
        """Take in what one fork has held."""
        self.held |= answer.held

    def _needed_for(self, defect: Defect) -> set[str]:
        # A crash that counts as a kill names no metric: every bound must have been held.
        if defect.accept:
            return {bound.metric for bound in self.falsifier.bounds}
        return {defect.expect}
