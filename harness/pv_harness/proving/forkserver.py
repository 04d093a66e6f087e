"""A process that has imported what is slow to import, and forks once per planted change.

Importing torch takes more than a second, a fork takes milliseconds. The server imports the
modules that `[tool.pv] preload` names, and nothing of the project; each fork is a fresh process
as far as the project is concerned. It forks only while it is single-threaded: a fork of a
process whose thread pools have started can deadlock.

Protocol, one JSON object per line: the client sends {"args", "cwd", "environment", "path",
"output"}; the server answers {"pid"} at once and {"returncode"} when that process has ended. If
it can't fork safely, it answers {"refused"}.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

from pv_harness.errors import InfrastructureError
from pv_harness.measuring.command import clean_environment, kill_group


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pv_harness.measuring.child import RunningProcess


class ForkServer:
    """The client's end: starts the server, asks it for processes, one at a time."""

    def __init__(self, preload: Sequence[str], environment: Mapping[str, str]) -> None:
        self._closed = False
        self._current = 0
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "pv_harness.proving.forkserver", *preload],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**clean_environment(), **environment},
            start_new_session=True,
        )

    def start(
        self, args: Sequence[str], cwd: Path, environment: Mapping[str, str], output: IO[bytes]
    ) -> RunningProcess:
        """Run `pytest.main(args)` in a fork, or in a new interpreter if a fork is not safe."""
        if self._closed:
            raise InfrastructureError("proving was stopped")
        request = {
            "args": list(args),
            "cwd": str(cwd),
            "environment": dict(environment),
            "output": f"/proc/{os.getpid()}/fd/{output.fileno()}",
        }
        from pv_harness.measuring.child import start_fresh  # noqa: PLC0415 - the client only

        answer = self._ask(request)
        if "pid" not in answer:
            return start_fresh(args, cwd, environment, output)
        self._current = int(answer["pid"])
        return ForkedProcess(self, self._current)

    def close(self) -> None:
        """End the server, and the process that it runs if there is one."""
        self._closed = True
        if self._current:
            kill_group(self._current)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    def read_answer(self) -> dict[str, Any]:
        """The next line of the server; it is empty if the server has died."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"returncode": -1}
        if "returncode" in answer:
            self._current = 0
        return answer

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            return {"refused": "the server has died"}
        return self.read_answer()


class ForkedProcess:
    """A process of the server, with the part of Popen's face that its watcher needs."""

    def __init__(self, server: ForkServer, pid: int) -> None:
        import threading  # noqa: PLC0415 - the server itself must stay without threads

        self.pid = pid
        self.returncode: int | None = None
        self._ended = threading.Event()
        self._server = server
        self._waiter = threading.Thread(target=self._wait, daemon=True)
        self._waiter.start()

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once there is one.

        Raises:
            subprocess.TimeoutExpired: the process is still running.
        """
        if not self._ended.wait(timeout) or self.returncode is None:
            raise subprocess.TimeoutExpired(["pytest"], timeout or 0.0)
        return self.returncode

    def _wait(self) -> None:
        self.returncode = int(self._server.read_answer()["returncode"])
        self._ended.set()


def serve(preload: Sequence[str]) -> None:
    """Answer requests from standard input until it ends."""
    # A module that prints when it is imported may not write into the protocol.
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    for name in preload:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    # What is imported here is never garbage: no fork need look through it again.
    gc.freeze()
    for line in sys.stdin.buffer:
        if _thread_count() != 1:
            answers.write(b'{"refused": "threads have started"}\n')
            continue
        pid = os.fork()
        if pid == 0:
            _become_pytest(json.loads(line))
        answers.write(json.dumps({"pid": pid}).encode() + b"\n")
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        with contextlib.suppress(BrokenPipeError):  # the client has gone; so do we, next
            answers.write(json.dumps({"returncode": code}).encode() + b"\n")


def _thread_count() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


def _become_pytest(request: Mapping[str, Any]) -> NoReturn:
    code = 70
    try:
        os.setsid()
        output = os.open(request["output"], os.O_WRONLY)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.chdir(request["cwd"])
        os.environ.clear()
        os.environ.update(request["environment"])
        sys.dont_write_bytecode = True
        roots = request["environment"].get("PYTHONPATH", "").split(os.pathsep)
        sys.path[:0] = [request["cwd"], *(r for r in roots if r)]
        for name in [m for m in sys.modules if m.partition(".")[0] == "pv_harness"]:
            del sys.modules[name]
        importlib.invalidate_caches()
        import pytest  # noqa: PLC0415 - preloaded, and the client need not have it

        code = int(pytest.main(list(request["args"])))
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    serve(sys.argv[1:])
