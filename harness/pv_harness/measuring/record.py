"""What one check did, as the plugin writes it and the runner reads it back."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

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

MAX_SIZE_BYTES = 256 << 20
"""Of one file in the folder of records."""
NOT_OURS = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What reading such a file raises where something else has written it."""


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
        nodes = json.loads(read_regular(file, MAX_SIZE_BYTES))
    except NOT_OURS as error:
        raise written_by_others(file, "a list of checks") from error
    if not isinstance(nodes, list) or not all(isinstance(node, str) for node in nodes):
        raise written_by_others(file, "a list of checks")
    return nodes


def written_by_others(file: Path, wanted: str) -> InfrastructureError:
    """The error for a file in the folder of records that is not what pv writes there."""
    return InfrastructureError(
        f"{printable(file.name)}: is not {wanted}; something that the checks ran has written "
        "into the folder of records that PV_PLAN names, so that none of them can be believed"
    )


def never_started(record_dir: Path, node: str) -> InfrastructureError:
    """The error for a record of a check that no process has begun to run."""
    wanted = f"the record of a check that has started ({printable(node)})"
    return written_by_others(record_path(record_dir, node), wanted)


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
    except NOT_OURS as error:
        raise written_by_others(file, "a record of a check") from error
    if record_path(file.parent, record.node) != file:
        raise written_by_others(file, "the record of the check that it is called after")
    return record


def _read_record(file: Path) -> CheckRecord:
    data = json.loads(read_regular(file, MAX_SIZE_BYTES))
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
            lines = read_growing(file, MAX_SIZE_BYTES).splitlines(keepends=True)
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
