"""`pv run`: measure what has no fresh evidence, and store what was seen."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pv_harness import __version__
from pv_harness.evidence.records import Verdict
from pv_harness.evidence.statement import RunStatement
from pv_harness.evidence.store import append_statement
from pv_harness.measuring.environment import find_devices
from pv_harness.measuring.inputs import prepare_inputs
from pv_harness.measuring.plan import blocked_by
from pv_harness.measuring.runner import Workbench, measure_falsifiers, needed_inputs
from pv_harness.workflow.declared import rows_of
from pv_harness.workflow.progress import Done


if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pv_harness.board.scoreboard import Row
    from pv_harness.contracts.contract import Falsifier
    from pv_harness.evidence.records import PatchRecord, RunRecord
    from pv_harness.workflow.declared import Declared
    from pv_harness.workflow.progress import Progress


def measure(
    declared: Declared,
    selected: Sequence[Falsifier],
    *,
    jobs: int,
    again: bool,
    progress: Progress,
) -> Done:
    """Measure in place what has no fresh evidence, or everything if `again`, and store it."""
    due = due_falsifiers(declared, selected, again=again)
    if not due:
        return Done(0)
    bench = make_workbench(declared, due)
    measure_and_store(bench, due, bench.project.root, jobs, progress)
    return Done(len(due))


def due_falsifiers(
    declared: Declared, selected: Sequence[Falsifier], *, again: bool
) -> list[Falsifier]:
    """The falsifiers that are to be measured; all that have checks if `again`."""
    devices = find_devices()
    return [
        row.falsifier
        for row in rows_of(declared, selected)
        if declared.checks.get(row.falsifier.id) and (again or _is_due(row, devices))
    ]


def measure_and_store(
    bench: Workbench,
    falsifiers: Sequence[Falsifier],
    root: Path,
    jobs: int,
    progress: Progress,
) -> tuple[RunRecord, ...]:
    """Measure in the project, or a copy at `root`, and store all records as one statement."""
    started = time.time()
    progress.plan("checks", sum(len(bench.checks[f.id]) for f in falsifiers))
    runs = measure_falsifiers(bench, falsifiers, root, jobs=jobs, on_record=progress.check)
    store_run(bench, tuple(f.id for f in falsifiers), runs, (), started)
    return runs


def _is_due(row: Row, devices: frozenset[str]) -> bool:
    """True unless the claim has a fresh answer, or can't get one here and that is known."""
    verdicts = {record.verdict for record in row.fresh_runs}
    if verdicts & {Verdict.PASSED, Verdict.FAILED}:
        return False
    known_blocked = Verdict.BLOCKED in verdicts
    return not (known_blocked and blocked_by(row.falsifier, devices))


def make_workbench(declared: Declared, falsifiers: Sequence[Falsifier]) -> Workbench:
    """The workbench for these falsifiers, with the inputs that they need prepared.

    Raises:
        UsageError: an input is declared nowhere.
        InfrastructureError: an input can't be made.
    """
    devices = find_devices()
    runnable = [f for f in falsifiers if blocked_by(f, devices) is None]
    inputs = prepare_inputs(declared.project, needed_inputs(runnable))
    return Workbench(
        declared.project, declared.contracts, declared.checks, inputs, declared.configuration
    )


def store_run(
    bench: Workbench,
    planned: tuple[str, ...],
    runs: tuple[RunRecord, ...],
    patches: tuple[PatchRecord, ...],
    started_s: float,
) -> str:
    """Append one statement to the evidence and return its digest."""
    statement = RunStatement(
        planned=planned,
        configuration=bench.configuration,
        runs=runs,
        patches=patches,
        started_s=started_s,
        pv_version=__version__,
    )
    return append_statement(bench.project.evidence, statement)
