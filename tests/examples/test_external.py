"""examples/external as its users have it: pv from a wheel, in an environment of its own."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest


if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
SITE = Path(sysconfig.get_path("purelib"))
pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Place:
    """A copy of the example, and the environment in which its commands run."""

    root: Path
    environment: Path

    def pv(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.start("pv", *words)

    def start(self, program: str, *words: str) -> subprocess.CompletedProcess[str]:
        kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PV_PLAN")}
        return subprocess.run(
            [self.environment / "bin" / program, *words],
            cwd=self.root,
            env={**kept, "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text(encoding="utf-8")
        assert text.count(old) == 1
        (self.root / name).write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (built,) = folder.glob("pv_harness-*.whl")
    return built


def make_environment(folder: Path, wheel: Path) -> Path:
    """A virtual environment with the wheel, installed by pip as from an index, and no more."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    install = ["install", "--quiet", "--no-deps", "--no-index", "--no-compile", str(wheel)]
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
    subprocess.run([*pip, *install], check=True, timeout=120)
    return folder


def site_of(environment: Path) -> Path:
    (site,) = environment.glob("lib/python3*/site-packages")
    return site


def copy_example(target: Path, environment: Path) -> Place:
    shutil.copytree(ROOT / "examples" / "external", target)
    return Place(target, environment)


@pytest.fixture(scope="module")
def complete(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With everything that this Python has: torch and pytest.

    Lines of another .pth file are not read again, so that the editable pv does not come along.
    """
    environment = make_environment(tmp_path_factory.mktemp("complete") / "env", wheel)
    (site_of(environment) / "borrowed.pth").write_text(f"{SITE}\n", encoding="utf-8")
    return environment


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With what the wheel itself depends on, and no extra."""
    environment = make_environment(tmp_path_factory.mktemp("bare") / "env", wheel)
    for name in _installed_parts("pv-harness"):
        link = site_of(environment) / name
        if not link.exists():
            link.symlink_to(SITE / name)
    return environment


def _installed_parts(distribution: str) -> Iterator[str]:
    """What lies in site-packages for the dependencies of a distribution, extras left out."""
    pending, seen = [distribution], set[str]()
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # wanted on another system, or by another Python
        if name != distribution:
            parts = {path.parts[0] for path in found.files or () if path.parts[0] != ".."}
            yield from sorted(parts - {"__pycache__"})
        needed = (text for text in found.requires or () if "extra ==" not in text)
        pending.extend(re.split(r"[^A-Za-z0-9._-]", text, maxsplit=1)[0] for text in needed)


@pytest.fixture(scope="module")
def proven(complete: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The example after a whole run."""
    place = copy_example(tmp_path_factory.mktemp("proven") / "external", complete)
    done = place.pv("run", "--prove", "--jobs", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 of 4 at their ceiling" in done.stdout
    assert "11 of 11 declared defects killed" in done.stdout
    return place


def test_the_wheel_holds_what_is_read_at_run_time(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    package = ROOT / "harness" / "pv_harness"
    data = [p for p in package.rglob("*") if p.suffix in {".json", ".yaml", ".yml", ".txt"}]
    assert len([p for p in data if p.suffix == ".json"]) >= 2
    wanted = {p.relative_to(package.parent).as_posix() for p in data}
    assert wanted - held == set()
    assert "pv_harness/py.typed" in held
    assert not any(name.startswith(("tests/", "examples/", "reports/")) for name in held)


def test_the_environments_have_pv_from_the_wheel(complete: Path, bare: Path) -> None:
    for environment in (complete, bare):
        place = Place(environment, environment)
        done = place.start("python", "-c", "import pv_harness; print(pv_harness.__file__)")
        assert done.stdout.startswith(str(site_of(environment))), done.stderr


def test_the_example_is_a_repository_of_its_own(complete: Path, tmp_path: Path) -> None:
    place = copy_example(tmp_path / "external", complete)
    done = place.pv("validate", "contracts")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 falsifiers, 4 bound to 4 checks" in done.stdout
    assert "11 planted defects, 4 controls" in done.stdout
    assert "0 errors, 0 warnings" in done.stdout
    assert place.pv("gate", "--policy", "merge").returncode == 3  # nothing was measured yet


def test_every_planted_defect_is_killed_and_the_gate_opens(proven: Place) -> None:
    done = proven.pv("gate", "--policy", "merge")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 of 4 falsifiers" in done.stdout


def test_a_loop_that_learns_nothing_is_refuted(proven: Place, tmp_path: Path) -> None:
    shutil.copytree(proven.root, tmp_path / "broken")
    broken = Place(tmp_path / "broken", proven.environment)
    broken.edit("src/tinyloop/train.py", "lr=0.01", "lr=0.0")
    done = broken.pv("run", "FALSIFY-TINYLOOP-002")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAILED" in done.stdout
    gate = broken.pv("gate", "--policy", "merge")
    assert gate.returncode == 1
    assert "FALSIFY-TINYLOOP-002: FAILED" in gate.stdout


def test_without_any_extra_evidence_can_be_judged(
    proven: Place, bare: Path, tmp_path: Path
) -> None:
    place = Place(tmp_path / "external", bare)
    shutil.copytree(proven.root, place.root)
    for module in ("pytest", "torch", "numpy"):
        assert place.start("python", "-c", f"import {module}").returncode == 1
    validated = place.pv("validate", "contracts")
    assert validated.returncode == 0, validated.stdout + validated.stderr
    board = place.pv("scoreboard")
    assert board.returncode == 0, board.stdout + board.stderr
    assert "4 of 4 at their ceiling" in board.stdout
    gate = place.pv("gate", "--policy", "merge")
    assert gate.returncode == 0, gate.stdout + gate.stderr


def test_without_pytest_a_run_says_what_is_missing(bare: Path, tmp_path: Path) -> None:
    place = copy_example(tmp_path / "external", bare)
    done = place.pv("run")
    assert done.returncode not in (0, 1)
    assert "Traceback" not in done.stdout + done.stderr
    assert "pytest" in done.stdout + done.stderr


def test_a_new_repository_is_ready_from_the_wheel(complete: Path, tmp_path: Path) -> None:
    (tmp_path / "fresh").mkdir()
    place = Place(tmp_path / "fresh", complete)
    assert place.pv("init").returncode == 0
    done = place.pv("run", "--prove")
    assert done.returncode == 0, done.stdout + done.stderr
    assert place.pv("gate", "--policy", "merge").returncode == 0
