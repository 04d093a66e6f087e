"""What git would take up, and what it would not."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from pv_harness.workflow.committing import would_be_committed


if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A git work tree that ignores `*.pem` and the folder `private`."""
    subprocess.run(["git", "init", "-q", str(tmp_path / "tree")], check=True)
    (tmp_path / "tree/.gitignore").write_text("*.pem\nprivate/\n")
    return tmp_path / "tree"


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("ci.key", True),
        ("ci.pem", False),
        ("not/there/yet/ci.key", True),
        ("private/ci.key", False),
        ("-ci.key", True),
        ("../ci.key", False),
        (".git/ci.key", False),
    ],
)
def test_a_file_in_a_work_tree_is_taken_up_unless_ignored(
    tree: Path, name: str, *, taken: bool
) -> None:
    assert would_be_committed(tree / name) is taken


def test_a_link_to_a_work_tree_leads_there(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tree)
    assert would_be_committed(tmp_path / "link/ci.key")


def test_without_git_nothing_is_taken_up(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert not would_be_committed(tree / "ci.key")
