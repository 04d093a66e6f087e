"""`pv prove`: plant what has no fresh answer, and store the outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.evidence.records import Verdict
from pv_harness.measuring.runner import (
    ONCE,
    Attempts,
    Listener,
    measure_falsifiers,
)
from pv_harness.measuring.workbench import nodes_of
from pv_harness.proving.keeping import Keeper
from pv_harness.proving.prover import Task, plant_all, scratch_copies
from pv_harness.proving.suggestions import find_suggestions
from pv_harness.workflow.declared import rows_of
from pv_harness.workflow.measure import (
    find_due,
    make_workbench,
    measure_and_store,
    retried,
    store_run,
)
from pv_harness.workflow.progress import Done
from pv_harness.workflow.storing import refuse_unwritable_store


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pv_harness.board.scoreboard import Row
    from pv_harness.contracts.contract import Falsifier, Plant
    from pv_harness.evidence.records import PatchRecord, RunRecord
    from pv_harness.measuring.workbench import Workbench
    from pv_harness.proving.extreme import Function
    from pv_harness.proving.suggestions import SuggestReport
    from pv_harness.workflow.declared import Declared
    from pv_harness.workflow.progress import Progress

_STORE_EVERY_S = 60.0
"""What is lost at most if the process is killed."""


def prove(
    declared: Declared,
    selected: Sequence[Falsifier],
    *,
    jobs: int,
    again: bool,
    progress: Progress,
    attempts: Attempts = ONCE,
) -> Done:
    """Plant what has no fresh answer, for falsifiers that pass, and store the outcomes.

    What has no fresh evidence is measured first. That, and the run before planting that every
    proof begins with, are one and the same: both happen on an untouched copy. Outcomes are
    stored as they come in, so that an interrupted proof goes on where it was.
    """
    due = [item.row for item in find_due(declared, selected, again=again)]
    planting = [
        row for row in rows_of(declared, selected) if _due_plants(declared, row, again=again)
    ]
    rows = list({row.falsifier.id: row for row in (*due, *planting)}.values())
    if not rows:
        return Done(0)
    refuse_unwritable_store(declared.project)
    needed = [row.falsifier for row in rows]
    bench = make_workbench(declared, needed, rows)
    with scratch_copies(declared.project, jobs) as copies:
        runs = measure_and_store(bench, rows, copies[0], jobs, progress, attempts)
        tasks = [
            Task(row.falsifier, plant)
            for row in rows_of(declared, needed)
            for plant in _due_plants(declared, row, again=again)
        ]
        _plant_and_store(bench, tasks, runs, copies, progress)
    return Done(len(due), len(tasks), retried(runs))


def suggest(
    declared: Declared,
    selected: Sequence[Falsifier],
    *,
    jobs: int,
    limit: int,
    progress: Progress,
    on_function: Callable[[Function, bool], None] = lambda _function, _noticed: None,
) -> SuggestReport:
    """What `pv prove --suggest` finds. Nothing is stored: it is advice.

    Args:
        declared: the contracts and checks.
        selected: the falsifiers to be asked; those without a check have nothing to say.
        jobs: copies of the project that are worked on at once.
        limit: the most functions that are tried.
        progress: what to call meanwhile.
        on_function: called with each function that was tried, and whether it was noticed.
    """
    asked = [f for f in selected if declared.checks.get(f.id)]
    bench = make_workbench(declared, asked)
    with scratch_copies(declared.project, jobs) as copies:
        progress.plan("checks", len(nodes_of(bench, asked)))
        listener = Listener(record=progress.check, running=progress.running)
        runs = measure_falsifiers(bench, asked, copies[0], jobs=jobs, listener=listener)
        baseline = {run.falsifier_id: run for run in runs}
        return find_suggestions(bench, baseline, copies, limit, progress.plan, on_function)


def _plant_and_store(
    bench: Workbench,
    tasks: Sequence[Task],
    runs: Sequence[RunRecord],
    copies: Sequence[Path],
    progress: Progress,
) -> None:
    def store(patches: tuple[PatchRecord, ...], since_s: float) -> None:
        planned = tuple(dict.fromkeys(p.falsifier_id for p in patches))
        store_run(bench, planned, (), patches, since_s)

    if not tasks:
        return
    progress.plan("planted changes", len(tasks))
    with Keeper(store, _STORE_EVERY_S) as keeper:

        def on_patch(record: PatchRecord) -> None:
            keeper.keep(record)
            progress.patch(record)

        # Of several attempts at a falsifier the last one decides.
        baseline = {run.falsifier_id: run for run in runs}
        plant_all(bench, tasks, baseline, copies, on_patch)


def _due_plants(declared: Declared, row: Row, *, again: bool) -> tuple[Plant, ...]:
    """What is to be planted: nothing before the claim passes, nothing twice, nothing void."""
    if Verdict.PASSED not in {record.verdict for record in row.fresh_runs}:
        return ()
    answered = {p.patch_digest for p in row.fresh_patches if p.outcome.is_settled}
    void = declared.void.get(row.falsifier.id, {})
    plants = (plant for plant in row.falsifier.plants if plant.id not in void)
    return tuple(plant for plant in plants if again or plant.digest not in answered)
