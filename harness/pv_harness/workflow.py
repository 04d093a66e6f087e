"""What each verb of pv does, as functions from a project to values; nothing here prints."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pv_harness import __version__
from pv_harness.board.documents import render_json, render_markdown
from pv_harness.board.scoreboard import derive_scoreboard
from pv_harness.contracts.validation import load_contracts
from pv_harness.digest import digest_file
from pv_harness.errors import InfrastructureError
from pv_harness.evidence.records import PatchOutcome, Verdict
from pv_harness.evidence.statement import RunStatement
from pv_harness.evidence.store import append_statement, read_statements, write_atomically
from pv_harness.fingerprint.sources import SourceTree
from pv_harness.measuring.environment import find_devices
from pv_harness.measuring.inputs import prepare_inputs
from pv_harness.measuring.plan import blocked_by
from pv_harness.measuring.runner import Workbench, measure_falsifiers, needed_inputs
from pv_harness.proving.prover import Task, plant_all, scratch_copies


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pv_harness.board.scoreboard import Row, Scoreboard
    from pv_harness.contracts.bindings import Check
    from pv_harness.contracts.contract import Contract, Falsifier, Plant
    from pv_harness.evidence.records import PatchRecord, RunRecord
    from pv_harness.measuring.record import CheckRecord
    from pv_harness.project import Project

_UNSETTLED = {PatchOutcome.TIMEOUT, PatchOutcome.RED_ON_ARRIVAL}
"""Outcomes that say nothing about the defect itself, and so are not kept as an answer."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What to call as results come in.

    Attributes:
        plan: how many results a phase will bring, and its name, before it starts.
        check: one check has ended.
        patch: one planted change has been tried.
    """

    plan: Callable[[str, int], None] = lambda _phase, _count: None
    check: Callable[[CheckRecord], None] = lambda _: None
    patch: Callable[[PatchRecord], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Declared:
    """The contracts of a project, all valid, and the checks bound to them."""

    project: Project
    contracts: tuple[Contract, ...]
    checks: dict[str, tuple[Check, ...]]
    configuration: Mapping[str, str]
    """Contract path -> digest of its bytes, as they were read."""


def read_declared(project: Project) -> Declared:
    """What the project declares.

    Raises:
        ContractError: a contract or a binding is invalid; nothing may be judged then.
    """
    contracts, checks = load_contracts(project)
    by_id: dict[str, tuple[Check, ...]] = {}
    for check in checks:
        by_id[check.falsifier_id] = (*by_id.get(check.falsifier_id, ()), check)
    paths = sorted({str(contract.path) for contract in contracts})
    configuration = {path: digest_file(project.root / path) for path in paths}
    return Declared(project, contracts, by_id, configuration)


def read_board(declared: Declared, extra_runs: Sequence[RunRecord] = ()) -> Scoreboard:
    """The scoreboard that the stored evidence supports on the tree as it is.

    Args:
        declared: the contracts and checks.
        extra_runs: records beyond those in the store.

    Raises:
        EvidenceError: evidence is unreadable or altered.
    """
    project = declared.project
    statements = read_statements(project.evidence)
    return derive_scoreboard(
        declared.contracts,
        declared.checks,
        [*(r for s in statements for r in s.runs), *extra_runs],
        [p for s in statements for p in s.patches],
        SourceTree(project.root, project.import_roots),
    )


@dataclass(frozen=True, slots=True)
class Done:
    """How much of what was asked for had to be done; the rest had fresh evidence."""

    measured: int
    planted: int = 0


def measure(
    declared: Declared,
    selected: Sequence[Falsifier],
    *,
    jobs: int,
    again: bool,
    progress: Progress,
) -> Done:
    """Measure in place what has no fresh evidence, or everything if `again`, and store it."""
    due = _due_falsifiers(declared, selected, again=again)
    if not due:
        return Done(0)
    bench = _workbench(declared, due)
    _measure_and_store(bench, due, bench.project.root, jobs, progress)
    return Done(len(due))


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
    due = _due_falsifiers(declared, selected, again=again)
    planting = [
        row.falsifier for row in _rows_of(declared, selected) if _due_plants(row, again=again)
    ]
    needed = list({f.id: f for f in (*due, *planting)}.values())
    if not needed:
        return Done(0)
    bench = _workbench(declared, needed)
    with scratch_copies(declared.project, jobs) as copies:
        runs = _measure_and_store(bench, needed, copies[0], jobs, progress)
        tasks = [
            Task(row.falsifier, plant)
            for row in _rows_of(declared, needed)
            for plant in _due_plants(row, again=again)
        ]
        if not tasks:
            return Done(len(due))
        started = time.time()
        progress.plan("planted changes", len(tasks))
        baseline = {run.falsifier_id: run for run in runs}
        patches = plant_all(bench, tasks, baseline, copies, progress.patch)
        _store(bench, tuple(dict.fromkeys(t.falsifier.id for t in tasks)), (), patches, started)
    return Done(len(due), len(patches))


def write_reports(project: Project, board: Scoreboard, now_s: float) -> None:
    """Write reports/scoreboard.md and reports/scoreboard.json, each whole or not at all.

    Raises:
        InfrastructureError: the folder can't be written.
    """
    try:
        project.reports.mkdir(parents=True, exist_ok=True)
        for name, text in (
            ("scoreboard.md", render_markdown(board, now_s=now_s)),
            ("scoreboard.json", render_json(board, now_s=now_s)),
        ):
            data = text.encode("utf-8", "backslashreplace")
            write_atomically(project.reports / name, data)
    except OSError as error:
        raise InfrastructureError(
            f"{project.reports}: reports can't be written ({error.strerror})"
        ) from error


def _due_falsifiers(
    declared: Declared, selected: Sequence[Falsifier], *, again: bool
) -> list[Falsifier]:
    devices = find_devices()
    return [
        row.falsifier
        for row in _rows_of(declared, selected)
        if declared.checks.get(row.falsifier.id) and (again or _is_due(row, devices))
    ]


def _measure_and_store(
    bench: Workbench,
    falsifiers: Sequence[Falsifier],
    root: Path,
    jobs: int,
    progress: Progress,
) -> tuple[RunRecord, ...]:
    started = time.time()
    progress.plan("checks", sum(len(bench.checks[f.id]) for f in falsifiers))
    runs = measure_falsifiers(bench, falsifiers, root, jobs=jobs, on_record=progress.check)
    _store(bench, tuple(f.id for f in falsifiers), runs, (), started)
    return runs


def _is_due(row: Row, devices: frozenset[str]) -> bool:
    """True unless the claim has a fresh answer, or can't get one here and that is known."""
    verdicts = {record.verdict for record in row.fresh_runs}
    if verdicts & {Verdict.PASSED, Verdict.FAILED}:
        return False
    known_blocked = Verdict.BLOCKED in verdicts
    return not (known_blocked and blocked_by(row.falsifier, devices))


def _due_plants(row: Row, *, again: bool) -> tuple[Plant, ...]:
    """What is to be planted: nothing before the claim passes, nothing twice."""
    if Verdict.PASSED not in {record.verdict for record in row.fresh_runs}:
        return ()
    answered = {p.patch_digest for p in row.fresh_patches if p.outcome not in _UNSETTLED}
    return tuple(p for p in row.falsifier.plants if again or p.digest not in answered)


def _rows_of(declared: Declared, selected: Sequence[Falsifier]) -> list[Row]:
    wanted = {falsifier.id for falsifier in selected}
    return [row for row in read_board(declared).rows if row.falsifier.id in wanted]


def _workbench(declared: Declared, falsifiers: Sequence[Falsifier]) -> Workbench:
    devices = find_devices()
    runnable = [f for f in falsifiers if blocked_by(f, devices) is None]
    inputs = prepare_inputs(declared.project, needed_inputs(runnable))
    return Workbench(
        declared.project, declared.contracts, declared.checks, inputs, declared.configuration
    )


def _store(
    bench: Workbench,
    planned: tuple[str, ...],
    runs: tuple[RunRecord, ...],
    patches: tuple[PatchRecord, ...],
    started_s: float,
) -> str:
    statement = RunStatement(
        planned=planned,
        configuration=bench.configuration,
        runs=runs,
        patches=patches,
        started_s=started_s,
        pv_version=__version__,
    )
    return append_statement(bench.project.evidence, statement)
