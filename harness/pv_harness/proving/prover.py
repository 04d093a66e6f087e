"""`pv prove`: plant each declared defect, and see whether the bound checks notice.

The checks are run on the untouched copy first, because a check that is red there for any reason
would seem to kill everything. Then each patch is planted alone, and only the checks of its own
falsifier run, in a fresh process.
"""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from pv_harness.contract import Control
from pv_harness.evidence.records import PatchOutcome, PatchRecord, Verdict
from pv_harness.manifest import build_manifest
from pv_harness.measuring.child import Launch, run_checks
from pv_harness.measuring.environment import describe_environment, find_devices
from pv_harness.measuring.plan import (
    Plan,
    blocked_by,
    make_targets,
    relocate,
    watched_entries,
)
from pv_harness.measuring.record import Outcome
from pv_harness.measuring.runner import check_timeouts, nodes_of
from pv_harness.measuring.verdict import decide, records_of
from pv_harness.proving.scratch import VoidPatchError, copy_project, planted
from pv_harness.sources import SourceTree


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pv_harness.contract import Falsifier, Plant
    from pv_harness.manifest import Manifest
    from pv_harness.measuring.child import Measured
    from pv_harness.measuring.record import CheckRecord
    from pv_harness.measuring.runner import Workbench


@dataclass(frozen=True, slots=True)
class Task:
    """One patch to plant for one falsifier."""

    falsifier: Falsifier
    item: Plant


@dataclass(frozen=True, slots=True)
class _Baseline:
    """The untouched copy: the verdict and the manifest of every falsifier on it."""

    verdicts: Mapping[str, tuple[Verdict, str]]
    manifests: Mapping[str, Manifest]


def prove_falsifiers(
    bench: Workbench,
    tasks: Sequence[Task],
    *,
    jobs: int = 1,
    on_patch: Callable[[PatchRecord], None] = lambda _: None,
) -> tuple[PatchRecord, ...]:
    """One record per task whose falsifier can be measured on this machine.

    Each of `jobs` workers has a copy of the project to itself.

    Raises:
        InfrastructureError: the project can't be copied, or pytest can't be started.
    """
    devices = find_devices()
    runnable = [
        t
        for t in tasks
        if bench.checks.get(t.falsifier.id) and blocked_by(t.falsifier, devices) is None
    ]
    if not runnable:
        return ()
    environment = describe_environment()
    with tempfile.TemporaryDirectory(prefix="pv-prove-") as folder:
        # The system's temporary folder may be a link; recorded module paths never are.
        base = Path(folder).resolve()
        copies: SimpleQueue[Path] = SimpleQueue()
        for index in range(min(jobs, len(runnable))):
            copies.put(copy_project(bench.project, base / f"copy-{index}"))
        baseline = _measure_baseline(bench, runnable, base / "copy-0", jobs)

        def prove(task: Task) -> PatchRecord:
            copy = copies.get()
            try:
                record = _prove_one(bench, task, copy, baseline, environment)
            finally:
                copies.put(copy)
            on_patch(record)
            return record

        with ThreadPoolExecutor(max_workers=jobs) as pool:
            return tuple(pool.map(prove, runnable))


def classify_defect(
    expect: str, records: Sequence[CheckRecord], lost: Sequence[tuple[str, bool]]
) -> tuple[PatchOutcome, str]:
    """What a planted defect did to the checks of its falsifier.

    Args:
        expect: the metric whose bound it must break.
        records: what the checks left behind.
        lost: for each check without a record the reason, and whether it was a timeout.
    """
    refuting = [r for r in records if r.outcome is Outcome.FAILED]
    for record in refuting:
        if expect in record.broken:
            return PatchOutcome.KILLED, record.reason
    for record in refuting:
        broken = ", ".join(record.broken) or "an assertion"
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


def _measure_baseline(
    bench: Workbench, tasks: Sequence[Task], copy: Path, jobs: int
) -> _Baseline:
    falsifiers = list({t.falsifier.id: t.falsifier for t in tasks}.values())
    measured = _run(bench, falsifiers, copy, jobs)
    tree = SourceTree(copy, relocate(bench.project, copy))
    manifests = {}
    for falsifier in falsifiers:
        checks = bench.checks[falsifier.id]
        observed = {Path(m) for r in records_of(checks, measured) for m in r.modules}
        manifests[falsifier.id] = build_manifest(
            falsifier,
            checks,
            tree,
            observed=observed,
            inputs=bench.inputs_of(falsifier),
            inputs_root=bench.project.root,
        )
    verdicts = {f.id: decide(f, bench.checks[f.id], measured) for f in falsifiers}
    return _Baseline(verdicts, manifests)


def _prove_one(
    bench: Workbench,
    task: Task,
    copy: Path,
    baseline: _Baseline,
    environment: Mapping[str, str],
) -> PatchRecord:
    falsifier, item = task.falsifier, task.item
    started = time.monotonic()
    verdict, why = baseline.verdicts[falsifier.id]
    if verdict is not Verdict.PASSED:
        outcome, reason = PatchOutcome.RED_ON_ARRIVAL, f"{verdict.value} unplanted: {why}"
    else:
        outcome, reason = _plant_and_run(bench, task, copy)
    return PatchRecord(
        falsifier_id=falsifier.id,
        patch_id=item.id,
        patch_digest=item.digest,
        outcome=outcome,
        manifest=baseline.manifests[falsifier.id],
        reason=reason,
        duration_s=time.monotonic() - started,
        finished_s=time.time(),
        environment=environment,
    )


def _plant_and_run(bench: Workbench, task: Task, copy: Path) -> tuple[PatchOutcome, str]:
    try:
        with planted(copy, task.item.patch):
            measured = _run(bench, [task.falsifier], copy, jobs=1)
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
    return classify_defect(task.item.expect, records_of(checks, measured), lost)


def _run(bench: Workbench, falsifiers: Sequence[Falsifier], copy: Path, jobs: int) -> Measured:
    with tempfile.TemporaryDirectory(prefix="pv-records-") as folder:
        plan = Plan(
            root=copy,
            source_roots=relocate(bench.project, copy),
            record_dir=Path(folder),
            entries=watched_entries(bench.contracts),
            targets=make_targets(bench.contracts, find_devices()),
            inputs=bench.inputs,
        )
        launch = Launch(
            plan,
            jobs=jobs,
            timeouts_s=check_timeouts(bench),
            environment={"PYTHONDONTWRITEBYTECODE": "1"},
        )
        return run_checks(nodes_of(bench, falsifiers), launch)
