"""A small repository that uses pv, made anew for each test, and its command line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pv_harness.evidence.signing import read_signer, write_key_pair


if TYPE_CHECKING:
    from collections.abc import Callable

    from pv_harness.evidence.signing import Signer

ROOT = Path(__file__).resolve().parents[2]

PYPROJECT = """\
[tool.pv]
checks = ["checks"]
source_roots = ["src"]
[tool.pytest.ini_options]
filterwarnings = ["error"]
"""

CONTRACT = """\
apiVersion: pv/v1
id: toy-v1
version: 1.0.0
metadata: {title: the toy adds}
falsifiers:
- id: FALSIFY-TOY-001
  rule: add adds
  prediction: add of 2 and 3 is 5
  if_fails: sums are wrong
  covers: [toy.math]
  bounds: {sum: {eq: 5}}
  levels:
    PARTIAL: {}
    INTEGRATION: {reached: ["toy.cli:main"]}
  defects:
  - {id: minus, file: src/toy/math.py, find: "a + b", replace: "a - b", expect: sum}
  - {id: off-by-one, file: src/toy/math.py, find: "a + b", replace: "a + b + 1", expect: sum}
  controls:
  - {id: swapped, file: src/toy/math.py, find: "a + b", replace: "b + a"}
"""

MATH = '''\
"""Arithmetic."""


def add(a, b):
    """The sum."""
    return a + b
'''

TOY_CLI = """\
import sys

from toy.math import add


def main():
    print(add(int(sys.argv[1]), int(sys.argv[2])))
"""

CHECK = """\
import pytest


@pytest.mark.falsifies("FALSIFY-TOY-001")
def test_two_and_three_make_five(measure, cli):
    done = cli("python", "-m", "toy", "2", "3")
    measure("sum", int(done.stdout))
"""


@dataclass(frozen=True)
class Toy:
    """The repository of one test."""

    root: Path

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.root / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {name}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def pv(self, *args: str) -> subprocess.CompletedProcess[str]:
        return self.python("-m", "pv_harness", *args)

    def python(self, *args: str, columns: int = 100) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT / "harness"),
            "COLUMNS": str(columns),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        environment.pop("PV_PLAN", None)
        return subprocess.run(
            [sys.executable, *args],
            cwd=self.root,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def evidence(self) -> list[Path]:
        return sorted((self.root / "reports" / "evidence").glob("*.intoto.jsonl"))


def make_toy(root: Path) -> Toy:
    """A valid repository: one contract, one check, a subject with a command."""
    repository = Toy(root)
    repository.write("pyproject.toml", PYPROJECT)
    repository.write("contracts/toy-v1.yaml", CONTRACT)
    repository.write("checks/test_toy.py", CHECK)
    repository.write("src/toy/__init__.py", "")
    repository.write("src/toy/__main__.py", "from toy.cli import main\n\nmain()\n")
    repository.write("src/toy/math.py", MATH)
    repository.write("src/toy/cli.py", TOY_CLI)
    return repository


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    """A valid repository of which nothing has been measured."""
    return make_toy(tmp_path / "toy")


@pytest.fixture(scope="session")
def proven_template(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    """The repository after a whole run; tests take copies."""
    repository = make_toy(tmp_path_factory.mktemp("proven") / "toy")
    done = repository.pv("run", "--prove", "--jobs", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    return repository


@pytest.fixture
def proven(proven_template: Toy, tmp_path: Path) -> Toy:
    """A repository that was measured and proven: its evidence is all fresh."""
    shutil.copytree(proven_template.root, tmp_path / "proven")
    return Toy(tmp_path / "proven")


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the key pairs of `ci` and of `mallory`."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("ci", "mallory"):
        write_key_pair(folder, name)
    return folder


@pytest.fixture(scope="session")
def signer(keys: Path) -> Callable[[str], Signer]:
    """The signer with the private key of this name."""
    return lambda name: read_signer(keys / f"{name}.key.pem")


@pytest.fixture(scope="session")
def trusted(keys: Path) -> dict[str, Path]:
    """The keys that are trusted: that of `ci`."""
    return {"ci": keys / "ci.pub.pem"}
