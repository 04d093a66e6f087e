"""Plant each declared change in turn, and run the bound checks in a fresh pytest.

The simplest thing that answers the question of `pv prove`, and what it is measured beside: the
checks of each falsifier run once on untouched files, then once per change; no fork, no early
end, no record. Since the contract judges and the loop does not know it, it can't tell a killed
change from one that survived: it prints what it ran, and how often pytest failed by itself.

Run: python bench/fresh_loop.py --project COPY [--jobs N] [ID...]
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from plain_pytest import plain_command, plain_environment
from pv_harness.contracts.selection import select_falsifiers
from pv_harness.measuring.plan import relocate
from pv_harness.measuring.workbench import Workbench, nodes_of
from pv_harness.project import load_project
from pv_harness.proving.scratch import planted
from pv_harness.workflow.declared import read_declared


if TYPE_CHECKING:
    from collections.abc import Sequence

    from pv_harness.contracts.contract import Falsifier, Patch
    from pv_harness.project import Project
    from pv_harness.workflow.declared import Declared


@dataclass(frozen=True, slots=True)
class Change:
    """One declared change, and the checks that are to notice it; without a patch, nothing."""

    patch: Patch | None
    nodes: tuple[str, ...]


def main() -> None:
    """Print how many changes there were, and how many turned a check red."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--project", type=Path, required=True, metavar="DIR")
    parser.add_argument("--jobs", type=int, default=2, metavar="N")
    parser.add_argument("names", nargs="*", metavar="ID")
    args = parser.parse_args()
    declared = read_declared(load_project(args.project))
    selected = plantable(declared, tuple(args.names))
    changes = [*untouched(declared, selected), *declared_changes(declared, selected)]
    environment = plain_environment(declared.project, selected, args.jobs)
    with tempfile.TemporaryDirectory(prefix="pv-bench-") as folder:
        free: SimpleQueue[Path] = SimpleQueue()
        for number in range(args.jobs):
            free.put(shutil.copytree(args.project, Path(folder) / str(number), symlinks=True))

        def try_change(change: Change) -> bool:
            copy = free.get()
            try:
                planting = planted(copy, change.patch) if change.patch else nullcontext()
                with planting:
                    return is_red(declared.project, change, copy, environment)
            finally:
                free.put(copy)

        with ThreadPoolExecutor(args.jobs) as pool:
            red = sum(pool.map(try_change, changes))
    print(f"{len(changes)} runs of pytest, {red} failed by themselves")


def plantable(declared: Declared, names: tuple[str, ...]) -> list[Falsifier]:
    """The falsifiers among `names` that have a check and need no device."""
    return [
        f
        for f in select_falsifiers(declared.contracts, names)
        if f.requires is None and declared.checks.get(f.id)
    ]


def untouched(declared: Declared, falsifiers: Sequence[Falsifier]) -> list[Change]:
    """The run before planting that every proof begins with."""
    bench = Workbench(declared.project, declared.contracts, declared.checks)
    return [Change(None, tuple(nodes_of(bench, [falsifier]))) for falsifier in falsifiers]


def declared_changes(declared: Declared, falsifiers: Sequence[Falsifier]) -> list[Change]:
    """Every defect and control of these falsifiers."""
    bench = Workbench(declared.project, declared.contracts, declared.checks)
    return [
        Change(plant.patch, tuple(nodes_of(bench, [falsifier])))
        for falsifier in falsifiers
        for plant in falsifier.plants
    ]


def is_red(project: Project, change: Change, copy: Path, environment: dict[str, str]) -> bool:
    """Whether pytest ends with a failure in this copy."""
    paths = [str(path) for path in relocate(project, copy)]
    variables = {
        **os.environ,
        **environment,
        "PYTHONPATH": os.pathsep.join([*paths, environment["PYTHONPATH"]]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        plain_command(copy, change.nodes, "-x"),
        cwd=copy,
        env=variables,
        capture_output=True,
        check=False,
    )
    return done.returncode != 0


if __name__ == "__main__":
    main()
