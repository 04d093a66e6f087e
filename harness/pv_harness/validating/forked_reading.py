"""Many plain files read by two processes: above some hundred, the second pays for its start.

The child is a fork that reads its share and writes what it found through a pipe; it runs
nothing but the reader and never returns from here. A child that ends in any other way has read
nothing: its share is then read by us, so that a crash costs time and no file.
"""

from __future__ import annotations

import marshal
import os
from typing import TYPE_CHECKING, NoReturn

from pv_harness.validating.plain_files import PlainFile, read_plain_files


if TYPE_CHECKING:
    from collections.abc import Sequence

    from pv_harness.contracts.file_search import FoundFile
    from pv_harness.validating.plain_files import PlainReading
    from pv_harness.validating.rules.world import World

WORTH_A_PROCESS = 150
"""Files; a fork, its memory and its answer cost as much as reading about a hundred."""


def read_by(processes: int, least: int = WORTH_A_PROCESS) -> PlainReading:
    """A reader that shares the work between so many processes where there are `least` files."""

    def read(files: Sequence[FoundFile], world: World) -> dict[str, PlainFile]:
        if processes < 2 or len(files) < least or not hasattr(os, "fork"):
            return read_plain_files(files, world)
        return _read_shared(files, world, processes)

    return read


def _read_shared(
    files: Sequence[FoundFile], world: World, processes: int
) -> dict[str, PlainFile]:
    # Neighbours tend to be alike: dealt out in turn, all shares cost the same.
    shares = [files[number::processes] for number in range(processes)]
    children = [_start(share, world) for share in shares[1:]]
    found = read_plain_files(shares[0], world)
    for share, child in zip(shares[1:], children, strict=True):
        answer = None if child is None else _finish(*child)
        found |= read_plain_files(share, world) if answer is None else answer
    return found


def _start(share: Sequence[FoundFile], world: World) -> tuple[int, int] | None:
    """The process that reads a share, and the pipe that its answer comes through."""
    try:
        answers, answering = os.pipe()
    except OSError:
        return None
    try:
        process = os.fork()
    except OSError:
        os.close(answers)
        os.close(answering)
        return None
    if not process:
        _answer(share, world, answering)
    os.close(answering)
    return process, answers


def _answer(share: Sequence[FoundFile], world: World, answering: int) -> NoReturn:
    code = 1
    try:
        found = read_plain_files(share, world)
        # A third of what pickle takes for the same, most of it in the parent, which is alone.
        data = marshal.dumps({real: file.as_row() for real, file in found.items()})
        with os.fdopen(answering, "wb") as stream:
            stream.write(data)
        code = 0
    finally:
        # Neither our caller's handlers nor its buffers are this process's to run or to flush.
        os._exit(code)


def _finish(process: int, answers: int) -> dict[str, PlainFile] | None:
    """What the process found; None where it did not come to an end by itself."""
    try:
        with os.fdopen(answers, "rb") as stream:
            data = stream.read()
    finally:
        _, status = os.waitpid(process, 0)
    if status:
        return None
    rows = marshal.loads(data)  # noqa: S302 - our own child wrote it
    return {real: PlainFile.from_row(row) for real, row in rows.items()}
