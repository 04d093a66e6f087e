"""Which package may import which, and what the harness must never load."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest


ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"torch", "numpy", "safetensors", "tokenizers", "transformers", "pv_trainer"}


def imported(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            found.add(node.module.partition(".")[0])
    return found


def files(folder: str) -> list[Path]:
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found, folder
    return found


@pytest.mark.parametrize("file", files("harness"), ids=lambda p: p.stem)
def test_the_harness_knows_no_trainer_and_no_tensors(file: Path) -> None:
    assert not imported(file) & (HEAVY | {"pv_falsifiers"})


@pytest.mark.parametrize("file", files("trainer"), ids=lambda p: p.stem)
def test_the_trainer_knows_nothing_of_the_harness(file: Path) -> None:
    assert not imported(file) & {"pv_harness", "pv_falsifiers"}


def test_the_command_line_starts_without_what_it_may_not_need() -> None:
    code = "import pv_harness.cli, sys; print(*sorted(m for m in sys.modules if '.' not in m))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT / "harness",
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.split())
    assert not loaded & {*HEAVY, "rich", "pytest", "jsonschema", "yaml"}
