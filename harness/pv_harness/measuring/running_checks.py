"""What a check leaves while it runs: that it has started, and what it has measured so far."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from typing import TYPE_CHECKING, Any

from pv_harness.evidence.measurements import measurement_from_json, measurement_to_json
from pv_harness.measuring.record import (
    MAX_SIZE_BYTES,
    NOT_OURS,
    CheckRecord,
    Outcome,
    node_key,
    written_by_others,
)
from pv_harness.regular_file import read_growing


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pv_harness.judging.measurement import Measurement


class StartMark:
    """The mark that one check has started; it is locked for as long as the check runs.

    The system lets go of the lock when the process ends, however it ends: so a check that
    takes its time is told from one whose process is gone.
    """

    def __init__(self, record_dir: Path, node: str) -> None:
        target = record_dir / f"start-{node_key(node)}.json"
        temporary = target.with_suffix(f".{os.getpid()}.tmp")
        self._descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        os.write(self._descriptor, node.encode("utf-8", "surrogateescape"))
        temporary.replace(target)

    def release(self) -> None:
        """Say that the check no longer runs."""
        os.close(self._descriptor)


def read_starts(record_dir: Path) -> dict[str, Path]:
    """Node ID -> the mark of every check that has started."""
    return {read_node(mark): mark for mark in record_dir.glob("start-*.json")}


def read_node(mark: Path) -> str:
    """The node ID of the check whose mark this is."""
    return mark.read_text(encoding="utf-8", errors="surrogateescape")


def still_runs(mark: Path) -> bool:
    """True while a process that started this check is there and has not ended it."""
    with contextlib.suppress(FileNotFoundError), mark.open("rb") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


class Shown:
    """What a check has measured so far, for whoever waits for a certain measurement.

    Written in every run alike: a check can't tell from it whether anybody waits.
    """

    def __init__(self, record_dir: Path, node: str, falsifier_id: str) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        self._descriptor = os.open(_shown_path(record_dir, node), flags, 0o600)
        self._write({"node": node, "falsifier_id": falsifier_id})

    def add(self, measurement: Measurement) -> None:
        """Show one more."""
        self._write(measurement_to_json(measurement))

    def close(self) -> None:
        """Nothing more will be shown: the record of the check says it all."""
        os.close(self._descriptor)

    def _write(self, line: dict[str, Any]) -> None:
        os.write(self._descriptor, json.dumps(line).encode() + b"\n")


def read_shown(record_dir: Path, node: str) -> CheckRecord | None:
    """What a check that has not ended has measured so far, as the record of a red one.

    None if it has measured nothing yet.

    Raises:
        InfrastructureError: what lies there is something else.
    """
    file = _shown_path(record_dir, node)
    try:
        head, *lines = read_growing(file, MAX_SIZE_BYTES).split(b"\n")
        # The last is empty, or still being written.
        found = tuple(measurement_from_json(json.loads(line)) for line in lines[:-1])
        falsifier_id = json.loads(head)["falsifier_id"] if lines else ""
    except FileNotFoundError:
        return None
    except NOT_OURS as error:
        raise written_by_others(file, "a list of measurements") from error
    return CheckRecord(node, falsifier_id, Outcome.FAILED, found) if found else None


def group_path(record_dir: Path, group: int) -> Path:
    """Where the mark lies that a check's command runs, in a process group of its own."""
    return record_dir / f"group-{group}"


def read_groups(record_dir: Path) -> Iterator[int]:
    """The process groups of commands that have not ended."""
    for mark in record_dir.glob("group-*"):
        number = mark.name.removeprefix("group-")
        if number.isascii() and number.isdecimal():
            yield int(number)


def _shown_path(record_dir: Path, node: str) -> Path:
    return record_dir / f"shown-{node_key(node)}.jsonl"
