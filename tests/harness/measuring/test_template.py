"""A template serves forks, refuses what it does not understand, and ends with its owner."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pv_harness.measuring import template
from pv_harness.measuring.forked import start_forked, start_up_key, start_up_variables


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

WAIT = "import sys; print('up', flush=True); sys.stdin.read()"


class Serving:
    """A template of its own process, with this test as its owner."""

    def __init__(self, folder: Path, environment: Mapping[str, str], *preload: str) -> None:
        self.folder = folder
        self.environment = dict(environment)
        self.socket = folder / f"{start_up_key(environment)}.sock"
        lifeline, self.our_end = os.pipe()
        words = [sys.executable, template.__file__, str(self.socket), str(lifeline), *preload]
        self.process = subprocess.Popen(
            words,
            env=start_up_variables(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[lifeline],
            start_new_session=True,
        )
        os.close(lifeline)
        deadline = time.monotonic() + 30
        while not self.socket.exists() and time.monotonic() < deadline:
            os.sched_yield()

    def let_go(self) -> None:
        if self.our_end >= 0:
            os.close(self.our_end)
        self.our_end = -1

    def run(self, code: str) -> tuple[int, str]:
        """Exit code and output of a fork."""
        reading, writing = os.pipe()
        with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - a device
            streams = [nothing.fileno(), writing, writing]
            process = start_forked(
                self.folder,
                (sys.executable, "-c", code),
                cwd=self.folder,
                environment=self.environment,
                streams=streams,
            )
        os.close(writing)
        assert process is not None
        with os.fdopen(reading) as stream:
            said = stream.read()
        return process.wait(20), said

    def ask(self, data: bytes, streams: int = 3) -> dict[str, Any]:
        """The answer to a request that is sent as it is."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.socket))
            connection.settimeout(20)
            header = len(data).to_bytes(8, "big")
            if streams:
                socket.send_fds(connection, [header], [1] * streams)
            else:
                connection.sendall(header)
            connection.sendall(data)
            with connection.makefile() as stream:
                answer: dict[str, Any] = json.loads(stream.readline())
            return answer


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder with a short path, since the name of a socket has at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="pv-") as folder:
        yield Path(folder).resolve()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Serving]]:
    """Start templates that end with the test."""
    started = []

    def begin(*preload: str, **variables: str) -> Serving:
        serving = Serving(tmp_path, {**os.environ, **variables}, *preload)
        started.append(serving)
        return serving

    yield begin
    for serving in started:
        serving.let_go()
        serving.process.communicate(timeout=20)


def test_what_is_preloaded_is_there_and_nothing_else(start: Callable[..., Serving]) -> None:
    serving = start("fractions", "no_such_module")
    code = "import sys; print('fractions' in sys.modules, 'pv_harness' in sys.modules)"
    assert serving.run(code) == (0, "True False\n")


def test_what_modules_say_when_they_are_imported_is_nobodys_output(
    start: Callable[..., Serving], tmp_path: Path
) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/loud.py").write_text("print('loud'); raise SystemError('no')\n")
    serving = start("loud")
    assert serving.run("print('mine')") == (0, "mine\n")


def test_forks_draw_random_numbers_of_their_own(start: Callable[..., Serving]) -> None:
    serving = start("random")
    code = "import random, uuid; print(random.random(), uuid.uuid4())"
    assert serving.run(code) != serving.run(code)


@pytest.mark.parametrize(
    "data", [b"", b"not json", b"[]", b"{}", b'{"kind": "module"}', b"\xff", b"[" * 100_000]
)
def test_a_request_that_is_not_understood_is_refused_and_the_next_one_served(
    start: Callable[..., Serving], data: bytes
) -> None:
    serving = start()
    assert "refused" in serving.ask(data)
    assert serving.run("print('on')") == (0, "on\n")


def test_a_client_without_streams_is_refused(start: Callable[..., Serving]) -> None:
    serving = start()
    assert "refused" in serving.ask(b"{}", streams=0)
    assert serving.run("print('on')") == (0, "on\n")


def test_threads_keep_a_template_from_forking() -> None:
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    try:
        assert template._why_not({}) == "threads have started"
    finally:
        end.set()
        thread.join()


def is_alive(pid: int) -> bool:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    ended = select.select([descriptor], [], [], 20.0)[0]
    os.close(descriptor)
    return not ended


def start_waiting(serving: Serving) -> tuple[Any, int]:
    """A fork that waits for the end of its input, and our end of that."""
    reading, our_end = os.pipe()
    output, writing = os.pipe()
    process = start_forked(
        serving.folder,
        (sys.executable, "-c", WAIT),
        cwd=serving.folder,
        environment=serving.environment,
        streams=[reading, writing, writing],
    )
    assert process is not None
    os.close(reading)
    os.close(writing)
    with os.fdopen(output) as said:
        assert said.readline() == "up\n"
    return process, our_end


def test_forks_end_with_the_owner_of_their_template(start: Callable[..., Serving]) -> None:
    serving = start()
    process, our_end = start_waiting(serving)
    serving.let_go()
    assert serving.process.wait(20) == 0
    assert not is_alive(process.pid)
    os.close(our_end)
    assert process.wait(20) != 0
    assert process.lost


def test_a_fork_ends_when_its_client_hangs_up(start: Callable[..., Serving]) -> None:
    serving = start()
    process, our_end = start_waiting(serving)
    process._connection.close()
    assert not is_alive(process.pid)
    os.close(our_end)
    assert serving.run("print('on')") == (0, "on\n")


def test_a_fork_that_is_killed_says_by_what(start: Callable[..., Serving]) -> None:
    serving = start()
    process, our_end = start_waiting(serving)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait(20) == -signal.SIGKILL
    assert not process.lost
    os.close(our_end)
