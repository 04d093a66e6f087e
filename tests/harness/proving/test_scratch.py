from __future__ import annotations

import os
import re
import stat
import subprocess
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest

from pv_harness.contracts.contract import Patch
from pv_harness.project import load_project
from pv_harness.proving.scratch import VoidPatchError, apply_patch, copy_project, planted


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


def test_sources_that_git_ignores_are_copied_and_environments_are_not(root: Path) -> None:
    ignored = ("src/pkg/_version.py", "src/pkg/fast.abi3.so", "src/made/deep/__init__.py")
    left_out = ("src/pkg/data.bin", "src/env/lib/site.py", "src/.venv/a.py", "other/b.py")
    for name in (*ignored, *left_out, "src/env/pyvenv.cfg", "src/pkg/__init__.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")
    (root / ".gitignore").write_text("_*.py\n*.so\nmade\nenv\n.venv\n*.bin\nother\n")
    (root / "pyproject.toml").write_text('[tool.pv]\nsource_roots = ["src"]\n')
    (root / "src/pkg/__init__.py").write_text("")
    copy = copied(root)
    assert [name for name in ignored if not (copy / name).is_file()] == []
    if (root / ".git").exists():
        assert [name for name in left_out if (copy / name).exists()] == []


PATCH = Patch("p", PurePosixPath("m.py"), "A = 1", "A = 2")


@pytest.mark.parametrize(
    "data", [b"A = 1\r\nB = 2\r\n", b"A = 1\rB\r\n", b"# \xc3\xa4\nA = 1", b"A = 1\n\n\n"]
)
def test_a_copy_is_byte_for_byte_as_it_was_after_a_change(root: Path, data: bytes) -> None:
    (root / "m.py").write_bytes(data)
    with planted(root, PATCH):
        assert (root / "m.py").read_bytes() == data.replace(b"A = 1", b"A = 2")
    assert (root / "m.py").read_bytes() == data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "m.py: not in the copy of the project; does git ignore it?"),
        (b"\xff A = 1", "m.py: is not UTF-8 text"),
        (b"B = 1\n", "m.py: the anchor stands there 0 times, not once"),
        (b"A = 1\nA = 1\n", "m.py: the anchor stands there 2 times, not once"),
        (b"A = 1 = (\n", "m.py: does not compile: "),
    ],
)
def test_what_can_not_be_planted_is_void_and_changes_nothing(
    root: Path, data: bytes | None, message: str
) -> None:
    if data is not None:
        (root / "m.py").write_bytes(data)
    with pytest.raises(VoidPatchError, match=re.escape(message)), planted(root, PATCH):
        pytest.fail("it was planted")
    assert ((root / "m.py").read_bytes() if data is not None else None) == data


def test_anchors_are_counted_as_contracts_are_validated() -> None:
    # Overlapping places are two, and either could be meant.
    patch = Patch("p", PurePosixPath("m.txt"), "aa", "b")
    with pytest.raises(VoidPatchError, match="stands there 2 times"):
        apply_patch("aaa", patch)
