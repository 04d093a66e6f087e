"""Which revision of its own sources this trainer runs from."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any


_TIMEOUT_S = 20


def code_commit() -> dict[str, Any] | None:
    """The git revision of this package, and whether its files differ from it.

    None where the package is no part of a repository: installed, or copied.
    """
    # A package that was installed into a repository's folder is not tracked by it.
    if _git("ls-files", "--error-unmatch", "__init__.py") is None:
        return None
    revision, changes = _git("rev-parse", "HEAD"), _git("status", "--porcelain", "--", ".")
    if revision is None or changes is None:
        return None
    return {"revision": revision.strip(), "modified": bool(changes.strip())}


def _git(*arguments: str) -> str | None:
    """What git prints; None if it fails or is not there."""
    folder = Path(__file__).parent
    try:
        done = subprocess.run(  # noqa: S603 - fixed words
            ["git", "-C", str(folder), *arguments],  # noqa: S607 - the user's own git
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
