"""One attempt at measuring falsifiers, and which of them are complete while it goes on."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from pv_harness.measuring.child import Measured
from pv_harness.measuring.collecting import collect_records, static_manifests
from pv_harness.measuring.environment import find_devices
from pv_harness.measuring.plan import blocked_by
from pv_harness.measuring.record import Outcome, read_collected, read_records


if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pv_harness.contracts.contract import Falsifier
    from pv_harness.evidence.records import RunRecord
    from pv_harness.measuring.record import CheckRecord
    from pv_harness.measuring.workbench import Workbench


class Round:
    """Gives out the records of its falsifiers, each once, as soon as they are complete.

    A falsifier is complete if each of its checks, with every parameter set, has ended.
    What is given out stands: should the sources change later, it is stale, and no error.
    """

    def __init__(
        self, bench: Workbench, falsifiers: Sequence[Falsifier], root: Path, number: int
    ) -> None:
        self.bench = bench
        self.falsifiers = tuple(falsifiers)
        self.root = root
        self.number = number
        self._started_s = time.time()
        self._before = static_manifests(bench, falsifiers, bench.tree(root))
        self._measured = Measured()
        self._given: dict[str, RunRecord] = {}

    @property
    def records(self) -> tuple[RunRecord, ...]:
        """What was given out, in the order of the falsifiers."""
        given = self._given
        return tuple(given[f.id] for f in self.falsifiers if f.id in given)

    def note(self, record: CheckRecord) -> None:
        """Take in that one check has ended: should it be measured again, a red one stands."""
        self._measured.take_in(record)

    def take_in(self, measured: Measured) -> None:
        """Take in what a share of the checks has left behind, its processes having ended."""
        self._measured.records |= measured.records
        self._measured.lost |= measured.lost

    def settle(self, record_dir: Path, *, for_good: bool = False) -> tuple[RunRecord, ...]:
        """The records of what is complete by now, while checks run that leave theirs there.

        Args:
            record_dir: where the checks that run now leave their records.
            for_good: nothing more will come. What is refuted counts as complete then: nobody
                should get rid of a red result by an interrupt.
        """
        for record in read_records(record_dir):
            self._measured.take_in(record)
        records = self._measured.records
        recorded = {record.node for found in records.values() for record in found}
        missing = {n.partition("[")[0] for n in read_collected(record_dir) - recorded}
        ended = (records.keys() | self._measured.lost.keys()) - missing
        refuted = {
            record.falsifier_id
            for found in records.values()
            for record in found
            if for_good and record.outcome is Outcome.FAILED
        }
        devices = find_devices()
        complete = [
            falsifier
            for falsifier in self.falsifiers
            if falsifier.id in refuted
            or blocked_by(falsifier, devices)
            or all(check.node_id in ended for check in self.bench.checks[falsifier.id])
        ]
        return self._give(complete)

    def close(self) -> tuple[RunRecord, ...]:
        """The records of all that was not given out before."""
        return self._give(self.falsifiers)

    def _give(self, falsifiers: Sequence[Falsifier]) -> tuple[RunRecord, ...]:
        due = [f for f in falsifiers if f.id not in self._given]
        if not due:
            return ()
        tree = self.bench.tree(self.root)
        found = collect_records(
            self.bench, due, self._measured, tree, self._before, self._started_s
        )
        records = tuple(replace(record, attempt=self.number) for record in found)
        self._given.update((record.falsifier_id, record) for record in records)
        return records
