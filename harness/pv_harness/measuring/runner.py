"""`pv run`: measure falsifiers on the tree as it is, and make records of what was seen."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pv_harness.evidence.records import RunRecord, Verdict
from pv_harness.fingerprint.manifest import build_manifest, find_changes
from pv_harness.fingerprint.sources import SourceTree
from pv_harness.measuring.child import Launch, Measured, run_checks
from pv_harness.measuring.devices import visible_devices
from pv_harness.measuring.environment import count_gpus, describe_environment, find_devices
from pv_harness.measuring.guard import guarded_folder
from pv_harness.measuring.plan import (
    Plan,
    blocked_by,
    make_targets,
    relocate,
    watched_entries,
)
from pv_harness.measuring.sharing import share_out
from pv_harness.measuring.uncovered import uncovered_files
from pv_harness.measuring.verdict import broken_metrics, decide, records_of


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pv_harness.contracts.bindings import Check
    from pv_harness.contracts.contract import Contract, Falsifier
    from pv_harness.fingerprint.manifest import Manifest
    from pv_harness.measuring.record import CheckRecord
    from pv_harness.project import Project

Inputs = dict[str, dict[str, Path]]


@dataclass(frozen=True, slots=True)
class Workbench:
    """Everything that measuring needs to know about a project.

    Attributes:
        checks: falsifier ID -> the checks bound to it.
        inputs: the prepared inputs.
        configuration: contract path -> digest of the bytes that were read.
    """

    project: Project
    contracts: tuple[Contract, ...]
    checks: Mapping[str, tuple[Check, ...]]
    inputs: Inputs = field(default_factory=dict)
    configuration: Mapping[str, str] = field(default_factory=dict)

    def tree(self, root: Path) -> SourceTree:
        """The sources as they are now, in the project itself or in a copy of it at `root`."""
        return SourceTree(root, relocate(self.project, root))

    def plan(self, root: Path, record_dir: Path) -> Plan:
        """What checks that run in the project, or in a copy at `root`, are told."""
        return Plan(
            root=root,
            source_roots=relocate(self.project, root),
            record_dir=record_dir,
            entries=watched_entries(self.contracts),
            targets=make_targets(self.contracts, find_devices()),
            inputs=self.inputs,
            in_place=root == self.project.root,
        )

    def inputs_of(self, falsifier: Falsifier) -> Inputs:
        """The prepared inputs that a falsifier declares."""
        return {name: self.inputs[name] for name in falsifier.inputs if name in self.inputs}


def needed_inputs(falsifiers: Iterable[Falsifier]) -> frozenset[str]:
    """The inputs that the checks of these falsifiers read."""
    return frozenset(name for falsifier in falsifiers for name in falsifier.inputs)


@dataclass(frozen=True, slots=True)
class Attempts:
    """How often each falsifier is measured in one run.

    Attributes:
        repeat: measurements of each, whatever they say: a hunt for what is flaky.
        retries: further ones of those whose last was red or an error.
    """

    repeat: int = 1
    retries: int = 0


@dataclass(frozen=True, slots=True)
class Listener:
    """What to call while checks run.

    Attributes:
        attempt: a round of measuring begins: its number from 1, and what it will measure.
        record: one check has ended.
        running: the node IDs of the checks that run just now, told again and again.
    """

    attempt: Callable[[int, Sequence[Falsifier]], None] = lambda _number, _falsifiers: None
    record: Callable[[CheckRecord], None] = lambda _: None
    running: Callable[[frozenset[str]], None] = lambda _: None


ONCE = Attempts()
DEAF = Listener()
_RETRIED = {Verdict.FAILED, Verdict.ERROR}


def measure_falsifiers(
    bench: Workbench,
    falsifiers: Sequence[Falsifier],
    root: Path,
    *,
    jobs: int = 1,
    attempts: Attempts = ONCE,
    listener: Listener = DEAF,
) -> tuple[RunRecord, ...]:
    """One record per attempt and falsifier that has checks, in the project or a copy of it.

    A falsifier that needs an absent device is recorded as blocked without running anything. If
    a source changed while checks ran, nobody knows what was measured: that is an error, never
    a pass.

    Raises:
        InfrastructureError: pytest can't be started, or there is no room for records.
    """
    pending = [f for f in falsifiers if bench.checks.get(f.id)]
    records: list[RunRecord] = []
    with guarded_folder("pv-run-") as folder:
        for number in range(1, attempts.repeat + attempts.retries + 1):
            listener.attempt(number, pending)
            place = folder / f"records-{number}"
            round_records = _measure_once(bench, pending, root, place, jobs, listener)
            records += [replace(r, attempt=number) for r in round_records]
            if number >= attempts.repeat:
                red = {r.falsifier_id for r in round_records if r.verdict in _RETRIED}
                pending = [f for f in pending if f.id in red]
            if not pending:
                break
    return tuple(records)


def _measure_once(
    bench: Workbench,
    bound: Sequence[Falsifier],
    root: Path,
    place: Path,
    jobs: int,
    listener: Listener,
) -> tuple[RunRecord, ...]:
    started_s = time.time()
    devices = find_devices()
    before = static_manifests(bench, bound, bench.tree(root))
    runnable = [f for f in bound if blocked_by(f, devices) is None]
    measured = Measured()
    gpus = visible_devices(os.environ, count_gpus())
    for number, share in enumerate(share_out(runnable, jobs, gpus), 1):
        # What a crash leaves behind in one share is no business of the next.
        record_dir = place.with_name(f"{place.name}-{number}")
        record_dir.mkdir()
        launch = Launch(
            replace(bench.plan(root, record_dir), devices=share.devices),
            jobs=share.jobs,
            timeouts_s=check_timeouts(bench),
            environment={} if root == bench.project.root else NO_BYTECODE,
            on_running=listener.running,
        )
        part = run_checks(nodes_of(bench, share.falsifiers), launch, listener.record)
        measured.records |= part.records
        measured.lost |= part.lost
    return collect_records(bench, bound, measured, bench.tree(root), before, started_s)


NO_BYTECODE = {"PYTHONDONTWRITEBYTECODE": "1"}
"""In a copy, where two patches within one second would share a stale `.pyc`."""


def collect_records(
    bench: Workbench,
    falsifiers: Sequence[Falsifier],
    measured: Measured,
    tree: SourceTree,
    before: Mapping[str, Manifest],
    started_s: float = 0.0,
) -> tuple[RunRecord, ...]:
    """One record per falsifier from what its checks left behind.

    Args:
        bench: the project.
        falsifiers: those that were to be measured, each with at least one check.
        measured: what the checks left behind.
        tree: the sources as they are after the checks.
        before: the manifests from before the checks ran; a difference voids the verdict.
        started_s: when the checks began, in seconds since the epoch.
    """
    devices = find_devices()
    environment = describe_environment()
    records = []
    for falsifier in falsifiers:
        manifest = before[falsifier.id]
        blocked = blocked_by(falsifier, devices)
        record = (
            RunRecord(falsifier.id, Verdict.BLOCKED, manifest, reason=blocked)
            if blocked
            else _measured_record(bench, falsifier, manifest, tree, measured)
        )
        if started_s:
            opened = uncovered_files(
                records_of(bench.checks[falsifier.id], measured),
                record.manifest,
                tree.root,
                covered=_covered(bench, falsifier, tree.root),
                started_s=started_s,
            )
            record = replace(record, opened=opened)
        records.append(replace(record, finished_s=time.time(), environment=environment))
    return tuple(records)


def static_manifests(
    bench: Workbench, falsifiers: Sequence[Falsifier], tree: SourceTree
) -> dict[str, Manifest]:
    """The manifests that the sources alone give, before anything was observed."""
    return {f.id: _manifest(bench, f, tree, ()) for f in falsifiers}


def _covered(bench: Workbench, falsifier: Falsifier, root: Path) -> tuple[Path, ...]:
    """Files and folders whose being read says nothing: inputs, evidence, reports, pv."""
    project = bench.project
    inputs = [p for parts in bench.inputs_of(falsifier).values() for p in parts.values()]
    own = [project.evidence, project.reports, Path(__file__).parents[1]]
    in_copy = [
        root / path.relative_to(project.root)
        for path in own
        if path.is_relative_to(project.root)
    ]
    return (*inputs, *own, *in_copy)


def check_timeouts(bench: Workbench) -> dict[str, float]:
    """Planned node ID -> seconds that the check may take."""
    limits = {f.id: f.timeout_s for c in bench.contracts for f in c.falsifiers}
    return {
        check.node_id: limits[falsifier_id]
        for falsifier_id, checks in bench.checks.items()
        if falsifier_id in limits
        for check in checks
    }


def nodes_of(bench: Workbench, falsifiers: Iterable[Falsifier]) -> list[str]:
    """The planned node IDs of these falsifiers, each once."""
    nodes = [check.node_id for f in falsifiers for check in bench.checks.get(f.id, ())]
    return list(dict.fromkeys(nodes))


def _manifest(
    bench: Workbench, falsifier: Falsifier, tree: SourceTree, observed: Iterable[Path]
) -> Manifest:
    return build_manifest(
        falsifier,
        bench.checks[falsifier.id],
        tree,
        observed=observed,
        inputs=bench.inputs_of(falsifier),
        inputs_root=bench.project.root,
    )


def _measured_record(
    bench: Workbench,
    falsifier: Falsifier,
    before: Manifest,
    after: SourceTree,
    measured: Measured,
) -> RunRecord:
    checks = bench.checks[falsifier.id]
    records = records_of(checks, measured)
    observed = {Path(m) for r in records for m in r.modules}
    verdict, reason = decide(falsifier, checks, measured)
    changed = find_changes(before, falsifier, checks, after, bench.project.root)
    if changed:
        verdict = Verdict.ERROR
        reason = f"{changed[0]} while the checks ran; run again on a tree that rests"
    manifest = before
    try:
        manifest = before if changed else _manifest(bench, falsifier, after, observed)
    except OSError as error:
        verdict = Verdict.ERROR
        reason = f"a module that the checks imported is gone: {error}"
    return RunRecord(
        falsifier_id=falsifier.id,
        verdict=verdict,
        manifest=manifest,
        measurements=tuple(m for r in records for m in r.measurements),
        series=tuple(s for r in records for s in r.series),
        broken=broken_metrics(falsifier, records),
        reason=reason,
        checks=tuple(sorted(r.node for r in records)),
        reached=tuple(sorted({e for r in records for e in r.reached})),
        reached_in_process=tuple(sorted({e for r in records for e in r.reached_in_process})),
        cuda_peak_bytes=max((r.cuda_peak_bytes for r in records), default=0),
        duration_s=sum(r.duration_s for r in records),
    )
