"""`pv run` beside a plain pytest on the same checks: wall time, with start-up.

The plain pytest has the same workers and distribution, and fixtures that do what the checks
need and no more (`plain_fixtures`). What pv adds is the rest: fingerprints before and after,
records of every process, judgement, evidence, reports and the board. The last line is a second
`pv run` with nothing changed.

It works on a copy of the project, so that no evidence of a benchmark is stored.

Run: python bench/run_overhead.py [--project DIR] [--jobs N] [--rounds N] [ID...]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from plain_pytest import plain_command, plain_environment
from pv_harness.contracts.selection import select_falsifiers
from pv_harness.measuring.workbench import Workbench, nodes_of
from pv_harness.project import load_project
from pv_harness.proving.scratch import copy_project
from pv_harness.workflow.declared import read_declared
from timing import Contender, describe_machine, render_table, time_in_turn


if TYPE_CHECKING:
    from pv_harness.workflow.declared import Declared

HERE = Path(__file__).resolve().parent
PV = (sys.executable, "-m", "pv_harness", "run")
ENDED = frozenset({0, 1, 3})
"""Whatever the board says of the checks, the command did its work."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--project", type=Path, default=HERE.parent, metavar="DIR")
    parser.add_argument("--jobs", type=int, default=2, metavar="N")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("names", nargs="*", metavar="ID")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pv-bench-") as folder:
        copy = copy_project(load_project(args.project), Path(folder).resolve() / "copy")
        declared = read_declared(load_project(copy))
        contenders = make_contenders(declared, tuple(args.names), args.jobs)
        times = time_in_turn(contenders, args.rounds)
    ours, plain, again = (statistics.median(seconds) for seconds in times.values())
    print(f"{describe_machine()}, {args.jobs} workers, {args.rounds} rounds\n")
    print(render_table(times, ours=contenders[0].name))
    print(f"\npv run is {ours / plain:.2f} of plain pytest; unchanged it takes {again:.2f} s")


def make_contenders(declared: Declared, names: tuple[str, ...], jobs: int) -> list[Contender]:
    """`pv run --again`, the plain pytest, and `pv run` with nothing changed, in this order."""
    project = declared.project
    # A claim that needs a GPU would be measured by one of the two and skipped by the other.
    selected = [
        f
        for f in select_falsifiers(declared.contracts, names)
        if f.requires is None and f.seeds is None and declared.checks.get(f.id)
    ]
    nodes = nodes_of(Workbench(project, declared.contracts, declared.checks), selected)
    environment = plain_environment(project, selected, jobs)
    ids = [falsifier.id for falsifier in selected]
    parallel = ["-n", str(jobs), "--dist", "loadscope"] if jobs > 1 else []
    plain = plain_command(project.root, nodes, *parallel)
    again = [*PV, *ids, "--jobs", str(jobs)]
    return [
        Contender(
            "pv run --again", [*again, "--again"], project.root, environment, codes=ENDED
        ),
        Contender("plain pytest", plain, project.root, environment),
        Contender("pv run, nothing changed", again, project.root, environment, codes=ENDED),
    ]


if __name__ == "__main__":
    main()
