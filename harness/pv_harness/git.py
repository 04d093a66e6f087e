"""Questions to git, asked the same way everywhere: no shell, no lock, no prompt, in English."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from pathlib import Path


def ask_git(
    folder: Path, *words: str, timeout_s: float | None = None, given: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """A git command that has ended, whatever its exit code, run in a folder.

    `given` is what it reads from its standard input.

    Raises:
        OSError: git can't be started.
        ValueError: a word holds what no argument can, a NUL.
        subprocess.TimeoutExpired: it did not end within `timeout_s`.
    """
    return subprocess.run(  # noqa: S603 - words, and no shell
        ["git", "--no-optional-locks", "-C", str(folder), *words],  # noqa: S607 - on PATH
        env={**os.environ, "LC_ALL": "C"},
        input=given,
        capture_output=True,
        check=False,
        timeout=timeout_s,
    )


def complaint_of(done: subprocess.CompletedProcess[bytes]) -> str:
    """The first line of what git said against a command; empty if it said nothing."""
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return said[0] if said else ""
