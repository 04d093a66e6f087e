"""Planting one change: into a scratch copy, the bound checks run, and the copy as it was."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pv_harness.contracts.contract import Defect
from pv_harness.evidence.records import PatchOutcome
from pv_harness.measuring.child import run_checks
from pv_harness.measuring.launch import Launch
from pv_harness.measuring.verdict import broken_metrics
from pv_harness.measuring.workbench import NO_BYTECODE, check_timeouts, nodes_of
from pv_harness.proving.outcome import Answer, judge_planted
from pv_harness.proving.scratch import VoidPatchError, planted


if TYPE_CHECKING:
    from collections.abc import Sequence

    from pv_harness.contracts.contract import Control, Falsifier, Plant
    from pv_harness.evidence.records import RunRecord
    from pv_harness.measuring.child import Measured
    from pv_harness.measuring.record import CheckRecord
    from pv_harness.measuring.workbench import Workbench
    from pv_harness.proving.templates import Templates

_THREADS = "OMP_NUM_THREADS"


@dataclass(frozen=True, slots=True)
class Task:
    """One patch to plant for one falsifier."""

    falsifier: Falsifier
    item: Plant


@dataclass(frozen=True, slots=True)
class Planter:
    """Plants changes and runs checks, in forks or in real processes.

    Attributes:
        baseline: falsifier ID -> its record on an untouched copy.
        workers: how many do so at once, which share the processors.
    """

    bench: Workbench
    baseline: dict[str, RunRecord]
    templates: Templates
    workers: int

    def plant(self, task: Task, copy: Path, *, forked: bool) -> Answer:
        """What one planted change does. The copy is as it was afterwards."""
        falsifier, item = task.falsifier, task.item
        try:
            with planted(copy, item.patch):
                measured = self._run(falsifier, item, copy, forked=forked)
        except VoidPatchError as error:
            return Answer(PatchOutcome.VOID, str(error))
        return judge_planted(falsifier, self.bench.checks[falsifier.id], item, measured)

    def run_unplanted(self, falsifier: Falsifier, copy: Path) -> Measured:
        """What the checks of a falsifier leave behind on an untouched copy, in forks."""
        return self._run(falsifier, None, copy, forked=True)

    def _run(
        self, falsifier: Falsifier, item: Defect | Control | None, copy: Path, *, forked: bool
    ) -> Measured:
        """Run the checks of a falsifier; for a defect only until the expected bound breaks."""
        expect = item.expect if isinstance(item, Defect) else None

        def is_kill(record: CheckRecord) -> bool:
            return expect in broken_metrics(falsifier, [record])

        # What a check's daemon still writes there goes with the folder around it.
        where = self.templates.folder
        with TemporaryDirectory("", "records-", where, ignore_cleanup_errors=True) as folder:
            plan = self.bench.plan(copy, Path(folder))
            launch = Launch(
                plan,
                timeouts_s=check_timeouts(self.bench),
                environment=self._environment(forked=forked),
                starter=self.templates.start if forked else self.templates.start_real,
                enough=is_kill if expect is not None else None,
            )
            return run_checks(self._nodes(falsifier), launch)

    def _environment(self, *, forked: bool) -> dict[str, str]:
        cores = len(os.sched_getaffinity(0))
        # Thread pools that start at an import keep a template from forking, and workers that
        # use all processors each would be in one another's way.
        threads = {_THREADS: os.environ.get(_THREADS, str(max(1, cores // self.workers)))}
        return {**NO_BYTECODE, **threads, **(self.templates.variables() if forked else {})}

    def _nodes(self, falsifier: Falsifier) -> Sequence[str]:
        """The checks, first those that measure what some defect is to break.

        The same for each planted change: the order must not tell a check what is planted.
        """
        record = self.baseline[falsifier.id]
        expected = {defect.expect for defect in falsifier.defects}
        measuring = {
            m.node.partition("[")[0] for m in record.measurements if m.metric in expected
        }
        return sorted(nodes_of(self.bench, [falsifier]), key=lambda node: node not in measuring)
