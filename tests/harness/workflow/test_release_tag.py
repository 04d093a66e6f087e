"""The last release, as real repositories tell it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from pv_harness.errors import InfrastructureError
from pv_harness.workflow.release_tag import (
    NoRelease,
    ReleaseTag,
    find_last_release,
    is_release_name,
)


if TYPE_CHECKING:
    from pathlib import Path

WHO = ("-c", "user.name=t", "-c", "user.email=t@example.org")


def git(root: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", *WHO, *words], cwd=root, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def commit(root: Path, text: str) -> str:
    (root / "file").write_text(text, encoding="utf-8")
    git(root, "add", "file")
    git(root, "commit", "-q", "-m", text)
    return git(root, "rev-parse", "HEAD")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository of one commit."""
    git(tmp_path, "init", "-q", "-b", "main")
    commit(tmp_path, "one")
    return tmp_path


def last(root: Path) -> str:
    found = find_last_release(root)
    return found.name if isinstance(found, ReleaseTag) else found.why


@pytest.mark.parametrize(
    "name",
    [
        "v1.2.0",
        "1.2",
        "v2",
        "V1.0",
        "pv-harness-1.2.0",
        "release/v2",
        "app@v1_v3",
        "v1.0.post1",
    ],
)
def test_a_tag_that_is_called_after_a_version_is_a_release(name: str) -> None:
    assert is_release_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *("v2.0.0-rc.1", "v2.0.0rc1", "1.0a1", "1.0.dev3", "v1.0-beta", "rc-1.0"),
        *(
            "nightly-2026.11.2",
            "Nightly/1.2.3",
            "pre-1.0",
            "latest",
            "2",
            "paper-2026",
            "v",
            "",
        ),
    ],
)
def test_a_pre_release_and_other_names_are_none(name: str) -> None:
    assert not is_release_name(name)


def test_the_newest_release_behind_the_tree_is_the_last_one(root: Path) -> None:
    git(root, "tag", "v1.0.0")
    two = commit(root, "two")
    git(root, "tag", "-a", "v1.1.0", "-m", "x")
    git(root, "tag", "v1.1.0-rc.1")
    commit(root, "three")
    found = find_last_release(root)
    assert isinstance(found, ReleaseTag)
    assert (found.name, found.commit) == ("v1.1.0", two)
    assert found.made_s is not None
    assert found.made_s > 1.7e9


def test_a_release_of_another_branch_is_not_behind_the_tree(root: Path) -> None:
    git(root, "checkout", "-q", "-b", "side")
    commit(root, "two")
    git(root, "tag", "v1.0.0")
    git(root, "checkout", "-q", "main")
    assert last(root) == (
        "There is no release yet: of 1 release tag none is behind this commit."
    )


def test_on_the_commit_of_a_release_it_is_the_one_before(root: Path) -> None:
    git(root, "tag", "v1.0.0")
    commit(root, "two")
    git(root, "tag", "v1.1.0")
    assert last(root) == "v1.0.0"
    (root / "file").write_text("edited since", encoding="utf-8")
    assert last(root) == "v1.1.0"


def test_the_first_release_has_none_before_it(root: Path) -> None:
    git(root, "tag", "v1.0.0")
    assert last(root) == "There is no release yet: this is v1.0.0, the first one."


def test_of_two_names_for_a_commit_the_exact_one_is_told(root: Path) -> None:
    git(root, "tag", "v1.2.3")
    git(root, "tag", "v1")
    commit(root, "two")
    assert last(root) == "v1.2.3"


def test_without_a_tag_there_is_no_release(root: Path) -> None:
    git(root, "tag", "latest")
    assert last(root) == (
        "There is no release yet: no tag is called after a version, as v1.0.0 is."
    )


def test_no_more_commits_are_looked_at_than_asked_for(root: Path) -> None:
    git(root, "tag", "v1.0.0")
    for text in ("two", "three"):
        commit(root, text)
    assert isinstance(find_last_release(root, max_commits=2), NoRelease)
    assert isinstance(find_last_release(root, max_commits=3), ReleaseTag)


def test_a_shallow_clone_says_that_it_can_not_know(root: Path, tmp_path: Path) -> None:
    git(root, "tag", "v1.0.0")
    commit(root, "two")
    clone = tmp_path / "clone"
    git(root, "clone", "-q", "--depth", "1", root.as_uri(), str(clone))
    assert last(clone).startswith("No release is known: this clone is shallow")


def test_outside_of_a_repository_git_can_not_tell(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match="no git repository"):
        find_last_release(tmp_path)


def test_a_machine_without_git_is_told(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(InfrastructureError, match="git can't be started"):
        find_last_release(root)


def test_a_git_that_hangs_is_not_waited_for(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pv_harness.workflow.release_tag._SECONDS", 0.1)
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec /bin/sleep 60\n", encoding="utf-8")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", str(slow.parent))
    with pytest.raises(InfrastructureError, match=r"git took more than 0\.1 s to answer"):
        find_last_release(root)
