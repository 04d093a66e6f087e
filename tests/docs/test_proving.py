"""docs/proving.md says what is so: its commands are run, and print what stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pv_harness.evidence.records import PatchOutcome


ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs/proving.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", GUIDE, flags=re.DOTALL | re.MULTILINE)


def pv(folder: Path, *words: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "harness"), "COLUMNS": "100"}
    environment.pop("PV_PLAN", None)
    done = subprocess.run(
        [sys.executable, "-m", "pv_harness", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """The repository of the guide, with the function that it adds."""
    pv(tmp_path, "init", "demo")
    command = tmp_path / "demo/src/demo/cli.py"
    (added,) = (text for language, text in BLOCKS if language == "python")
    source = command.read_text(encoding="utf-8") + '    note("fitted")\n'
    command.write_text(f"{source}\n\n{added}", encoding="utf-8")
    return tmp_path / "demo"


def test_what_the_commands_print_is_what_stands_there(demo: Path) -> None:
    shown = [text for _, text in BLOCKS if text.startswith("$ pv ")]
    assert len(shown) == 2
    for block in shown:
        command, _, output = block.partition("\n")
        assert pv(demo, *command.split()[2:]) == output


def test_the_declared_example_stands_in_the_repository_that_init_makes(demo: Path) -> None:
    contract = (demo / "contracts/demo-v1.yaml").read_text(encoding="utf-8")
    (example,) = (text for language, text in BLOCKS if language == "yaml")
    lines = [line.partition("  #")[0].rstrip() for line in example.splitlines()]
    assert [line for line in lines if line not in contract.splitlines()] == []


def test_every_outcome_is_explained() -> None:
    rows = re.findall(r"^\| (`.*?) \|", GUIDE, flags=re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named == {outcome.value for outcome in PatchOutcome}
