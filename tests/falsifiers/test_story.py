"""The story that this project comes from, replayed: a flag that is accepted and does nothing.

Where statuses are typed by hand, such a flag passes: the loader is tested, the flag parses, the
row says DONE. Here the same trees must give PARTIAL, then INTEGRATION, then STALE.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from pv_harness.project import load_project
from pv_harness.proving.scratch import copy_project


ROOT = Path(__file__).resolve().parents[2]
POPULATION = "FALSIFY-APR-PRETRAIN-INIT-007"
WIRED = "prepare_model(plan)\n"
NOT_WIRED = 'prepare_model(__import__("dataclasses").replace(plan, checkpoint=None))\n'


@dataclass(frozen=True)
class Tree:
    """A copy of this project, and its own evidence."""

    root: Path

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.root / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {name}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def pv(self, *args: str) -> subprocess.CompletedProcess[str]:
        roots = [str(self.root / folder) for folder in ("harness", "trainer", "falsifiers")]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(roots),
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "120",
        }
        environment.pop("PV_PLAN", None)
        return subprocess.run(
            [sys.executable, "-m", "pv_harness", *args],
            cwd=self.root,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=400,
        )

    def status(self) -> str:
        done = self.pv("scoreboard", "--format", "json", POPULATION)
        (row,) = json.loads(done.stdout)["falsifiers"]
        return str(row["status"])


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(copy_project(load_project(ROOT), tmp_path / "pv"))


@pytest.mark.slow
def test_an_unwired_flag_is_partial_and_a_wired_one_integration(tree: Tree) -> None:
    tree.edit("trainer/pv_trainer/training/loop.py", WIRED, NOT_WIRED)
    done = tree.pv("run", "--prove", "--jobs", "2", POPULATION)
    assert tree.status() == "PARTIAL/INTEGRATION", done.stdout + done.stderr
    explained = " ".join(tree.pv("explain", POPULATION).stdout.split())
    assert "why not higher command_mismatched_parameters is" in explained

    tree.edit("trainer/pv_trainer/training/loop.py", NOT_WIRED, WIRED)
    assert tree.status().startswith(
        "STALE(was PARTIAL, because trainer/pv_trainer/training/loop.py changed"
    )
    done = tree.pv("run", "--prove", "--jobs", "2", POPULATION)
    assert done.returncode == 0, done.stdout + done.stderr
    assert tree.status() == "INTEGRATION/INTEGRATION"

    tree.edit(
        "trainer/pv_trainer/training/loop.py", WIRED, f"{WIRED}        # a word about it\n"
    )
    assert tree.status() == "INTEGRATION/INTEGRATION"
    tree.edit(
        "trainer/pv_trainer/training/position.py",
        "LOSS_WINDOW: Final = 100",
        "LOSS_WINDOW: Final = 99",
    )
    assert tree.status() == (
        "STALE(was INTEGRATION, because trainer/pv_trainer/training/position.py changed: "
        "module level)"
    )
