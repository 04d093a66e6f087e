"""The files of a revision as they were committed, whatever their names and links are."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from pv_harness.comparing.revision import extract_tree, find_tree
from pv_harness.errors import InfrastructureError, UsageError


if TYPE_CHECKING:
    from pathlib import Path


def git(root: Path, *words: str, data: bytes = b"") -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=n", "-c", "user.email=e@example.org", *words],
        cwd=root,
        input=data,
        capture_output=True,
        check=True,
    )
    return os.fsdecode(done.stdout).strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    return root


def commit(root: Path, **files: str) -> str:
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(root, "add", "-A")
    git(root, "commit", "-qm", "c")
    return git(root, "rev-parse", "HEAD")


def make_tree(root: Path, *entries: tuple[str, bytes, str]) -> str:
    """A tree that git itself would not make: mode, bytes, name."""
    lines = b""
    for mode, data, name in entries:
        blob = git(root, "hash-object", "-w", "--stdin", data=data)
        lines += f"{mode} {name}".encode() + b"\0" + bytes.fromhex(blob)
    return git(root, "hash-object", "-t", "tree", "-w", "--stdin", "--literally", data=lines)


def extract(root: Path, revision: str, tmp_path: Path) -> dict[str, str]:
    target = tmp_path.resolve() / "target"
    target.mkdir()
    extract_tree(root, find_tree(root, revision), target)
    found = (path for path in target.rglob("*") if path.is_symlink() or path.is_file())
    return {
        path.relative_to(target).as_posix(): (
            f"-> {path.readlink()}" if path.is_symlink() else path.read_text()
        )
        for path in found
    }


def test_a_revision_is_extracted_as_it_was_committed(repository: Path, tmp_path: Path) -> None:
    first = commit(repository, a="1", b__c="2")
    commit(repository, a="3")
    (repository / "untracked").write_text("4")
    assert extract(repository, first, tmp_path) == {"a": "1", "b/c": "2"}


def test_attributes_for_archives_change_nothing(repository: Path, tmp_path: Path) -> None:
    attributes = "hidden export-ignore\nstamped export-subst\n"
    files = {".gitattributes": attributes, "hidden": "1", "stamped": "$Format:%H$"}
    commit(repository, **files)
    assert extract(repository, "HEAD", tmp_path) == files


def test_a_project_below_the_root_of_a_repository_is_extracted_alone(
    repository: Path, tmp_path: Path
) -> None:
    commit(repository, a="1", sub__b="2", sub__c__d="3")
    assert extract(repository / "sub", "HEAD", tmp_path) == {"b": "2", "c/d": "3"}


def test_names_with_odd_characters_are_kept(repository: Path, tmp_path: Path) -> None:
    odd = {'a\n"b\\': "1", "c d\té": "2", "-rf": "3"}
    commit(repository, **odd)
    assert extract(repository, "HEAD", tmp_path) == odd


def test_a_link_within_the_tree_is_kept_and_one_that_leads_outside_is_left_out(
    repository: Path, tmp_path: Path
) -> None:
    for name, text in {
        "inside": "sub/b",
        "absolute": "/etc/passwd",
        "upwards": "../../secret",
        "chained": "sub/up/../../../secret",
        "loop": "loop",
        "sub/up": "..",
    }.items():
        (repository / name).parent.mkdir(exist_ok=True)
        (repository / name).symlink_to(text)
    commit(repository, sub__b="2")
    assert extract(repository, "HEAD", tmp_path) == {
        "sub/b": "2",
        "inside": "-> sub/b",
        "sub/up": "-> ..",
    }


@pytest.mark.parametrize(
    "name",
    ["../escaped", "/outside/pv-escaped", ".git/config", ".GIT/hooks/x", "a/../../escaped"],
)
def test_a_name_that_leads_outside_is_left_out(
    repository: Path, tmp_path: Path, name: str
) -> None:
    tree = make_tree(repository, ("100644", b"evil", name), ("100644", b"good", "z"))
    assert extract(repository, tree, tmp_path) == {"z": "good"}
    assert not (tmp_path / "escaped").exists()


def test_nothing_is_written_through_a_link(repository: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    tree = make_tree(
        repository,
        ("120000", bytes(outside), "d"),
        ("120000", b"anything", "d/link"),
        ("120000", b"anything", "d/e/link"),
    )
    assert extract(repository, tree, tmp_path) == {}
    assert list(outside.iterdir()) == []


def test_a_submodule_is_left_out(repository: Path, tmp_path: Path) -> None:
    head = commit(repository, a="1")
    git(repository, "update-index", "--add", "--cacheinfo", f"160000,{head},module")
    git(repository, "commit", "-qm", "m")
    assert extract(repository, "HEAD", tmp_path) == {"a": "1"}


def test_large_and_empty_files_are_whole(repository: Path, tmp_path: Path) -> None:
    files = {"large": "x" * 3_000_000, "empty": "", "after": "1"}
    commit(repository, **files)
    assert extract(repository, "HEAD", tmp_path) == files


@pytest.mark.parametrize("revision", ["nowhere", "HEAD~9", "--all", "-h", "HEAD:a", "a b"])
def test_what_git_does_not_know_is_refused_in_its_own_words(
    repository: Path, revision: str
) -> None:
    commit(repository, a="1")
    with pytest.raises(UsageError, match=r"^(fatal|error): "):
        find_tree(repository, revision)


def test_a_folder_that_is_no_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a git repository"):
        find_tree(tmp_path, "HEAD")


def test_no_git_at_all_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InfrastructureError, match="git can't be started"):
        find_tree(tmp_path, "HEAD")


def test_bytes_that_are_not_in_the_clone_are_named(repository: Path, tmp_path: Path) -> None:
    commit(repository, a="1")
    blob = git(repository, "rev-parse", "HEAD:a")
    (repository / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(InfrastructureError, match="a: its bytes are not in this clone"):
        extract(repository, "HEAD", tmp_path)
