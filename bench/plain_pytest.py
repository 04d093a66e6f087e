"""The command line of a pytest that knows nothing of pv: what the same checks cost alone."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pv_harness.measuring.devices import available_cores, threads_per_worker
from pv_harness.measuring.inputs import prepare_inputs
from pv_harness.measuring.workbench import needed_inputs


if TYPE_CHECKING:
    from collections.abc import Sequence

    from pv_harness.contracts.contract import Falsifier
    from pv_harness.project import Project

_HERE = Path(__file__).resolve().parent


def plain_command(root: Path, nodes: Sequence[str], *options: str) -> list[str]:
    """Pytest on these nodes, with the fixtures of `plain_fixtures` in place of pv's."""
    return [
        *(sys.executable, "-m", "pytest", "-q", "--assert=plain", "--rootdir", str(root)),
        *("-p", "no:pv", "-p", "plain_fixtures", "-p", "no:cacheprovider"),
        *("-p", "no:hypothesispytest", *options, *nodes),
    ]


def plain_environment(
    project: Project, falsifiers: Sequence[Falsifier], jobs: int
) -> dict[str, str]:
    """The variables that such a pytest needs, with as many threads as pv would give it."""
    inputs = prepare_inputs(project, needed_inputs(falsifiers))
    paths = {
        n: {part: str(path) for part, path in parts.items()} for n, parts in inputs.items()
    }
    roots = [str(root) for root in project.import_roots]
    inherited = os.environ.get("PYTHONPATH")
    return {
        "PYTHONPATH": os.pathsep.join(
            [*roots, str(_HERE), *([inherited] if inherited else [])]
        ),
        "OMP_NUM_THREADS": str(threads_per_worker(available_cores(), jobs)),
        "PV_BENCH_INPUTS": json.dumps(paths),
    }
