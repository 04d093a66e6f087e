"""A process that a template has forked, with the part of Popen's face that its users need."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import time
from typing import TYPE_CHECKING, Any

from pv_harness.errors import InfrastructureError


if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence


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
                answer = read_answer(self._connection)
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired(self._args, timeout or 0.0) from None
            self._connection.close()
            # Without an answer the template has died, and nobody knows how the process ended.
            self.lost = "returncode" not in answer
            self.returncode = int(answer.get("returncode", -9))
        return self.returncode


class ForkedCommand:
    """A forked process whose standard streams are pipes."""

    def __init__(self, process: ForkedProcess, args: Sequence[str], pipes: Pipes) -> None:
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


class Pipes:
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
        """Close one of our reading ends."""
        os.close(stream)
        self.readable.discard(stream)

    def close_stdin(self) -> None:
        """Tell the process that nothing more comes."""
        if self.stdin is not None:
            os.close(self.stdin)
            self.stdin = None

    def close_theirs(self) -> None:
        """Close the ends that the template has by now."""
        for stream in self.theirs:
            os.close(stream)

    def close_ours(self) -> None:
        """Close what is left of our ends."""
        for stream in tuple(self.readable):
            self.close(stream)
        self.close_stdin()


def read_answer(connection: socket.socket) -> dict[str, Any]:
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


def _as_text(data: bytes) -> str:
    text = data.decode("utf-8", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")
