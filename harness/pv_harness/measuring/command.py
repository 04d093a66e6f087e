"""Running a command under the recorder, so that what its processes reach counts."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pv_harness.errors import InfrastructureError
from pv_harness.measuring.forked import start_command


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pv_harness.measuring.forked_process import ForkedCommand

_REAP_S = 2.0


class CommandTimeoutError(InfrastructureError):
    """A command did not end within its time, and was killed."""


@dataclass(frozen=True, slots=True)
class CompletedCommand:
    """A command that has ended: its exit code and everything that it printed."""

    args: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str
    wall_s: float


def find_program(name: str) -> str:
    """The program to run: beside this Python if it is there, else from PATH.

    `python` is this Python.

    Raises:
        InfrastructureError: there is no such program.
    """
    if name == "python":
        return sys.executable
    if os.sep in name:
        return name
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.is_file() else shutil.which(name)
    if found is None:
        raise InfrastructureError(
            f"{name}: no such program beside {sys.executable} or on PATH; install it there"
        )
    return found


def run_command(
    args: Sequence[str],
    *,
    environment: Mapping[str, str],
    cwd: Path | None = None,
    stdin: str | None = None,
    timeout_s: float,
    on_start: Callable[[int], None] = lambda _: None,
) -> CompletedCommand:
    """Run a command in a process group of its own and wait for it.

    `on_start` is told the group's number, for whoever may have to end it from outside.

    Raises:
        InfrastructureError: the program is missing.
        CommandTimeoutError: it did not end within `timeout_s`; its whole process group is
            killed then.
    """
    words = (find_program(args[0]), *args[1:])
    started = time.monotonic()
    process = start_command(
        words, cwd=cwd, environment=environment, stdin=stdin is not None
    ) or _start_process(words, cwd, environment, stdin)
    try:
        on_start(process.pid)
        stdout, stderr = process.communicate(stdin, timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        _kill_and_reap(process)
        raise CommandTimeoutError(
            f"{' '.join(args)}: did not end within {timeout_s:g} s and was killed"
        ) from error
    except BaseException:
        _kill_and_reap(process)
        raise
    code = process.returncode
    assert code is not None, "communicate() waits for the end"
    return CompletedCommand(tuple(args), code, stdout, stderr, time.monotonic() - started)


def _start_process(
    words: Sequence[str], cwd: Path | None, environment: Mapping[str, str], stdin: str | None
) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - the command is the check's own
        words,
        cwd=cwd,
        env=dict(environment),
        stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )


def clean_environment() -> dict[str, str]:
    """The variables of this process, without those that change what a check does.

    Options for pytest could leave checks out, and an optimised Python drops their assertions.
    Where pv itself was started by a worker of pytest-xdist, its own pytest is no such worker.
    """
    dropped = {"PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTHONOPTIMIZE"}
    return {
        name: value
        for name, value in os.environ.items()
        if name not in dropped and not name.startswith("PYTEST_XDIST_")
    }


def _kill_and_reap(process: subprocess.Popen[str] | ForkedCommand) -> None:
    kill_group(process.pid)
    # A daemon of another group may hold the pipes: what it still says is not waited for.
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=_REAP_S)


def kill_group(group: int) -> None:
    """Kill a process group, if it still exists."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
