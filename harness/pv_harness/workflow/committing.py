"""Whether git would take up a file, for what must never be in a repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.git import ask_git


if TYPE_CHECKING:
    import subprocess
    from pathlib import Path


def would_be_committed(file: Path) -> bool:
    """True if a file, there or not yet, lies in a git work tree and nothing there ignores it.

    False where git can't be started or knows of no work tree: then nothing takes it up.
    """
    folder = file.parent.resolve()
    while not folder.is_dir():
        folder = folder.parent
    target = file.parent.resolve() / file.name
    inside = _git(folder, "rev-parse", "--is-inside-work-tree")
    if inside is None or inside.stdout != b"true\n":
        return False
    ignored = _git(folder, "check-ignore", "--quiet", "--", str(target))
    # 0: ignored; 1: not; more: git's own trouble, to which no secret should be trusted.
    return ignored is None or ignored.returncode != 0


def _git(folder: Path, *words: str) -> subprocess.CompletedProcess[bytes] | None:
    """A git command that has ended; None where git can't be started."""
    try:
        return ask_git(folder, *words)
    except OSError:
        return None
