"""`pv prove`: plant what has no fresh answer, and store the outcomes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pv_harness.evidence.records import PatchOutcome, Verdict
from pv_harness.proving.prover import Task, plant_all, scratch_copies
from pv_harness.workflow.declared import rows_of
from pv_harness.workflow.measure import (
    due_falsifiers,
    make_workbench,
    measure_and_store,
    store_run,
)
from pv_harness.workflow.progress import Done


if TYPE_CHECKING:
    from collections.abc import Sequence

    from pv_harness.board.scoreboard import Row
    from pv_harness.contracts.contract import Falsifier, Plant
    from pv_harness.workflow.declared import Declared
    from pv_harness.workflow.progress import Progress

_UNSETTLED = {PatchOutcome.TIMEOUT, PatchOutcome.RED_ON_ARRIVAL}
"""Outcomes that say nothing about the defect itself, and so are not kept as an answer."""


def prove(
    declared: Declared,
    selected: Sequence[Falsifier],
    *,
    jobs: int,
    again: bool,
    progress: Progress,
) -> Done:
    """Plant what has no fresh answer, for falsifiers that pass, and store the outcomes.

    What has no fresh evidence is measured first. That, and the run before planting that every
    proof begins with, are one and the same: both happen on an untouched copy.
    """
    due = due_falsifiers(declared, selected, again=again)
    planting = [
        row.falsifier for row in rows_of(declared, selected) if _due_plants(row, again=again)
    ]
    needed = list({f.id: f for f in (*due, *planting)}.values())
    if not needed:
        return Done(0)
    bench = make_workbench(declared, needed)
    with scratch_copies(declared.project, jobs) as copies:
        runs = measure_and_store(bench, needed, copies[0], jobs, progress)
        tasks = [
            Task(row.falsifier, plant)
            for row in rows_of(declared, needed)
            for plant in _due_plants(row, again=again)
        ]
        if not tasks:
            return Done(len(due))
        started = time.time()
        progress.plan("planted changes", len(tasks))
        baseline = {run.falsifier_id: run for run in runs}
        patches = plant_all(bench, tasks, baseline, copies, progress.patch)
        store_run(
            bench, tuple(dict.fromkeys(t.falsifier.id for t in tasks)), (), patches, started
        )
    return Done(len(due), len(patches))


def _due_plants(row: Row, *, again: bool) -> tuple[Plant, ...]:
    """What is to be planted: nothing before the claim passes, nothing twice."""
    if Verdict.PASSED not in {record.verdict for record in row.fresh_runs}:
        return ()
    answered = {p.patch_digest for p in row.fresh_patches if p.outcome not in _UNSETTLED}
    return tuple(p for p in row.falsifier.plants if again or p.digest not in answered)
