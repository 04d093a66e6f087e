"""`pv run`: measure what has no fresh evidence, and store what was seen."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pv_harness import __version__
from pv_harness.deriving.derivation import find_contrary
from pv_harness.evidence.records import Verdict
from pv_harness.evidence.signing import read_signer
from pv_harness.evidence.statement import RunStatement
from pv_harness.evidence.store import append_statement
from pv_harness.evidence_index.index import recall_summaries
from pv_harness.measuring.environment import find_devices
from pv_harness.measuring.inputs import prepare_inputs
from pv_harness.measuring.plan import blocked_by
from pv_harness.measuring.runner import (
    ONCE,
    Attempts,
    Listener,
    measure_falsifiers,
)
from pv_harness.measuring.workbench import Workbench, needed_inputs, nodes_of
from pv_harness.user_cache import find_cache_folder
from pv_harness.workflow.declared import rows_of
from pv_harness.workflow.keeping import ResultKeeper
from pv_harness.workflow.progress import Done
from pv_harness.workflow.storing import refuse_unwritable_store


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from pv_harness.board.scoreboard import Row
    from pv_harness.contracts.contract import Falsifier
    from pv_harness.evidence.records import PatchRecord, RunRecord
    from pv_harness.workflow.declared import Declared
    from pv_harness.workflow.progress import Progress


@dataclass(frozen=True, slots=True)
class Due:
    """The row of a falsifier that is to be measured, and why."""

    row: Row
    why: str

    @property
    def falsifier(self) -> Falsifier:
        """The claim."""
        return self.row.falsifier


def measure(
    declared: Declared,
    selected: Sequence[Falsifier],
    *,
    jobs: int,
    again: bool,
    progress: Progress,
    attempts: Attempts = ONCE,
) -> Done:
    """Measure in place what has no fresh evidence, or everything if `again`, and store it."""
    rows = [due.row for due in find_due(declared, selected, again=again)]
    if not rows:
        return Done(0)
    refuse_unwritable_store(declared.project)
    bench = make_workbench(declared, [row.falsifier for row in rows], rows)
    runs = measure_and_store(bench, rows, bench.project.root, jobs, progress, attempts)
    return Done(len(rows), retried=retried(runs))


def find_due(declared: Declared, selected: Sequence[Falsifier], *, again: bool) -> list[Due]:
    """The falsifiers that are to be measured, each with the reason why.

    Those without a check can't be, and are left out.
    """
    devices = find_devices()
    found = []
    for row in rows_of(declared, selected):
        if declared.checks.get(row.falsifier.id):
            why = _why_due(row, devices) or ("asked for again" if again else "")
            if why:
                found.append(Due(row, why))
    return found


def measure_and_store(
    bench: Workbench,
    rows: Sequence[Row],
    root: Path,
    jobs: int,
    progress: Progress,
    attempts: Attempts = ONCE,
) -> tuple[RunRecord, ...]:
    """Measure in the project, or a copy at `root`, and store the records as they come in.

    Returns the records of all attempts, those of one falsifier in their order.
    """
    earlier = _earlier_durations(bench, rows)
    falsifiers = [row.falsifier for row in rows]

    def begin(number: int, pending: Sequence[Falsifier]) -> None:
        nodes = nodes_of(bench, pending)
        progress.expect({n: earlier[n] for n in nodes if n in earlier}, jobs)
        phase = "checks" if number == 1 else f"checks, attempt {number}"
        progress.plan(phase, len(nodes))

    def store(planned: tuple[str, ...], records: tuple[RunRecord, ...], since_s: float) -> None:
        store_run(bench, planned, records, (), since_s)

    with ResultKeeper(store, [f.id for f in falsifiers]) as keeper:
        listener = Listener(begin, progress.check, progress.running, keeper.is_due, keeper.keep)
        return measure_falsifiers(
            bench, falsifiers, root, jobs=jobs, attempts=attempts, listener=listener
        )


def _why_due(row: Row, devices: frozenset[str]) -> str:
    """Why a claim has no fresh answer that could be had here; empty if it has one."""
    fresh = row.fresh_runs
    verdicts = {record.verdict for record in fresh}
    if verdicts & {Verdict.PASSED, Verdict.FAILED}:
        return ""
    if Verdict.BLOCKED in verdicts:
        blocked = blocked_by(row.falsifier, devices)
        return "" if blocked else f"{row.falsifier.requires} is here now"
    if fresh:
        newest = max(fresh, key=lambda record: record.finished_s)
        reason = (newest.reason.strip() or "no reason was recorded").splitlines()[0]
        return f"{newest.verdict.value} at the last time: {reason}"
    stale = max(row.runs, key=lambda run: run.record.finished_s, default=None)
    if stale is None:
        return "never measured"
    more = len(stale.changes) - 1
    return f"stale: {stale.changes[0]}" + (f" and {more} more" if more else "")


def _earlier_durations(bench: Workbench, rows: Iterable[Row]) -> dict[str, float]:
    """Node ID -> seconds that a check took at the last time, where that is known.

    They only tell how long it may still take. They come from the records of the board all the
    same, whose signatures were verified, and which need not be read for this.
    """
    timed = {
        row.falsifier.id: [a.record for a in row.runs if a.record.duration_s > 0]
        for row in rows
    }
    newest = {
        name: max(records, key=lambda record: record.finished_s)
        for name, records in timed.items()
        if records
    }
    return {
        check.node_id: record.duration_s / len(bench.checks[identity])
        for identity, record in newest.items()
        for check in bench.checks[identity]
    }


def retried(runs: Sequence[RunRecord]) -> dict[str, tuple[Verdict, ...]]:
    """Falsifier ID -> the verdicts of its attempts in order, of those with several."""
    verdicts: dict[str, list[Verdict]] = {}
    for record in runs:
        verdicts.setdefault(record.falsifier_id, []).append(record.verdict)
    return {name: tuple(found) for name, found in verdicts.items() if len(found) > 1}


def make_workbench(
    declared: Declared, falsifiers: Sequence[Falsifier], rows: Iterable[Row] = ()
) -> Workbench:
    """The workbench for these falsifiers, with the inputs that they need prepared.

    `rows` are theirs on the board, where what is measured will be stored.

    Raises:
        UsageError: an input is declared nowhere.
        InfrastructureError: an input can't be made.
    """
    devices = find_devices()
    runnable = [f for f in falsifiers if blocked_by(f, devices) is None]
    inputs = prepare_inputs(declared.project, needed_inputs(runnable))
    contrary = {
        row.falsifier.id: tuple(
            item.changes for item in find_contrary(row.falsifier, row.runs, row.patches)
        )
        for row in rows
    }
    return Workbench(
        declared.project,
        declared.contracts,
        declared.checks,
        inputs,
        declared.configuration,
        contrary,
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
    key = bench.project.signing_key
    signer = None if key is None else read_signer(key)
    folder = bench.project.evidence
    known = recall_summaries(folder, find_cache_folder(os.environ))
    return append_statement(folder, statement, signer, known)
