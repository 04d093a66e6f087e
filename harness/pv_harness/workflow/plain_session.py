"""A plain `pytest` over checks: the plan it works on, and the scoreboard in its summary.

What such a run measures is shown beside the stored evidence and is not stored: `pv run` decides
what is planned, and sees when a check was left out.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pv_harness.board.terminal import render_scoreboard
from pv_harness.measuring.child import Measured
from pv_harness.measuring.collecting import collect_records, static_manifests
from pv_harness.measuring.inputs import prepare_inputs
from pv_harness.measuring.record import read_records
from pv_harness.measuring.workbench import Workbench, needed_inputs
from pv_harness.project import find_root, load_project
from pv_harness.wording import counted
from pv_harness.workflow.declared import read_board, read_declared


if TYPE_CHECKING:
    from pathlib import Path

    from pv_harness.measuring.plan import Plan


def make_own_plan(folder: Path, record_dir: Path) -> Plan:
    """The plan of all falsifiers of the project that `folder` lies in.

    Raises:
        PvError: the project's contracts are invalid, or an input can't be made.
    """
    project = load_project(find_root(folder))
    declared = read_declared(project)
    falsifiers = [f for contract in declared.contracts for f in contract.falsifiers]
    inputs = prepare_inputs(project, needed_inputs(falsifiers))
    bench = Workbench(project, declared.contracts, declared.checks, inputs)
    return bench.plan(project.root, record_dir)


def render_own_scoreboard(plan: Plan, width: int) -> str:
    """The board of the stored evidence and of what this session has just measured."""
    project = load_project(plan.root)
    declared = read_declared(project)
    measured = Measured()
    for record in read_records(plan.record_dir):
        measured.records.setdefault(record.function, []).append(record)
    bench = Workbench(
        project,
        declared.contracts,
        declared.checks,
        {name: dict(parts) for name, parts in plan.inputs.items()},
    )
    seen = {r.falsifier_id for records in measured.records.values() for r in records}
    falsifiers = [f for c in declared.contracts for f in c.falsifiers if f.id in seen]
    tree = bench.tree(project.root)
    before = static_manifests(bench, falsifiers, tree)
    runs = collect_records(bench, falsifiers, measured, tree, before)
    board = read_board(declared, runs)
    measured_now = counted(len(runs), "falsifier")
    note = f"\n{measured_now} measured by this session, not stored; `pv run` stores"
    return render_scoreboard(board, width=width, now_s=time.time()) + note
