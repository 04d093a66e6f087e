"""The face of a forked process: what its starter sees, while it runs and when it is lost."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

from pv_harness.errors import InfrastructureError
from pv_harness.measuring.forked_process import (
    ForkedCommand,
    ForkedProcess,
    Pipes,
    read_answer,
)


if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The client's end of a connection, and the template's."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


Ends = tuple[socket.socket, socket.socket]


def test_an_exit_code_is_known_once_it_is_told(ends: Ends) -> None:
    ours, theirs = ends
    process = ForkedProcess(ours, ["tool"], 7)
    with pytest.raises(subprocess.TimeoutExpired, match="tool"):
        process.wait(0.01)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0)
    theirs.sendall(b'{"returncode": 3}\n')
    assert process.wait() == 3
    assert (process.wait(), process.returncode, process.lost) == (3, 3, False)


@pytest.mark.parametrize("said", [b"", b'{"retur', b"{}\n"])
def test_a_template_that_dies_leaves_no_good_exit_code(ends: Ends, said: bytes) -> None:
    ours, theirs = ends
    theirs.sendall(said)
    theirs.close()
    process = ForkedProcess(ours, ["tool"], 7)
    assert process.wait() != 0
    assert process.lost


@given(st.lists(st.dictionaries(st.text(), st.integers() | st.text()), min_size=1, max_size=4))
def test_answers_are_read_one_by_one(answers: list[dict[str, int | str]]) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"".join(json.dumps(a).encode() + b"\n" for a in answers))
        theirs.close()
        assert [read_answer(ours) for _ in answers] == answers
        assert read_answer(ours) == {}


def open_descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


@pytest.mark.parametrize("with_stdin", [True, False])
def test_pipes_leave_nothing_open(*, with_stdin: bool) -> None:
    before = open_descriptors()
    pipes = Pipes(with_stdin=with_stdin)
    pipes.close_theirs()
    pipes.close_ours()
    assert open_descriptors() == before


def play(pipes: Pipes, script: list[tuple[int, bytes]]) -> None:
    """Write to a command's streams as its process would, and end."""
    for number, data in script:
        os.write(pipes.theirs[number], data)
    pipes.close_theirs()


def test_both_streams_are_read_to_their_ends(ends: Ends) -> None:
    ours, theirs = ends
    before = open_descriptors()
    pipes = Pipes(with_stdin=False)
    command = ForkedCommand(ForkedProcess(ours, ["tool"], 7), ["tool"], pipes)
    play(pipes, [(1, b"out\r\n"), (2, b"err \xff"), (1, b"more\r")])
    theirs.sendall(b'{"returncode": 0}\n')
    assert command.communicate(timeout=20) == ("out\nmore\n", "err \N{REPLACEMENT CHARACTER}")
    assert (command.returncode, command.pid) == (0, 7)
    assert open_descriptors() <= before


def test_what_was_said_before_a_timeout_is_kept_for_the_next_call(ends: Ends) -> None:
    ours, theirs = ends
    pipes = Pipes(with_stdin=False)
    command = ForkedCommand(ForkedProcess(ours, ["tool"], 7), ["tool"], pipes)
    os.write(pipes.theirs[1], b"early ")
    with pytest.raises(subprocess.TimeoutExpired, match="tool"):
        command.communicate(timeout=0.05)
    play(pipes, [(1, b"late")])
    with pytest.raises(subprocess.TimeoutExpired):
        command.communicate(timeout=0.05)  # it has closed its streams, and not ended
    theirs.sendall(b'{"returncode": 1}\n')
    assert command.communicate(timeout=20) == ("early late", "")


def test_input_goes_in_while_output_comes_out(ends: Ends) -> None:
    ours, theirs = ends
    pipes = Pipes(with_stdin=True)
    command = ForkedCommand(ForkedProcess(ours, ["cat"], 7), ["cat"], pipes)

    def echo() -> None:
        while data := os.read(pipes.theirs[0], 1 << 14):
            os.write(pipes.theirs[1], data)
        pipes.close_theirs()
        theirs.sendall(b'{"returncode": 0}\n')

    thread = threading.Thread(target=echo)
    thread.start()
    text = "ä" * 300_000  # more than a pipe takes
    assert command.communicate(text, timeout=20) == (text, "")
    thread.join()


def test_input_that_nobody_reads_is_no_error(ends: Ends) -> None:
    ours, theirs = ends
    pipes = Pipes(with_stdin=True)
    command = ForkedCommand(ForkedProcess(ours, ["true"], 7), ["true"], pipes)
    play(pipes, [])
    theirs.sendall(b'{"returncode": 0}\n')
    assert command.communicate("unread" * 50_000, timeout=20) == ("", "")


def test_a_command_whose_template_died_says_so(ends: Ends) -> None:
    ours, theirs = ends
    pipes = Pipes(with_stdin=False)
    command = ForkedCommand(ForkedProcess(ours, ["tool"], 7), ["tool"], pipes)
    play(pipes, [(1, b"half a")])
    theirs.close()
    with pytest.raises(InfrastructureError, match="tool: the template that forked it has died"):
        command.communicate(timeout=20)
