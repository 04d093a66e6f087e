"""What `pv` says of the project that a release belongs to, asked as anybody would ask it.

The trainer knows nothing of the harness but its command line and its exit codes: 0 is
satisfied, and whatever else it ends with, nothing is published.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pv_trainer import error_ids
from pv_trainer.errors import CheckpointFailed, UsageError


TIMEOUT_S: Final = 600
GATES: Final = {
    "gate.json": ("gate", "--policy", "release", "--format", "json"),
    "release.json": ("release", "--format", "json"),
}
"""Both must be satisfied: the policy of the release, and the release contract itself."""
SHOWN: Final = {
    "scoreboard.md": ("scoreboard", "--format", "markdown"),
    "scoreboard.json": ("scoreboard", "--format", "json"),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """What pv printed, by the name of the file that it goes into."""

    documents: dict[str, str]


def find_pv() -> Path:
    """The `pv` of this environment.

    Raises:
        UsageError: there is none.
    """
    beside = Path(sys.executable).with_name("pv")
    found = str(beside) if beside.is_file() else shutil.which("pv")
    if found is None:
        raise UsageError(error_ids.USAGE, "there is no pv to ask", "name one with --pv")
    return Path(found)


def ask_gate(pv: Path, project: Path) -> Standing:
    """What pv says of the project, after it was found satisfied.

    Raises:
        CheckpointFailed: APR-PUBLISH-001 a gate is not satisfied, or pv cannot be run.
    """
    documents = {}
    for name, words in GATES.items():
        code, text, trouble = _ask(pv, project, words)
        if code != 0:
            lines = (trouble.strip() or text.strip()).splitlines()[-12:]
            told = "".join(f"\n  {_plain(line)}" for line in lines)
            asked = " ".join(("pv", *words[:-2]))
            raise CheckpointFailed(
                error_ids.PUBLISH,
                f"{project}: `{asked}` ended with {code}, not 0; nothing is published{told}",
                f"run `{asked}` there and do what it says",
            )
        documents[name] = text
    for name, words in SHOWN.items():
        documents[name] = _ask(pv, project, words)[1]
    return Standing(documents)


def _ask(pv: Path, project: Path, words: tuple[str, ...]) -> tuple[int, str, str]:
    try:
        done = subprocess.run(  # noqa: S603 - the program that the user named
            [str(pv), *words],
            cwd=project,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CheckpointFailed(
            error_ids.PUBLISH, f"{pv} {words[0]}: cannot be run: {error}", "name one with --pv"
        ) from error
    return done.returncode, done.stdout, done.stderr


def _plain(line: str) -> str:
    return line if line.isprintable() else ascii(line)[1:-1]
