"""What one check did, as the plugin writes it and the runner reads it back."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from pv_harness.digest import digest_bytes
from pv_harness.errors import InfrastructureError
from pv_harness.evidence.measurements import (
    measurement_from_json,
    measurement_to_json,
    series_from_json,
    series_to_json,
)
from pv_harness.regular_file import read_growing, read_regular, reason
from pv_harness.wording import printable


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pv_harness.evidence.records import Series
    from pv_harness.judging.measurement import Measurement

_MAX_SIZE_BYTES = 256 << 20
_NOT_OURS = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)


class Outcome(Enum):
    """How one check ended. Only PASSED is ever evidence for a claim."""

    PASSED = "passed"
    FAILED = "failed"
    """Refuted: a bound was broken or an assertion of the check failed."""
    ERROR = "error"
    """The check itself broke; nothing is known about the claim."""
    SKIPPED = "skipped"
    BLOCKED = "blocked"
    """A device that the claim needs is absent."""


@dataclass(frozen=True, slots=True)
class CheckRecord:
    """The record of one check (one parameter set of it).

    Attributes:
        node: the pytest node ID.
        function: the node ID without parameters, which the plan was made of.
        broken: metrics whose bounds were broken.
        reason: for anything but PASSED: what was seen, in one or a few lines.
        timed_out: the check broke because a command that it had started took too long.
        series: the curves that it recorded.
        opened: files below the root that it, or a process that it started, opened for reading.
        inputs: the declared inputs that it, or a fixture that it uses, asked for.
        opened_by_modules: pairs of a module's file and a file that it opened when it was
            imported, by this check or by one before it in the same process.
        reached: entry points entered in processes that the check started.
        reached_in_process: entry points entered in the check's own process.
        modules: files of project modules that were imported, here or in a started process.
        cuda_peak_bytes: the most device memory that torch held in any of these processes.
    """

    node: str
    falsifier_id: str
    outcome: Outcome
    measurements: tuple[Measurement, ...] = ()
    broken: tuple[str, ...] = ()
    reason: str = ""
    timed_out: bool = False
    series: tuple[Series, ...] = ()
    reached: tuple[str, ...] = ()
    reached_in_process: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    opened: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    opened_by_modules: tuple[tuple[str, str], ...] = ()
    cuda_peak_bytes: int = 0
    duration_s: float = 0.0

    @property
    def function(self) -> str:
        """The node ID without parameters."""
        return self.node.partition("[")[0]


@dataclass(frozen=True, slots=True)
class ChildFacts:
    """What the processes started by one check recorded, united.

    Attributes:
        damage: why some of it can't be read, or empty.
        lost: what one of them did as if it were the check itself, and counts for nothing.
    """

    reached: tuple[str, ...]
    modules: tuple[str, ...]
    opened: tuple[str, ...]
    cuda_peak_bytes: int
    damage: str = ""
    lost: str = ""


def node_key(node: str) -> str:
    """A node ID, of whatever length and characters, as file names spell it."""
    return digest_bytes(node.encode("utf-8", "surrogateescape"))[:32]


def record_path(record_dir: Path, node: str) -> Path:
    """Where the record of one check goes."""
    return record_dir / f"check-{node_key(node)}.json"


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
        head, *lines = read_growing(file, _MAX_SIZE_BYTES).split(b"\n")
        # The last is empty, or still being written.
        found = tuple(measurement_from_json(json.loads(line)) for line in lines[:-1])
        falsifier_id = json.loads(head)["falsifier_id"] if lines else ""
    except FileNotFoundError:
        return None
    except _NOT_OURS as error:
        raise _written_by_others(file, "a list of measurements") from error
    return CheckRecord(node, falsifier_id, Outcome.FAILED, found) if found else None


def _shown_path(record_dir: Path, node: str) -> Path:
    return record_dir / f"shown-{node_key(node)}.jsonl"


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


def write_collected(record_dir: Path, nodes: Sequence[str]) -> None:
    """Note the checks that this process has collected, before any is left out."""
    name = digest_bytes("\0".join(nodes).encode())[:32]
    target = record_dir / f"collected-{name}.json"
    temporary = target.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(json.dumps(list(nodes)), encoding="utf-8")
    temporary.replace(target)


def read_collected(record_dir: Path) -> frozenset[str]:
    """Every node ID that any process has collected, with its parameters.

    Raises:
        InfrastructureError: a file is no list of them: what the checks ran wrote there.
    """
    return frozenset(n for f in record_dir.glob("collected-*.json") for n in _read_nodes(f))


def _read_nodes(file: Path) -> list[str]:
    try:
        nodes = json.loads(read_regular(file, _MAX_SIZE_BYTES))
    except _NOT_OURS as error:
        raise _written_by_others(file, "a list of checks") from error
    if not isinstance(nodes, list) or not all(isinstance(node, str) for node in nodes):
        raise _written_by_others(file, "a list of checks")
    return nodes


def _written_by_others(file: Path, wanted: str) -> InfrastructureError:
    return InfrastructureError(
        f"{printable(file.name)}: is not {wanted}; something that the checks ran has written "
        "into the folder of records that PV_PLAN names, so that none of them can be believed"
    )


def never_started(record_dir: Path, node: str) -> InfrastructureError:
    """The error for a record of a check that no process has begun to run."""
    wanted = f"the record of a check that has started ({printable(node)})"
    return _written_by_others(record_path(record_dir, node), wanted)


def group_path(record_dir: Path, group: int) -> Path:
    """Where the mark lies that a check's command runs, in a process group of its own."""
    return record_dir / f"group-{group}"


def read_groups(record_dir: Path) -> Iterator[int]:
    """The process groups of commands that have not ended."""
    for mark in record_dir.glob("group-*"):
        number = mark.name.removeprefix("group-")
        if number.isascii() and number.isdecimal():
            yield int(number)


def write_record(record_dir: Path, record: CheckRecord) -> None:
    """Store a record so that a reader sees all of it or nothing."""
    data = {
        "node": record.node,
        "falsifier_id": record.falsifier_id,
        "outcome": record.outcome.value,
        "measurements": [measurement_to_json(m) for m in record.measurements],
        "broken": list(record.broken),
        "reason": record.reason,
        "timed_out": record.timed_out,
        "series": [series_to_json(s) for s in record.series],
        "reached": list(record.reached),
        "reached_in_process": list(record.reached_in_process),
        "modules": list(record.modules),
        "opened": list(record.opened),
        "inputs": list(record.inputs),
        "opened_by_modules": [list(pair) for pair in record.opened_by_modules],
        "cuda_peak_bytes": record.cuda_peak_bytes,
        "duration_s": record.duration_s,
    }
    target = record_path(record_dir, record.node)
    temporary = target.with_suffix(".tmp")
    temporary.write_text(json.dumps(data), encoding="utf-8")
    temporary.replace(target)


def read_record(file: Path) -> CheckRecord:
    """One record that a check left.

    Raises:
        InfrastructureError: the file is none: what the checks ran wrote into our folder.
    """
    try:
        record = _read_record(file)
    except _NOT_OURS as error:
        raise _written_by_others(file, "a record of a check") from error
    if record_path(file.parent, record.node) != file:
        raise _written_by_others(file, "the record of the check that it is called after")
    return record


def _read_record(file: Path) -> CheckRecord:
    data = json.loads(read_regular(file, _MAX_SIZE_BYTES))
    return CheckRecord(
        node=data["node"],
        falsifier_id=data["falsifier_id"],
        outcome=Outcome(data["outcome"]),
        measurements=tuple(measurement_from_json(m) for m in data["measurements"]),
        broken=tuple(data["broken"]),
        reason=data["reason"],
        timed_out=data["timed_out"],
        series=tuple(series_from_json(s) for s in data["series"]),
        reached=tuple(data["reached"]),
        reached_in_process=tuple(data["reached_in_process"]),
        modules=tuple(data["modules"]),
        opened=tuple(data["opened"]),
        inputs=tuple(data["inputs"]),
        opened_by_modules=tuple((module, file) for module, file in data["opened_by_modules"]),
        cuda_peak_bytes=data["cuda_peak_bytes"],
        duration_s=data["duration_s"],
    )


def read_records(record_dir: Path) -> Iterator[CheckRecord]:
    """Every record that is complete, in no particular order."""
    yield from map(read_record, record_dir.glob("check-*.json"))


def read_children(record_dir: Path, node: str) -> ChildFacts:
    """What the processes that a check started have recorded so far.

    They could write anything: a line that is no note of the recorder is damage.
    """
    reached: set[str] = set()
    modules: set[str] = set()
    opened: set[str] = set()
    peak, damage, lost = 0, "", ""
    for file in sorted(record_dir.glob(f"child-{node_key(node)}-*.jsonl")):
        try:
            lines = read_growing(file, _MAX_SIZE_BYTES).splitlines(keepends=True)
        except OSError as error:
            damage = damage or f"{printable(file.name)}: {reason(error)}"
            continue
        for number, line in enumerate(lines, 1):
            try:
                note = _read_note(line)
            except (ValueError, TypeError, RecursionError) as error:
                damage = damage or f"line {number} of {printable(file.name)}: {error}"
                continue
            lost = lost or note.lost
            reached.update(note.reached)
            modules.update(note.modules)
            opened.update(note.opened)
            peak = max(peak, note.cuda_peak_bytes)
    return ChildFacts(
        reached=tuple(sorted(reached)),
        modules=tuple(sorted(modules)),
        opened=tuple(sorted(opened)),
        cuda_peak_bytes=peak,
        damage=damage,
        lost=lost,
    )


def _read_note(line: bytes) -> ChildFacts:
    if not line.endswith(b"\n"):
        raise ValueError("it breaks off")
    facts = json.loads(line)
    if not isinstance(facts, dict):
        raise TypeError("it is no object")
    peak = facts.get("cuda_peak_bytes", 0)
    reached = (facts["reached"],) if "reached" in facts else ()
    modules, opened = tuple(facts.get("modules", ())), tuple(facts.get("opened", ()))
    lost = facts.get("lost", "")
    names = (*reached, *modules, *opened, lost)
    if not isinstance(peak, int) or not all(isinstance(name, str) for name in names):
        raise TypeError("a value in it is of another type than it should be")
    return ChildFacts(reached, modules, opened, peak, lost=printable(lost))
