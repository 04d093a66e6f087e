"""Bytecode that may be older than its source is not used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


HARNESS = Path(__file__).resolve().parents[3] / "harness"
SCRIPT = """\
import sys, pathlib
sys.path.insert(0, sys.argv[1])
if sys.argv[2] == "distrust":
    from pv_harness.measuring.bytecode import distrust_stale_bytecode
    distrust_stale_bytecode([pathlib.Path(sys.argv[1])])
import subject
print(subject.VALUE)
"""


def value_of(folder: Path, mode: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(HARNESS)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder), mode],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def edit_behind_python(source: Path) -> None:
    """Another text of the same length and the same time: what a `.pyc` is checked by."""
    before = source.stat()
    source.write_text("VALUE = 2\n")
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.fixture
def subject(tmp_path: Path) -> Path:
    (tmp_path / "subject.py").write_text("VALUE = 1\n")
    assert value_of(tmp_path, "trust") == "1"
    assert list((tmp_path / "__pycache__").iterdir())
    return tmp_path / "subject.py"


def test_an_edit_that_python_misses_is_seen(subject: Path) -> None:
    edit_behind_python(subject)
    assert value_of(subject.parent, "trust") == "1"  # that is the danger
    assert value_of(subject.parent, "distrust") == "2"


def test_a_cache_that_can_not_be_removed_is_not_used(subject: Path) -> None:
    edit_behind_python(subject)
    (cached,) = (subject.parent / "__pycache__").iterdir()
    text = cached.read_bytes()
    cached.unlink()
    cached.mkdir()  # a folder can't be unlinked
    assert value_of(subject.parent, "distrust") == "2"
    cached.rmdir()
    cached.write_bytes(text)


def test_fresh_bytecode_stays(subject: Path) -> None:
    (cached,) = (subject.parent / "__pycache__").iterdir()
    before = cached.stat().st_ino
    assert value_of(subject.parent, "distrust") == "1"
    assert cached.stat().st_ino == before
