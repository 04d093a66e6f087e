"""Records as JSON inside a statement, and back.

The manifest entries that records rest on stand once in the statement, in a table; each record
refers to them by position. What is read back is checked: a record is about the falsifier whose
claim is in its manifest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pv_harness.errors import EvidenceError
from pv_harness.evidence.fields import Field
from pv_harness.evidence.measurements import measurement_to_json, series_to_json
from pv_harness.evidence.records import PatchOutcome, PatchRecord, RunRecord, Series, Verdict
from pv_harness.fingerprint.manifest import Entry, EntryKind, Manifest
from pv_harness.judging.measurement import Measurement
from pv_harness.wording import show


if TYPE_CHECKING:
    from pv_harness.contracts.contract import Scalar

_ENTRY_COLUMNS = 5
_SPELLED_FLOATS = ("inf", "-inf", "nan")


class EntryWriter:
    """Collects manifest entries, each once, as the rows of a statement's table."""

    def __init__(self) -> None:
        self.rows: list[list[str | None]] = []
        self._positions: dict[Entry, int] = {}

    def refer(self, manifest: Manifest) -> list[int]:
        """The positions of a manifest's entries in the table."""
        return [self._position(entry) for entry in manifest.entries]

    def _position(self, entry: Entry) -> int:
        if entry not in self._positions:
            self._positions[entry] = len(self.rows)
            digests = (entry.digest, entry.bytes_digest, entry.definitions)
            self.rows.append([entry.kind.value, entry.name, *digests])
        return self._positions[entry]


class EntryReader:
    """Makes manifests out of a statement's table; equal ones are made once and shared.

    A falsifier's run and its planted changes rest on the same manifest, so that sharing saves
    most of the work.
    """

    def __init__(self, table: Field) -> None:
        self._entries = [_entry(row) for row in table.items()]
        self._manifests: dict[tuple[int, ...], Manifest] = {}

    def manifest(self, positions: Field, falsifier_id: str) -> Manifest:
        """The manifest at these positions, which has to be that of this falsifier.

        Raises:
            EvidenceError: a position is none, or the claim in it is another falsifier's.
        """
        key = positions.counts()
        if key not in self._manifests:
            self._manifests[key] = self._make(key, positions)
        manifest = self._manifests[key]
        claim = next(e.name for e in manifest.entries if e.kind is EntryKind.CLAIM)
        if claim != falsifier_id:
            raise EvidenceError(
                f"{positions.place} holds the claim of {show(claim)}, the record is about "
                f"{show(falsifier_id)}"
            )
        return manifest

    def _make(self, key: tuple[int, ...], positions: Field) -> Manifest:
        beyond = next((i for i, at in enumerate(key) if at >= len(self._entries)), None)
        if beyond is not None:
            count = len(self._entries)
            raise EvidenceError(f"{positions.place}[{beyond}] is beyond the {count} entries")
        found = tuple(self._entries[position] for position in key)
        for kind in (EntryKind.CLAIM, EntryKind.CHECKS):
            count = sum(entry.kind is kind for entry in found)
            if count != 1:
                raise EvidenceError(
                    f"{positions.place} has {count} entries for the {kind.value}, not one"
                )
        return Manifest(found)


def run_to_json(record: RunRecord, table: EntryWriter) -> dict[str, Any]:
    """A run record as evidence stores it."""
    return {
        "id": record.falsifier_id,
        "verdict": record.verdict.value,
        "manifest": table.refer(record.manifest),
        "measurements": [measurement_to_json(m) for m in record.measurements],
        "series": [series_to_json(s) for s in record.series],
        "broken": list(record.broken),
        "reason": record.reason,
        "checks": list(record.checks),
        "reached": list(record.reached),
        "reached_in_process": list(record.reached_in_process),
        "opened": list(record.opened),
        "attempt": record.attempt,
        "cuda_peak_bytes": record.cuda_peak_bytes,
        "duration": record.duration_s,
        "finished": record.finished_s,
        "environment": dict(record.environment or {}),
    }


def run_from_json(data: Field, table: EntryReader, statement: str) -> RunRecord:
    """The run record that `run_to_json` stored in the statement of this digest.

    Raises:
        EvidenceError: a value is missing or of another type.
    """
    identity = data["id"].name()
    return RunRecord(
        falsifier_id=identity,
        verdict=data["verdict"].choice(Verdict),
        manifest=table.manifest(data["manifest"], identity),
        measurements=tuple(_measurement(m) for m in data["measurements"].items()),
        series=tuple(_series(s) for s in data["series"].items()),
        broken=data["broken"].names(),
        reason=data["reason"].text(),
        checks=data["checks"].names(),
        reached=data["reached"].names(),
        reached_in_process=data["reached_in_process"].names(),
        opened=data["opened"].paths_below(),
        attempt=data["attempt"].count(),
        cuda_peak_bytes=data["cuda_peak_bytes"].count(),
        duration_s=data["duration"].seconds(),
        finished_s=data["finished"].seconds(),
        environment=data["environment"].texts_by_name(),
        statement=statement,
    )


def patch_to_json(record: PatchRecord, table: EntryWriter) -> dict[str, Any]:
    """The record of a planted change as evidence stores it."""
    return {
        "id": record.falsifier_id,
        "patch": record.patch_id,
        "patch_digest": record.patch_digest,
        "outcome": record.outcome.value,
        "lane": record.lane,
        "manifest": table.refer(record.manifest),
        "reason": record.reason,
        "duration": record.duration_s,
        "finished": record.finished_s,
        "environment": dict(record.environment or {}),
    }


def patch_from_json(data: Field, table: EntryReader, statement: str) -> PatchRecord:
    """The record that `patch_to_json` stored in the statement of this digest.

    Raises:
        EvidenceError: a value is missing or of another type.
    """
    identity = data["id"].name()
    return PatchRecord(
        falsifier_id=identity,
        patch_id=data["patch"].name(),
        patch_digest=data["patch_digest"].text(),
        outcome=data["outcome"].choice(PatchOutcome),
        lane=data["lane"].name(),
        manifest=table.manifest(data["manifest"], identity),
        reason=data["reason"].text(),
        duration_s=data["duration"].seconds(),
        finished_s=data["finished"].seconds(),
        environment=data["environment"].texts_by_name(),
        statement=statement,
    )


def _entry(row: Field) -> Entry:
    columns = tuple(row.items())
    if len(columns) != _ENTRY_COLUMNS:
        raise EvidenceError(f"{row.place} has {len(columns)} columns, not {_ENTRY_COLUMNS}")
    kind, name, digest, bytes_digest, definitions = columns
    entry = Entry(
        kind.choice(EntryKind),
        name.name(),
        digest.text(),
        bytes_digest.text_or_none(),
        definitions.text(),
    )
    for path in entry.paths:
        Field(path, row.place).path()
    return entry


def _measurement(data: Field) -> Measurement:
    return Measurement(
        metric=data["metric"].name(),
        value=_scalar(data["value"]),
        unit=data["unit"].text_or_none(),
        samples=data["samples"].whole_or_none(),
        node=data["node"].name(),
        seed=data["seed"].whole_or_none(),
    )


def _series(data: Field) -> Series:
    x, y = (tuple(_number(v) for v in data[axis].items()) for axis in ("x", "y"))
    if len(x) != len(y):
        raise EvidenceError(f"{data.place} has {len(x)} positions and {len(y)} values")
    return Series(
        name=data["name"].name(),
        x=x,
        y=y,
        x_unit=data["x_unit"].text_or_none(),
        unit=data["unit"].text_or_none(),
        node=data["node"].name(),
    )


def _number(stored: Field) -> float:
    value = _scalar(stored)
    if isinstance(value, (bool, str)):
        raise EvidenceError(f"{stored.place} is {show(value)}, it should be a number")
    return float(value)


def _scalar(stored: Field) -> Scalar:
    """A value of evidence; the floats that JSON lacks are spelled as `{"float": "nan"}`."""
    if not isinstance(stored.value, dict):
        return stored.scalar()
    if stored["float"].text() not in _SPELLED_FLOATS:
        raise EvidenceError(f"{stored.place}.float is none of {', '.join(_SPELLED_FLOATS)}")
    return float(stored["float"].text())
