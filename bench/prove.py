"""`pv prove` beside the same work in fresh processes: wall seconds per planted change.

`fresh_loop` plants every declared change and runs the bound checks in a new pytest, with as
many workers. Both begin with a run of every check on untouched files; how much of ours that
is, `pv run --again` shows. With `--cosmic-ray PROGRAM`, cosmic-ray mutates the file of the
first declared defect and runs the checks of its falsifier, a few mutants long, with one worker.
What a change costs depends on its checks: compare it with the loop's row on that falsifier.

It works on a copy of the project, so that no evidence of a benchmark is stored. There is one
round: it is minutes long.

Run: python bench/prove.py [--project DIR] [--jobs N] [--cosmic-ray PROGRAM] [ID...]
"""

from __future__ import annotations

import argparse
import os
import shlex
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fresh_loop import declared_changes, plantable
from plain_pytest import plain_command, plain_environment
from pv_harness.project import load_project
from pv_harness.proving.scratch import copy_project
from pv_harness.workflow.declared import read_declared
from timing import describe_machine


if TYPE_CHECKING:
    from collections.abc import Sequence

    from pv_harness.contracts.contract import Falsifier
    from pv_harness.workflow.declared import Declared

HERE = Path(__file__).resolve().parent
PV = (sys.executable, "-m", "pv_harness")
MUTANTS = 6
COSMIC_RAY = """\
[cosmic-ray]
module-path = "{module}"
timeout = 600.0
excluded-modules = []
test-command = {command}
[cosmic-ray.distributor]
name = "local"
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: who planted how many changes, in how many seconds."""

    name: str
    changes: int
    seconds: float

    @property
    def each_s(self) -> float:
        """Wall seconds per change."""
        return self.seconds / self.changes


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--project", type=Path, default=HERE.parent, metavar="DIR")
    parser.add_argument("--jobs", type=int, default=2, metavar="N")
    parser.add_argument("--cosmic-ray", metavar="PROGRAM")
    parser.add_argument("names", nargs="*", metavar="ID")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pv-bench-") as folder:
        copy = copy_project(load_project(args.project), Path(folder).resolve() / "copy")
        declared = read_declared(load_project(copy))
        selected = plantable(declared, tuple(args.names))
        rows = compare(declared, selected, args.jobs, args.cosmic_ray)
    print(f"{describe_machine()}, {args.jobs} workers\n")
    print("| command | changes | seconds | seconds per change | / pv prove |")
    print("|---|---|---|---|---|")
    own = rows[0]
    for row in rows:
        cells = [row.name, f"{row.changes}", f"{row.seconds:.1f}", f"{row.each_s:.2f}"]
        print(f"| {' | '.join(cells)} | {row.each_s / own.each_s:.2f} |")


def compare(
    declared: Declared, selected: Sequence[Falsifier], jobs: int, cosmic_ray: str | None
) -> list[Row]:
    """Our row first, then the peers'."""
    root = declared.project.root
    count = len(declared_changes(declared, selected))
    ids = [falsifier.id for falsifier in selected]
    workers = ["--jobs", str(jobs)]
    # The measuring before it is not part of the proof; `pv prove` repeats it on its copies.
    run([*PV, "run", *ids, *workers], root)
    loop = [sys.executable, str(HERE / "fresh_loop.py"), "--project", str(root), *workers]
    rows = [
        Row("pv prove", count, run([*PV, "prove", *ids, *workers], root)),
        Row("pv prove, nothing changed", count, run([*PV, "prove", *ids, *workers], root)),
        Row(
            "only the run on untouched files",
            count,
            run([*PV, "run", *ids, *workers, "--again"], root),
        ),
        Row("a fresh pytest per change", count, run([*loop, *ids], root)),
    ]
    if cosmic_ray is not None:
        first = selected[0]
        few = len(declared_changes(declared, [first]))
        alone = run([*loop[:-1], "1", first.id], root)
        rows += [
            Row(f"a fresh pytest per change, 1 worker, {first.id}", few, alone),
            Row(
                f"cosmic-ray, 1 worker, {first.id}",
                MUTANTS,
                run_cosmic_ray(declared, first, cosmic_ray),
            ),
        ]
    return rows


def run_cosmic_ray(declared: Declared, falsifier: Falsifier, program: str) -> float:
    """Wall seconds that cosmic-ray takes for `MUTANTS` mutants of the first defect's file."""
    root = declared.project.root
    module = falsifier.defects[0].patch.file
    nodes = [check.node_id for check in declared.checks[falsifier.id]]
    command = shlex.join(plain_command(root, nodes, "-x"))
    config, session = root / "cosmic-ray.toml", root / "cosmic-ray.sqlite"
    quoted = '"' + command.replace("\\", "\\\\").replace('"', '\\"') + '"'
    config.write_text(COSMIC_RAY.format(module=module, command=quoted))
    run([program, "init", str(config), str(session)], root)
    with sqlite3.connect(session) as database:
        keep = "SELECT job_id FROM work_items ORDER BY job_id LIMIT ?"
        for table in ("mutation_specs", "work_items"):
            database.execute(f"DELETE FROM {table} WHERE job_id NOT IN ({keep})", (MUTANTS,))  # noqa: S608 - constants
    return run(
        [program, "exec", str(config), str(session)],
        root,
        plain_environment(declared.project, [falsifier], 1),
    )


def run(args: Sequence[str], cwd: Path, variables: dict[str, str] | None = None) -> float:
    """Wall seconds of a command.

    Raises:
        RuntimeError: it did not do its work.
    """
    started = time.perf_counter()
    done = subprocess.run(
        args,
        cwd=cwd,
        env={**os.environ, **(variables or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    # 1 and 3 are verdicts on the checks: the work was done.
    if done.returncode not in {0, 1, 3}:
        raise RuntimeError(f"{shlex.join(args)}: {done.returncode}\n{done.stderr[-2000:]}")
    print(f"  {seconds:6.1f} s  {shlex.join(args)[:100]}", file=sys.stderr)
    print("          " + (done.stdout.strip().splitlines() or [""])[-1], file=sys.stderr)
    return seconds


if __name__ == "__main__":
    main()
