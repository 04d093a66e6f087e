"""One run as an in-toto Statement v1 in a DSSE envelope, and back.

The predicate is in-toto's test-result v0.1 with one field more, `pv`, which that format's
readers skip. Subjects are the falsifiers, each with its fingerprint as digest. The files that
the fingerprints rest on stand once, in `pv.entries`; each record refers to them by position.

Source: https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md,
https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md,
https://github.com/secure-systems-lab/dsse/blob/master/envelope.md
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pv_harness.digest import canonical_json
from pv_harness.errors import EvidenceError
from pv_harness.evidence.fields import Field
from pv_harness.evidence.measurements import measurement_to_json, series_to_json
from pv_harness.evidence.records import PatchOutcome, PatchRecord, RunRecord, Series, Verdict
from pv_harness.fingerprint.manifest import Entry, EntryKind, Manifest
from pv_harness.judging.measurement import Measurement
from pv_harness.wording import show


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pv_harness.contracts.contract import Scalar

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://in-toto.io/attestation/test-result/v0.1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
FORMAT = 2
_ENTRY_COLUMNS = 4
_SPELLED_FLOATS = ("inf", "-inf", "nan")


@dataclass(frozen=True, slots=True)
class RunStatement:
    """Everything that one invocation of pv found.

    Attributes:
        planned: the IDs that were to be judged, so that a missing one shows.
        configuration: contract path -> digest of its bytes.
        started_s: seconds since the epoch.
    """

    planned: tuple[str, ...]
    configuration: Mapping[str, str]
    runs: tuple[RunRecord, ...]
    patches: tuple[PatchRecord, ...]
    started_s: float
    pv_version: str


def encode_statement(run: RunStatement) -> bytes:
    """The DSSE envelope of a run, one line of canonical JSON."""
    table = _EntryTable()
    predicate = {
        "result": _overall(run),
        "configuration": [
            {"name": name, "digest": {"sha256": digest}}
            for name, digest in sorted(run.configuration.items())
        ],
        "passedTests": [r.falsifier_id for r in run.runs if r.verdict is Verdict.PASSED],
        "warnedTests": [
            r.falsifier_id
            for r in run.runs
            if r.verdict in {Verdict.ERROR, Verdict.SKIPPED, Verdict.BLOCKED}
        ],
        "failedTests": [r.falsifier_id for r in run.runs if r.verdict is Verdict.FAILED],
        "pv": {
            "format": FORMAT,
            "version": run.pv_version,
            "started": run.started_s,
            "planned": list(run.planned),
            "runs": [_run_to_json(r, table) for r in run.runs],
            "patches": [_patch_to_json(p, table) for p in run.patches],
            "entries": table.rows,
        },
    }
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": _subjects(run),
        "predicateType": PREDICATE_TYPE,
        "predicate": predicate,
    }
    payload = base64.b64encode(canonical_json(statement)).decode("ascii")
    envelope = {"payloadType": PAYLOAD_TYPE, "payload": payload, "signatures": []}
    return canonical_json(envelope) + b"\n"


def decode_statement(data: bytes, digest: str) -> RunStatement:
    """The run that an envelope holds; each record knows the statement's digest.

    Raises:
        EvidenceError: the bytes are no envelope, statement or predicate of the kind that
            `encode_statement` writes.
    """
    envelope = Field(_parse_json(data), "the envelope")
    _expect(envelope["payloadType"], PAYLOAD_TYPE)
    try:
        payload = base64.b64decode(envelope["payload"].text(), validate=True)
    except ValueError as error:
        raise EvidenceError(f"is not a statement of pv: {error}") from error
    statement = Field(_parse_json(payload))
    _expect(statement["_type"], STATEMENT_TYPE)
    _expect(statement["predicateType"], PREDICATE_TYPE)
    return _run_from_predicate(statement["predicate"], digest)


def _parse_json(data: bytes) -> object:
    try:
        return json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise EvidenceError(f"is not a statement of pv: {error}") from error


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def _expect(found: Field, expected: object) -> None:
    if type(found.value) is not type(expected) or found.value != expected:
        raise EvidenceError(
            f"{found.place} is {show(found.value)}, this pv reads {show(expected)}"
        )


class _EntryTable:
    """Manifest entries, each stored once."""

    def __init__(self) -> None:
        self.rows: list[list[str | None]] = []
        self._positions: dict[Entry, int] = {}

    def refer(self, manifest: Manifest) -> list[int]:
        return [self._position(entry) for entry in manifest.entries]

    def _position(self, entry: Entry) -> int:
        if entry not in self._positions:
            self._positions[entry] = len(self.rows)
            self.rows.append([entry.kind.value, entry.name, entry.digest, entry.bytes_digest])
        return self._positions[entry]


def _overall(run: RunStatement) -> str:
    verdicts = {r.verdict for r in run.runs}
    if Verdict.FAILED in verdicts or not all(p.outcome.counts for p in run.patches):
        return "FAILED"
    return "WARNED" if verdicts - {Verdict.PASSED} else "PASSED"


def _subjects(run: RunStatement) -> list[dict[str, Any]]:
    pairs = [(r.falsifier_id, r.manifest.fingerprint) for r in run.runs]
    pairs += [(p.falsifier_id, p.manifest.fingerprint) for p in run.patches]
    return [{"name": n, "digest": {"sha256": d}} for n, d in dict.fromkeys(pairs)]


def _run_to_json(record: RunRecord, table: _EntryTable) -> dict[str, Any]:
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


def _patch_to_json(record: PatchRecord, table: _EntryTable) -> dict[str, Any]:
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


def _run_from_predicate(predicate: Field, digest: str) -> RunStatement:
    own = predicate["pv"]
    _expect(own["format"], FORMAT)
    entries = [_entry(row) for row in own["entries"].items()]
    return RunStatement(
        planned=own["planned"].names(),
        configuration={
            c["name"].name(): c["digest"]["sha256"].text()
            for c in predicate["configuration"].items()
        },
        runs=tuple(_run_from_json(r, entries, digest) for r in own["runs"].items()),
        patches=tuple(_patch_from_json(p, entries, digest) for p in own["patches"].items()),
        started_s=own["started"].seconds(),
        pv_version=own["version"].text(),
    )


def _entry(row: Field) -> Entry:
    columns = tuple(row.items())
    if len(columns) != _ENTRY_COLUMNS:
        raise EvidenceError(f"{row.place} has {len(columns)} columns, not {_ENTRY_COLUMNS}")
    kind, name, digest, bytes_digest = columns
    return Entry(
        kind.choice(EntryKind), name.name(), digest.text(), bytes_digest.text_or_none()
    )


def _manifest(positions: Field, entries: Sequence[Entry]) -> Manifest:
    found: list[Entry] = []
    for position in positions.items():
        if position.count() >= len(entries):
            raise EvidenceError(f"{position.place} is beyond the {len(entries)} entries")
        found.append(entries[position.count()])
    for kind in (EntryKind.CLAIM, EntryKind.CHECKS):
        count = sum(entry.kind is kind for entry in found)
        if count != 1:
            raise EvidenceError(
                f"{positions.place} has {count} entries for the {kind.value}, not one"
            )
    return Manifest(tuple(found))


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


def _run_from_json(data: Field, entries: Sequence[Entry], digest: str) -> RunRecord:
    return RunRecord(
        falsifier_id=data["id"].name(),
        verdict=data["verdict"].choice(Verdict),
        manifest=_manifest(data["manifest"], entries),
        measurements=tuple(_measurement(m) for m in data["measurements"].items()),
        series=tuple(_series(s) for s in data["series"].items()),
        broken=data["broken"].names(),
        reason=data["reason"].text(),
        checks=data["checks"].names(),
        reached=data["reached"].names(),
        reached_in_process=data["reached_in_process"].names(),
        opened=data["opened"].names(),
        attempt=data["attempt"].count(),
        cuda_peak_bytes=data["cuda_peak_bytes"].count(),
        duration_s=data["duration"].seconds(),
        finished_s=data["finished"].seconds(),
        environment=data["environment"].texts_by_name(),
        statement=digest,
    )


def _patch_from_json(data: Field, entries: Sequence[Entry], digest: str) -> PatchRecord:
    return PatchRecord(
        falsifier_id=data["id"].name(),
        patch_id=data["patch"].name(),
        patch_digest=data["patch_digest"].text(),
        outcome=data["outcome"].choice(PatchOutcome),
        lane=data["lane"].name(),
        manifest=_manifest(data["manifest"], entries),
        reason=data["reason"].text(),
        duration_s=data["duration"].seconds(),
        finished_s=data["finished"].seconds(),
        environment=data["environment"].texts_by_name(),
        statement=digest,
    )
