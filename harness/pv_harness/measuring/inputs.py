"""Declared inputs: a command makes each once, and prints where its parts are."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from pv_harness.errors import InfrastructureError, UsageError
from pv_harness.measuring.command import run_command
from pv_harness.measuring.exit_status import describe_exit


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pv_harness.project import Project

_TIMEOUT_S = 1800.0


def prepare_inputs(project: Project, names: Iterable[str]) -> dict[str, dict[str, Path]]:
    """Input name -> part -> path, made by the commands of `[tool.pv.inputs]`.

    A command prints one JSON object whose `parts` maps part names to paths; it is expected to
    do nothing when everything is there already.

    Raises:
        UsageError: an input is declared nowhere.
        InfrastructureError: its command failed, or printed something else.
    """
    return {name: _prepare(project, name) for name in sorted(set(names))}


def _prepare(project: Project, name: str) -> dict[str, Path]:
    command = project.inputs.get(name)
    if command is None:
        raise UsageError(f"input {name!r} has no command in [tool.pv.inputs] of pyproject.toml")
    done = run_command(command, environment=os.environ, cwd=project.root, timeout_s=_TIMEOUT_S)
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()[-5:]
        raise InfrastructureError(
            f"input {name!r}: `{' '.join(command)}` ended: {describe_exit(done.returncode)}: "
            + "\n".join(last)
        )
    return _read_parts(name, command, done.stdout, project.root)


def _read_parts(
    name: str, command: tuple[str, ...], stdout: str, root: Path
) -> dict[str, Path]:
    try:
        parts: Mapping[str, str] = json.loads(stdout)["parts"]
        paths = {part: (root / path).resolve() for part, path in parts.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InfrastructureError(
            f"input {name!r}: `{' '.join(command)}` should print a JSON object with `parts`, "
            f"a map of names to paths; it printed {stdout[:200]!r}"
        ) from error
    missing = [str(path) for path in paths.values() if not path.exists()]
    if missing or not paths:
        raise InfrastructureError(
            f"input {name!r}: `{' '.join(command)}` names {missing or 'no part'}, "
            "which does not exist"
        )
    return paths
