"""From what checks left behind to one record per falsifier."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pv_harness.evidence.records import RunRecord, Verdict
from pv_harness.fingerprint.building import build_manifest
from pv_harness.fingerprint.changes import find_changes
from pv_harness.fingerprint.manifest import mark_unasked, names_held, note_absent
from pv_harness.measuring.environment import describe_environment, find_devices
from pv_harness.measuring.plan import blocked_by
from pv_harness.measuring.uncovered import uncovered_files
from pv_harness.measuring.verdict import broken_metrics, decide, records_of


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pv_harness.contracts.contract import Falsifier
    from pv_harness.fingerprint.manifest import Change, Manifest
    from pv_harness.fingerprint.sources import SourceTree
    from pv_harness.measuring.child import Measured
    from pv_harness.measuring.record import CheckRecord
    from pv_harness.measuring.workbench import Workbench


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


def _manifest(
    bench: Workbench,
    falsifier: Falsifier,
    tree: SourceTree,
    observed: Iterable[Path],
) -> Manifest:
    build = partial(
        build_manifest,
        falsifier,
        bench.checks[falsifier.id],
        tree,
        inputs=bench.inputs_of(falsifier),
        inputs_root=bench.project.root,
    )
    seen = list(observed)
    manifest = build(observed=seen)
    names = _names_to_overcome(bench.contrary.get(falsifier.id, ()), manifest)
    if not names:
        return manifest
    # Evidence may come from anywhere: a file of elsewhere is named, and never opened.
    there = [p for n in names if tree.holds(p := tree.path_of(n)) and p.is_file()]
    return note_absent(build(observed=[*seen, *there]), names)


def _names_to_overcome(
    contrary: Iterable[Sequence[Change]], manifest: Manifest
) -> frozenset[str]:
    """The sources that only records against the claim rest on, and that have changed since.

    With these in its manifest a run shows that it was made after the change.
    """
    held = names_held(manifest)
    return frozenset(
        change.name
        for changes in contrary
        if not any((change.kind, change.name) in held for change in changes)
        for change in changes
    )


def _unasked(
    bench: Workbench, falsifier: Falsifier, records: Sequence[CheckRecord]
) -> frozenset[str]:
    """The declared inputs that no check asked for and no process was seen to open."""
    asked = {name for record in records for name in record.inputs}
    opened = [Path(file) for record in records for file in record.opened]
    return frozenset(
        name
        for name, parts in bench.inputs_of(falsifier).items()
        if name not in asked
        and not any(file.is_relative_to(part) for file in opened for part in parts.values())
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
        manifest = mark_unasked(manifest, _unasked(bench, falsifier, records))
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
