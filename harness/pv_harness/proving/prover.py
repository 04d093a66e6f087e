"""`pv prove`: plant each declared defect, and see whether the bound checks notice.

The checks are run on the untouched copy first, because a check that is red there for any reason
would seem to kill everything. Then each patch is planted alone, and only the checks of its own
falsifier run, in a process that has imported nothing of the project.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from pv_harness.contracts.contract import Control, Defect
from pv_harness.evidence.records import PatchOutcome, PatchRecord, Verdict
from pv_harness.measuring.child import Launch, run_checks
from pv_harness.measuring.record import Outcome
from pv_harness.measuring.runner import NO_BYTECODE, check_timeouts, nodes_of
from pv_harness.measuring.verdict import broken_metrics, decide, records_of
from pv_harness.proving.forkserver import ForkServer
from pv_harness.proving.scratch import VoidPatchError, copy_project, planted


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pv_harness.contracts.contract import Falsifier, Plant
    from pv_harness.evidence.records import RunRecord
    from pv_harness.measuring.child import Measured
    from pv_harness.measuring.record import CheckRecord
    from pv_harness.measuring.runner import Workbench
    from pv_harness.project import Project


@dataclass(frozen=True, slots=True)
class Task:
    """One patch to plant for one falsifier."""

    falsifier: Falsifier
    item: Plant


@contextlib.contextmanager
def scratch_copies(project: Project, count: int) -> Iterator[tuple[Path, ...]]:
    """Copies of the project, one for each worker, gone when the block ends.

    Raises:
        InfrastructureError: the project can't be copied.
    """
    with tempfile.TemporaryDirectory(prefix="pv-prove-") as folder:
        # The system's temporary folder may be a link; recorded module paths never are.
        base = Path(folder).resolve()
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
        on_patch: called with each record as it is made.

    Raises:
        InfrastructureError: pytest can't be started.
    """
    free: SimpleQueue[tuple[Path, ForkServer]] = SimpleQueue()
    servers = [ForkServer(bench.project.preload, NO_BYTECODE) for _ in copies]
    for pair in zip(copies, servers, strict=True):
        free.put(pair)

    def prove(task: Task) -> PatchRecord:
        copy, server = free.get()
        try:
            record = _prove_one(bench, task, baseline[task.falsifier.id], copy, server)
        finally:
            free.put((copy, server))
        on_patch(record)
        return record

    pool = ThreadPoolExecutor(max_workers=len(copies))
    try:
        futures = [pool.submit(prove, task) for task in tasks]
        return tuple(future.result() for future in futures)
    finally:
        # The servers first: an interrupt must not wait for a planted loop to time out.
        for server in servers:
            server.close()
        pool.shutdown(cancel_futures=True)


def classify_defect(
    falsifier: Falsifier,
    expect: str,
    records: Sequence[CheckRecord],
    lost: Sequence[tuple[str, bool]],
) -> tuple[PatchOutcome, str]:
    """What a planted defect did to the checks of its falsifier.

    Args:
        falsifier: the claim, whose bounds are judged here once more.
        expect: the metric whose bound it must break.
        records: what the checks left behind.
        lost: for each check without a record the reason, and whether it was a timeout.
    """
    for record in records:
        if expect in broken_metrics(falsifier, [record]):
            return PatchOutcome.KILLED, record.reason
    for record in (r for r in records if r.outcome is Outcome.FAILED):
        broken = ", ".join(broken_metrics(falsifier, [record])) or "an assertion"
        reason = f"red because of {broken}, not {expect}: {record.reason}"
        return PatchOutcome.KILLED_FOR_ANOTHER_REASON, reason
    for reason, timed_out in lost:
        outcome = PatchOutcome.TIMEOUT if timed_out else PatchOutcome.KILLED_BY_CRASH
        return outcome, reason
    for record in records:
        if record.outcome is Outcome.ERROR:
            return PatchOutcome.KILLED_BY_CRASH, record.reason
    for record in records:
        if record.outcome in {Outcome.SKIPPED, Outcome.BLOCKED}:
            return PatchOutcome.SURVIVED, f"the check was skipped: {record.reason}"
    return PatchOutcome.SURVIVED, "every bound check stayed green"


def _prove_one(
    bench: Workbench, task: Task, baseline: RunRecord, copy: Path, server: ForkServer
) -> PatchRecord:
    started = time.monotonic()
    if baseline.verdict is not Verdict.PASSED:
        outcome = PatchOutcome.RED_ON_ARRIVAL
        reason = f"{baseline.verdict.value} unplanted: {baseline.reason}"
    else:
        outcome, reason = _plant_and_run(bench, task, copy, server)
    return PatchRecord(
        falsifier_id=task.falsifier.id,
        patch_id=task.item.id,
        patch_digest=task.item.digest,
        outcome=outcome,
        lane=baseline.lane,
        manifest=baseline.manifest,
        reason=reason,
        duration_s=time.monotonic() - started,
        finished_s=time.time(),
        environment=baseline.environment,
    )


def _plant_and_run(
    bench: Workbench, task: Task, copy: Path, server: ForkServer
) -> tuple[PatchOutcome, str]:
    try:
        with planted(copy, task.item.patch):
            measured = _run(bench, task, copy, server)
    except VoidPatchError as error:
        return PatchOutcome.VOID, str(error)
    checks = bench.checks[task.falsifier.id]
    if isinstance(task.item, Control):
        verdict, reason = decide(task.falsifier, checks, measured)
        green = verdict is Verdict.PASSED
        return (PatchOutcome.GREEN, "") if green else (PatchOutcome.RED, reason)
    lost = [
        (measured.lost[c.node_id].reason, measured.lost[c.node_id].timed_out)
        for c in checks
        if c.node_id in measured.lost
    ]
    records = records_of(checks, measured)
    return classify_defect(task.falsifier, task.item.expect, records, lost)


def _run(bench: Workbench, task: Task, copy: Path, server: ForkServer) -> Measured:
    """Run the checks of one falsifier; for a defect only until the expected bound breaks."""
    falsifier = task.falsifier
    expect = task.item.expect if isinstance(task.item, Defect) else None

    def is_kill(record: CheckRecord) -> bool:
        return expect in broken_metrics(falsifier, [record])

    with tempfile.TemporaryDirectory(prefix="pv-records-") as folder:
        plan = bench.plan(copy, Path(folder).resolve())
        target = replace(plan.targets[falsifier.id], enough=expect)
        launch = Launch(
            replace(plan, targets={**plan.targets, falsifier.id: target}),
            timeouts_s=check_timeouts(bench),
            environment=NO_BYTECODE,
            starter=server.start,
            enough=is_kill,
        )
        return run_checks(nodes_of(bench, [falsifier]), launch)
