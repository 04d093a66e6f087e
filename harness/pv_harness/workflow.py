"""What each verb of pv does, as functions from a project to values; nothing here prints."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pv_harness import __version__
from pv_harness.board.documents import render_json, render_markdown
from pv_harness.board.scoreboard import derive_scoreboard
from pv_harness.digest import digest_file
from pv_harness.errors import InfrastructureError
from pv_harness.evidence.records import PatchOutcome, Verdict
from pv_harness.evidence.statement import RunStatement
from pv_harness.evidence.store import append_statement, read_statements, write_atomically
from pv_harness.measuring.environment import find_devices
from pv_harness.measuring.inputs import prepare_inputs
from pv_harness.measuring.plan import blocked_by
from pv_harness.measuring.runner import Workbench, measure_falsifiers, needed_inputs
from pv_harness.proving.prover import Task, prove_falsifiers
from pv_harness.sources import SourceTree
from pv_harness.validation import load_contracts


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pv_harness.bindings import Check
    from pv_harness.board.scoreboard import Row, Scoreboard
    from pv_harness.contract import Contract, Falsifier, Plant
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


def read_declared(project: Project) -> Declared:
    """What the project declares.

    Raises:
        ContractError: a contract or a binding is invalid; nothing may be judged then.
    """
    contracts, checks = load_contracts(project)
    by_id: dict[str, tuple[Check, ...]] = {}
    for check in checks:
        by_id[check.falsifier_id] = (*by_id.get(check.falsifier_id, ()), check)
    return Declared(project, contracts, by_id)


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
        SourceTree(project.root, project.source_roots),
    )


def measure(
    declared: Declared,
    selected: Sequence[Falsifier],
    *,
    jobs: int,
    again: bool,
    progress: Progress,
) -> int:
    """Measure what has no fresh evidence, or everything if `again`; store it.

    Returns the number of falsifiers that were measured.
    """
    devices = find_devices()
    due = [
        row.falsifier
        for row in _rows_of(declared, selected)
        if declared.checks.get(row.falsifier.id) and (again or _is_due(row, devices))
    ]
    if not due:
        return 0
    started = time.time()
    bench = _workbench(declared, [f for f in due if blocked_by(f, devices) is None])
    progress.plan("checks", sum(len(declared.checks[f.id]) for f in due))
    runs = measure_falsifiers(bench, due, jobs=jobs, on_record=progress.check)
    _store(declared, tuple(f.id for f in due), runs, (), started)
    return len(due)


def prove(
    declared: Declared,
    selected: Sequence[Falsifier],
    *,
    jobs: int,
    again: bool,
    progress: Progress,
) -> int:
    """Plant what has no fresh answer, for falsifiers that pass; store the outcomes.

    Returns the number of defects and controls that were planted.
    """
    tasks = [
        Task(row.falsifier, plant)
        for row in _rows_of(declared, selected)
        for plant in _due_plants(row, again=again)
    ]
    if not tasks:
        return 0
    started = time.time()
    falsifiers = list({t.falsifier.id: t.falsifier for t in tasks}.values())
    bench = _workbench(declared, falsifiers)
    progress.plan("planted changes", len(tasks))
    patches = prove_falsifiers(bench, tasks, jobs=jobs, on_patch=progress.patch)
    if patches:
        _store(declared, tuple(f.id for f in falsifiers), (), patches, started)
    return len(patches)


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
            write_atomically(project.reports / name, text.encode())
    except OSError as error:
        raise InfrastructureError(
            f"{project.reports}: reports can't be written ({error.strerror})"
        ) from error


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
    inputs = prepare_inputs(declared.project, needed_inputs(falsifiers))
    return Workbench(declared.project, declared.contracts, declared.checks, inputs)


def _store(
    declared: Declared,
    planned: tuple[str, ...],
    runs: tuple[RunRecord, ...],
    patches: tuple[PatchRecord, ...],
    started_s: float,
) -> str:
    project = declared.project
    paths = {str(contract.path) for contract in declared.contracts}
    statement = RunStatement(
        planned=planned,
        configuration={path: digest_file(project.root / path) for path in sorted(paths)},
        runs=runs,
        patches=patches,
        started_s=started_s,
        pv_version=__version__,
    )
    return append_statement(project.evidence, statement)
