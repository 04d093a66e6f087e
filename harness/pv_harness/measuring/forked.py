"""Processes that a template forks: the client's end of `measuring.template`.

While planted changes are tried, a check's commands need not each start Python and import what
is slow: the owner of the templates names their folder in the environment, each template
belongs to one set of start-up variables, and a command that differs in any of them gets
another template, or a process of its own. Evidence for a claim itself never comes from forks.
"""

from __future__ import annotations

import json
import os
import resource
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pv_harness.digest import digest_of
from pv_harness.measuring.forked_process import (
    ForkedCommand,
    ForkedProcess,
    Pipes,
    read_answer,
)


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TEMPLATES_VARIABLE = "PV_TEMPLATES"
_OWN_PREFIXES = ("PV_", "PYTEST_")
_PATIENCE_S = 10.0
_POLL_S = 0.02
_LIMITS = (
    resource.RLIMIT_AS,
    resource.RLIMIT_CORE,
    resource.RLIMIT_CPU,
    resource.RLIMIT_DATA,
    resource.RLIMIT_FSIZE,
    resource.RLIMIT_NOFILE,
    resource.RLIMIT_STACK,
)


_TAKEN: dict[str, str] = {}


def take_templates() -> None:
    """Remember the templates and take their variable away: the unplanted run has none."""
    folder = os.environ.pop(TEMPLATES_VARIABLE, None)
    if folder is not None:
        _TAKEN[TEMPLATES_VARIABLE] = folder


def start_command(
    words: Sequence[str], *, cwd: Path | None, environment: Mapping[str, str], stdin: bool
) -> ForkedCommand | None:
    """A fork that runs the command, or None where only a real process will do."""
    folder = os.environ.get(TEMPLATES_VARIABLE) or _TAKEN.get(TEMPLATES_VARIABLE)
    if folder is None:
        return None
    pipes = Pipes(with_stdin=stdin)
    try:
        process = start_forked(
            Path(folder), words, cwd=cwd, environment=environment, streams=pipes.theirs
        )
    finally:
        pipes.close_theirs()
    if process is None:
        pipes.close_ours()
        return None
    return ForkedCommand(process, words, pipes)


def start_forked(
    folder: Path,
    words: Sequence[str],
    *,
    cwd: Path | None,
    environment: Mapping[str, str],
    streams: Sequence[int],
) -> ForkedProcess | None:
    """A process of the template for these variables, or None if there is none or it says no.

    A template that is missing is wished for, so that the owner of the folder may start it.
    """
    program = python_program(words, cwd or Path.cwd())
    if program is None:
        return None
    key = start_up_key(environment)
    connection = _connect(folder, key)
    if connection is None and _wish_for(folder, key, environment):
        connection = _connect(folder, key)
    if connection is None:
        return None
    inherited = _inherited_state()
    request = {
        **program,
        "cwd": str(cwd or Path.cwd()),
        "environment": dict(environment),
        "umask": int(inherited["Umask"], 8),
        "signals": [inherited["SigBlk"], inherited["SigIgn"]],
        "affinity": sorted(os.sched_getaffinity(0)),
        "limits": [[n, list(resource.getrlimit(n))] for n in _LIMITS],
    }
    data = json.dumps(request).encode()
    try:
        socket.send_fds(connection, [len(data).to_bytes(8, "big")], list(streams))
        connection.sendall(data)
        answer = read_answer(connection)
    except OSError:
        answer = {}
    if "pid" not in answer:
        connection.close()
        return None
    return ForkedProcess(connection, words, int(answer["pid"]))


def start_up_key(environment: Mapping[str, str]) -> str:
    """The name of the template that has started with these variables.

    All of them count, since any may be read while Python starts or a module is imported, but
    the path for imports, which each fork sets itself, and those that differ by check.
    """
    return digest_of(sorted(start_up_variables(environment).items()))[:32]


def start_up_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that a template for this environment is started with."""
    return {
        name: value
        for name, value in environment.items()
        if name != "PYTHONPATH" and not name.startswith(_OWN_PREFIXES)
    }


def python_program(words: Sequence[str], cwd: Path) -> dict[str, Any] | None:
    """What this Python would run for these words; None if it is no plain Python program.

    That is a script, `-m module` or `-c code`, or a script whose first line names this Python,
    as those of console scripts do. Options of Python itself take a real process.
    """
    if _is_this_python(words[0]):
        return _interpreted(words[0], list(words[1:]), cwd)
    interpreter = _first_line_of(cwd / words[0])
    if interpreter is None or not _is_this_python(interpreter):
        return None
    return _program("script", interpreter, words[0], list(words))


def _interpreted(executable: str, rest: list[str], cwd: Path) -> dict[str, Any] | None:
    match rest:
        case ["-m" as flag, what, *_]:
            return _program("module", executable, what, [flag, *rest[2:]])
        case ["-c" as flag, what, *_]:
            return _program("code", executable, what, [flag, *rest[2:]])
        case [what, *_] if not what.startswith("-") and (cwd / what).is_file():
            return _program("script", executable, what, rest)
        case _:
            return None


def _program(kind: str, executable: str, what: str, argv: list[str]) -> dict[str, Any]:
    return {"kind": kind, "executable": executable, "what": what, "argv": argv}


def _is_this_python(program: str) -> bool:
    # A virtual environment is told by its folder: the file itself is a link to another place.
    ours, other = Path(sys.executable), Path(program)
    try:
        return other.parent.samefile(ours.parent) and other.samefile(ours)
    except OSError:
        return False


def _first_line_of(script: Path) -> str | None:
    try:
        with script.open("rb") as stream:
            line = stream.readline(256)
    except OSError:
        return None
    if not line.startswith(b"#!"):
        return None
    return os.fsdecode(line[2:].strip())


def _connect(folder: Path, key: str) -> socket.socket | None:
    path = folder / f"{key}.sock"
    if not path.exists():
        return None
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(_PATIENCE_S)
        connection.connect(str(path))
    except OSError:
        connection.close()
        return None
    return connection


def _wish_for(folder: Path, key: str, environment: Mapping[str, str]) -> bool:
    """Ask for a template and wait for it; False if there will be none.

    That is so the first time: variables that differ each time are not worth one.
    """
    ready, gone = folder / f"{key}.sock", folder / f"{key}.gone"
    if ready.exists():
        return False  # it is there, and doesn't answer
    try:
        (folder / f"{key}.seen").touch(exist_ok=False)
    except FileExistsError:
        wish = folder / f"{key}.wish"
        if not wish.exists():
            temporary = folder / f"{key}.{os.getpid()}.tmp"
            temporary.write_text(json.dumps(start_up_variables(environment)))
            temporary.replace(wish)
        # It imports what the command would import: to wait costs no more than to go alone.
        deadline = time.monotonic() + _PATIENCE_S
        while not (ready.exists() or gone.exists() or time.monotonic() > deadline):
            time.sleep(_POLL_S)
        return ready.exists()
    return False


def _inherited_state() -> dict[str, str]:
    """What the system says of this thread; a process that it starts inherits some of it.

    `os.umask` can only be asked by changing it, which other threads would see.
    """
    lines = Path("/proc/thread-self/status").read_text(encoding="ascii", errors="replace")
    pairs = (line.partition(":") for line in lines.splitlines())
    return {name: value.strip() for name, _, value in pairs}
