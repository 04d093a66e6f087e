"""`pv prove`: plant each declared defect, and see whether the bound checks notice.

The checks are run on the untouched copy first, because a check that is red there for any reason
would seem to kill everything. Then each patch is planted alone, and only the checks of its own
falsifier run, in a process that has imported nothing of the project.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING

from pv_harness.contracts.contract import Control
from pv_harness.evidence.records import PatchOutcome, PatchRecord, Verdict
from pv_harness.measuring.guard import guarded_folder
from pv_harness.measuring.verdict import records_of
from pv_harness.proving.outcome import Answer, held_metrics
from pv_harness.proving.planting import Planter, Task
from pv_harness.proving.scratch import copy_project
from pv_harness.proving.templates import Templates
from pv_harness.proving.trust import Trust, Waiting


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pv_harness.evidence.records import RunRecord
    from pv_harness.measuring.workbench import Workbench
    from pv_harness.project import Project

__all__ = ["Task", "plant_all", "scratch_copies"]


@contextlib.contextmanager
def scratch_copies(project: Project, count: int) -> Iterator[tuple[Path, ...]]:
    """Copies of the project, one for each worker, gone when the block ends or `pv` is killed.

    Raises:
        InfrastructureError: the project can't be copied.
    """
    with guarded_folder("pv-prove-") as base:
        first = copy_project(project, base / "copy-0")
        others = [
            shutil.copytree(first, base / f"copy-{i}", symlinks=True) for i in range(1, count)
        ]
        yield (first, *others)


def plant_all(
    bench: Workbench,
    tasks: Sequence[Task],
    baseline: Mapping[str, RunRecord],
    copies: Sequence[Path],
    on_patch: Callable[[PatchRecord], None] = lambda _: None,
) -> tuple[PatchRecord, ...]:
    """One record per task, in the order of the tasks.

    Args:
        bench: the project.
        tasks: what to plant, each for a falsifier in `baseline`.
        baseline: falsifier ID -> its record on an untouched copy.
        copies: one untouched copy of the project per worker.
        on_patch: called with each record as it is made, by one thread at a time.

    Raises:
        InfrastructureError: pytest can't be started.
    """
    # Called as the folder of the unplanted run is: checks must not tell one from the other.
    with guarded_folder("pv-run-") as folder:
        templates = Templates(folder, bench.project.preload)
        planter = Planter(bench, dict(baseline), templates, len(copies))
        proof = _Proof(planter, tasks, copies, on_patch)
        pool = ThreadPoolExecutor(max_workers=len(copies))
        try:
            futures = [pool.submit(proof.prove, index) for index in proof.order()]
            for future in futures:
                future.result()
        finally:
            # The processes first: an interrupt must not wait for a planted loop to time out.
            templates.close()
            pool.shutdown(cancel_futures=True)
        return proof.records()


class _Proof:
    """The tasks of one proving run, and their records as they come."""

    def __init__(
        self,
        planter: Planter,
        tasks: Sequence[Task],
        copies: Sequence[Path],
        on_patch: Callable[[PatchRecord], None],
    ) -> None:
        self._planter = planter
        self._tasks = tuple(tasks)
        self._on_patch = on_patch
        self._finishing = threading.Lock()
        self._done: dict[int, PatchRecord] = {}
        self._spent_s: defaultdict[int, float] = defaultdict(float)
        self._free: SimpleQueue[Path] = SimpleQueue()
        for copy in copies:
            self._free.put(copy)
        left = Counter(task.falsifier.id for task in tasks)
        falsifiers = {task.falsifier.id: task.falsifier for task in tasks}
        self._trust = {name: Trust(f, left[name]) for name, f in falsifiers.items()}

    def order(self) -> list[int]:
        """The tasks as they are begun: the longest first, so that no worker ends up alone.

        Of one falsifier the controls come first: they show what forks can be believed.
        """
        baseline = self._planter.baseline

        def key(index: int) -> tuple[float, str, bool]:
            task = self._tasks[index]
            falsifier_id = task.falsifier.id
            control = isinstance(task.item, Control)
            return (-baseline[falsifier_id].duration_s, falsifier_id, not control)

        return sorted(range(len(self._tasks)), key=key)

    def records(self) -> tuple[PatchRecord, ...]:
        """All records, in the order of the tasks."""
        return tuple(self._done[index] for index in range(len(self._tasks)))

    def prove(self, index: int) -> None:
        """Find the answer to one task, and to those that it was the last to be waited for."""
        copy = self._free.get()
        try:
            self._try(index, copy)
        finally:
            self._free.put(copy)

    def _try(self, index: int, copy: Path) -> None:
        task = self._tasks[index]
        trust = self._trust[task.falsifier.id]
        arrived = self._planter.baseline[task.falsifier.id]
        if arrived.verdict is not Verdict.PASSED:
            reason = f"{arrived.verdict.value} unplanted: {arrived.reason}"
            self._finish(index, Answer(PatchOutcome.RED_ON_ARRIVAL, reason))
            return
        answer = self._plant(index, copy, forked=True)
        with trust.lock:
            trust.note(answer)
            believed = trust.believes(task.item, answer)
            waits = not believed and trust.may_wait(task.item, answer)
            if waits:
                trust.waiting.append(Waiting(index, task.item, answer))
            released = trust.release()
        for waited in released:
            self._finish(waited.task, waited.answer)
        if not waits:
            self._finish(index, answer if believed else self._plant(index, copy, forked=False))
        with trust.lock:
            trust.left -= 1
            last = not trust.left
        if last:
            self._settle(trust, copy)

    def _settle(self, trust: Trust, copy: Path) -> None:
        """Decide about the kills by forks that nothing has borne out yet."""
        falsifier = trust.falsifier
        if not trust.waiting:
            return
        measured = self._planter.run_unplanted(falsifier, copy)
        records = records_of(self._planter.bench.checks[falsifier.id], measured)
        trust.held |= held_metrics(falsifier, records)
        for waited in trust.release():
            self._finish(waited.task, waited.answer)
        for waited in trust.waiting:
            self._finish(waited.task, self._plant(waited.task, copy, forked=False))

    def _plant(self, index: int, copy: Path, *, forked: bool) -> Answer:
        started = time.monotonic()
        try:
            return self._planter.plant(self._tasks[index], copy, forked=forked)
        finally:
            self._spent_s[index] += time.monotonic() - started

    def _finish(self, index: int, answer: Answer) -> None:
        # An answer from a process that was killed because proving was stopped is none.
        self._planter.templates.check_open()
        task = self._tasks[index]
        arrived = self._planter.baseline[task.falsifier.id]
        record = PatchRecord(
            falsifier_id=task.falsifier.id,
            patch_id=task.item.id,
            patch_digest=task.item.digest,
            outcome=answer.outcome,
            lane=arrived.lane,
            manifest=arrived.manifest,
            reason=answer.reason,
            duration_s=self._spent_s[index],
            finished_s=time.time(),
            environment=arrived.environment,
        )
        with self._finishing:
            self._done[index] = record
            self._on_patch(record)
