from __future__ import annotations

import os
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from pv_harness.project import load_project
from pv_harness.proving.scratch import copy_project


if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=["git", "plain"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """An empty project, with git and without."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pyproject.toml").write_text("[tool.pv]\n")
    if request.param == "git":
        subprocess.run(["git", "init", "-q", folder], check=True)
    return folder


def copied(root: Path) -> Path:
    return copy_project(load_project(root), root.parent / "copy")


@pytest.mark.parametrize("mode", [0o755, 0o640, 0o600])
def test_permissions_are_kept(root: Path, mode: int) -> None:
    (root / "tool.sh").write_text("#!/bin/sh\n")
    (root / "tool.sh").chmod(mode)
    assert stat.S_IMODE((copied(root) / "tool.sh").stat().st_mode) == mode


def test_a_file_that_nobody_can_write_can_be_changed_in_the_copy(root: Path) -> None:
    (root / "fixed.py").write_text("")
    (root / "fixed.py").chmod(0o444)
    assert stat.S_IMODE((copied(root) / "fixed.py").stat().st_mode) == 0o644


def test_a_link_within_the_project_leads_to_the_copy(root: Path) -> None:
    (root / "src/deep").mkdir(parents=True)
    (root / "src/a.py").write_text("A = 1\n")
    (root / "src/deep/relative.py").symlink_to("../a.py")
    (root / "absolute.py").symlink_to(root / "src/a.py")
    (root / "chain.py").symlink_to("absolute.py")
    (root / "folder").symlink_to("src")
    copy = copied(root)
    for name in ("src/deep/relative.py", "absolute.py", "chain.py", "folder/a.py"):
        assert (copy / name).resolve() == (copy / "src/a.py").resolve()
    for name in ("src/deep/relative.py", "absolute.py", "chain.py", "folder"):
        assert not (copy / name).readlink().is_absolute()


def test_a_link_that_leads_out_or_nowhere_is_left_out(root: Path) -> None:
    (root.parent / "outside.py").write_text("")
    (root / "out.py").symlink_to("../outside.py")
    (root / "absolute.py").symlink_to(root.parent / "outside.py")
    (root / "nowhere.py").symlink_to("gone.py")
    (root / "loop.py").symlink_to("loop.py")
    (root / ".venv").mkdir()
    (root / ".gitignore").write_text(".venv\n")
    (root / ".venv/a.py").write_text("")
    (root / "ignored.py").symlink_to(".venv/a.py")
    copy = copied(root)
    assert {path.name for path in copy.iterdir()} == {"pyproject.toml", ".gitignore"}


def test_a_file_name_that_is_not_utf_8_is_copied(root: Path) -> None:
    name = os.fsdecode(b"caf\xe9.txt")
    try:
        (root / name).write_text("x")
    except OSError:
        pytest.skip("this file system takes UTF-8 names alone")
    assert (copied(root) / name).read_text() == "x"
