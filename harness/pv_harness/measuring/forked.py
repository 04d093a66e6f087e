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
import selectors
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pv_harness.digest import digest_of
from pv_harness.errors import InfrastructureError


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TEMPLATES_VARIABLE = "PV_TEMPLATES"
_OWN_PREFIXES = ("PV_", "PYTEST_")
_PATIENCE_S = 10.0
_LIMITS = (
    resource.RLIMIT_AS,
    resource.RLIMIT_CORE,
    resource.RLIMIT_CPU,
    resource.RLIMIT_DATA,
    resource.RLIMIT_FSIZE,
    resource.RLIMIT_NOFILE,
    resource.RLIMIT_STACK,
)


class ForkedProcess:
    """A process of a template, with the part of Popen's face that its starters use."""

    def __init__(self, connection: socket.socket, args: Sequence[str], pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._args = list(args)
        self._connection = connection
        self.lost = False

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once there is one.

        Raises:
            subprocess.TimeoutExpired: the process is still running.
        """
        if self.returncode is None:
            self._connection.settimeout(timeout)
            try:
                answer = _read_answer(self._connection)
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired(self._args, timeout or 0.0) from None
            self._connection.close()
            # Without an answer the template has died, and nobody knows how the process ended.
            self.lost = "returncode" not in answer
            self.returncode = int(answer.get("returncode", -9))
        return self.returncode


class ForkedCommand:
    """A forked process whose standard streams are pipes."""

    def __init__(self, process: ForkedProcess, args: Sequence[str], pipes: _Pipes) -> None:
        self._process = process
        self._args = list(args)
        self._pipes = pipes
        self._output: dict[int, bytearray] = {
            pipes.stdout: bytearray(),
            pipes.stderr: bytearray(),
        }

    @property
    def pid(self) -> int:
        """The process, and the group that it leads."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, once `communicate` has seen it."""
        return self._process.returncode

    def communicate(
        self, stdin: str | None = None, timeout: float | None = None
    ) -> tuple[str, str]:
        """Everything that the process says on both streams until it has ended.

        Raises:
            subprocess.TimeoutExpired: it has not ended; what it said is kept for the next call.
            InfrastructureError: its template has died.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        self._exchange(stdin, deadline, timeout)
        left = None if deadline is None else max(0.001, deadline - time.monotonic())
        self._process.wait(left)
        if self._process.lost:
            raise InfrastructureError(f"{self._args[0]}: the template that forked it has died")
        stdout, stderr = (
            bytes(self._output[s]) for s in (self._pipes.stdout, self._pipes.stderr)
        )
        return _as_text(stdout), _as_text(stderr)

    def _exchange(
        self, stdin: str | None, deadline: float | None, timeout: float | None
    ) -> None:
        waiting = memoryview((stdin or "").encode())
        with selectors.DefaultSelector() as selector:
            for stream in self._pipes.readable:
                selector.register(stream, selectors.EVENT_READ)
            if self._pipes.stdin is not None:
                os.set_blocking(self._pipes.stdin, False)
                selector.register(self._pipes.stdin, selectors.EVENT_WRITE)
            while selector.get_map():
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise subprocess.TimeoutExpired(self._args, timeout or 0.0)
                for key, _events in selector.select(left):
                    if key.fd == self._pipes.stdin:
                        waiting = self._write(waiting)
                        if not waiting:
                            selector.unregister(key.fd)
                            self._pipes.close_stdin()
                    else:
                        part = os.read(key.fd, 1 << 16)
                        self._output[key.fd] += part
                        if not part:
                            selector.unregister(key.fd)
                            self._pipes.close(key.fd)

    def _write(self, waiting: memoryview) -> memoryview:
        assert self._pipes.stdin is not None
        try:
            return waiting[os.write(self._pipes.stdin, waiting) :]
        except BrokenPipeError:  # it reads no further: that is its own affair
            return waiting[:0]


class _Pipes:
    """Our ends of a command's streams; `theirs` are for the template."""

    def __init__(self, *, with_stdin: bool) -> None:
        self.stdin: int | None = None
        if with_stdin:
            reading, self.stdin = os.pipe()
        else:
            reading = os.open(os.devnull, os.O_RDONLY)
        self.stdout, their_out = os.pipe()
        self.stderr, their_err = os.pipe()
        self.theirs = [reading, their_out, their_err]
        self.readable = {self.stdout, self.stderr}

    def close(self, stream: int) -> None:
        os.close(stream)
        self.readable.discard(stream)

    def close_stdin(self) -> None:
        if self.stdin is not None:
            os.close(self.stdin)
            self.stdin = None

    def close_theirs(self) -> None:
        for stream in self.theirs:
            os.close(stream)

    def close_ours(self) -> None:
        for stream in tuple(self.readable):
            self.close(stream)
        self.close_stdin()


def start_command(
    words: Sequence[str], *, cwd: Path | None, environment: Mapping[str, str], stdin: bool
) -> ForkedCommand | None:
    """A fork that runs the command, or None where only a real process will do."""
    folder = os.environ.get(TEMPLATES_VARIABLE)
    if folder is None:
        return None
    pipes = _Pipes(with_stdin=stdin)
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
    connection = _connect(folder / f"{key}.sock")
    if connection is None:
        _wish_for(folder, key, environment)
        return None
    request = {
        **program,
        "cwd": str(cwd or Path.cwd()),
        "environment": dict(environment),
        "umask": _umask(),
        "affinity": sorted(os.sched_getaffinity(0)),
        "limits": [[n, list(resource.getrlimit(n))] for n in _LIMITS],
    }
    data = json.dumps(request).encode()
    try:
        socket.send_fds(connection, [len(data).to_bytes(8, "big")], list(streams))
        connection.sendall(data)
        answer = _read_answer(connection)
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


def _connect(path: Path) -> socket.socket | None:
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


def _wish_for(folder: Path, key: str, environment: Mapping[str, str]) -> None:
    """Ask for a template, from the second time on: variables that differ each time get none."""
    seen = folder / f"{key}.seen"
    try:
        seen.touch(exist_ok=False)
    except OSError:
        wish = folder / f"{key}.wish"
        temporary = folder / f"{key}.{os.getpid()}.tmp"
        try:
            if not wish.exists():
                temporary.write_text(json.dumps(start_up_variables(environment)))
                temporary.replace(wish)
        except OSError as error:
            raise InfrastructureError(f"{wish}: can't be written: {error}") from error


def _read_answer(connection: socket.socket) -> dict[str, Any]:
    """The next line of the template; empty if it has died."""
    line = b""
    while not line.endswith(b"\n"):
        # Byte by byte: what follows belongs to the next answer.
        part = connection.recv(1)
        if not part:
            return {}
        line += part
    answer: dict[str, Any] = json.loads(line)
    return answer


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _as_text(data: bytes) -> str:
    text = data.decode("utf-8", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")
