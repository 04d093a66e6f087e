"""A finished run of the trainer, a project with evidence, a pv that says what it is told."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pv_trainer import cli


if TYPE_CHECKING:
    from collections.abc import Callable

STUB = """\
#!/bin/sh
echo "$*" >> "{log}"
case "$1" in
  gate) echo '{{"gate": true}}'; echo "{words}" >&2; exit {gate};;
  release) echo '{{"release": true}}'; exit {release};;
esac
if [ "$3" = json ]; then echo '{{"claims": []}}'; else echo '| A-001 | DISCHARGED |'; fi
"""


@dataclass(frozen=True, slots=True)
class Finished:
    """A run with two epochs, from an init checkpoint."""

    run_dir: Path

    @property
    def checkpoint(self) -> Path:
        return self.run_dir / "ckpt" / "epoch-001.apr"


@pytest.fixture(scope="session")
def trained(
    tmp_path_factory: pytest.TempPathFactory, dataset_path: Path, init_path: Path
) -> Path:
    run_dir = tmp_path_factory.mktemp("trained") / "run-7"
    line = ["pretrain", "--device", "cpu", "--num-steps", "2", "--steps-per-epoch", "1"]
    line += ["--batch-size", "2", "--seq-length", "32", "--val-tokens", "128"]
    line += ["--dataset", str(dataset_path), "--init", str(init_path), "--json"]
    assert cli.main([*line, "--run-dir", str(run_dir), "--target-val-loss", "0.01"]) == 0
    return run_dir


@pytest.fixture
def finished(trained: Path, tmp_path: Path) -> Finished:
    """A copy that a test may stamp or alter."""
    return Finished(Path(shutil.copytree(trained, tmp_path / "runs" / "run-7")))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with pv's settings and a store with evidence."""
    folder = tmp_path / "project"
    (folder / "facts" / "2027").mkdir(parents=True)
    (folder / "facts" / "2027" / "one.json").write_text('{"evidence": 1}\n')
    (folder / "pyproject.toml").write_text('[tool.pv]\nevidence = "facts"\n')
    return folder


@pytest.fixture
def make_pv(tmp_path: Path) -> Callable[..., Path]:
    def make(*, gate: int = 0, release: int = 0, words: str = "") -> Path:
        path = tmp_path / "pv"
        told = STUB.format(log=tmp_path / "pv.log", gate=gate, release=release, words=words)
        path.write_text(told)
        path.chmod(0o755)
        return path

    return make
