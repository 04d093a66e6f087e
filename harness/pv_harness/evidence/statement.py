"""One run as an in-toto Statement v1 in a DSSE envelope, and back.

The predicate is in-toto's test-result v0.1 with one field more, `pv`, which that format's
readers skip. Subjects are the falsifiers, each with its fingerprint as digest; of a note that
statements were removed, they are those statements. Whatever another reader sees, subjects,
result and the lists of tests, has to be what the records say: it is compared on reading.

Source: https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md,
https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pv_harness.digest import canonical_json
from pv_harness.errors import EvidenceError
from pv_harness.evidence.envelope import Envelope, decode_envelope, encode_envelope, parse_json
from pv_harness.evidence.fields import Field, expect
from pv_harness.evidence.record_json import (
    EntryReader,
    EntryWriter,
    patch_from_json,
    patch_to_json,
    run_from_json,
    run_to_json,
)
from pv_harness.evidence.records import Verdict
from pv_harness.wording import show


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pv_harness.evidence.records import PatchRecord, RunRecord
    from pv_harness.evidence.signing import Signer

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://in-toto.io/attestation/test-result/v0.1"
FORMAT = 3
SUFFIX = ".intoto.jsonl"
"""How the file of a statement is called, behind the digest of its bytes."""
_INCONCLUSIVE = frozenset({Verdict.ERROR, Verdict.SKIPPED, Verdict.BLOCKED})


@dataclass(frozen=True, slots=True)
class Removed:
    """A statement that was taken out of the store, and what went with it."""

    digest: str
    reason: str
    runs: int
    patches: int


@dataclass(frozen=True, slots=True)
class RunStatement:
    """Everything that one invocation of pv found, or removed from the store.

    Attributes:
        planned: the IDs that were to be judged, so that a missing one shows.
        configuration: contract path -> digest of its bytes.
        started_s: seconds since the epoch.
        previous: digests of the statements that were the store's newest when this one was
            added. Through them every older one is referred to, so that a deleted one shows.
        removed: statements that were taken out of the store when this one was added.
        digest: of the stored bytes; empty before it is stored.
        keyids: the keys that its signatures claim to be made with; nothing is verified.
        signed_by: names of the trusted keys whose signature verifies. Empty unless it was
            read with keys.
    """

    planned: tuple[str, ...]
    configuration: Mapping[str, str]
    runs: tuple[RunRecord, ...]
    patches: tuple[PatchRecord, ...]
    started_s: float
    pv_version: str
    previous: tuple[str, ...] = ()
    removed: tuple[Removed, ...] = ()
    digest: str = ""
    keyids: tuple[str, ...] = ()
    signed_by: frozenset[str] = frozenset()

    @property
    def ended_s(self) -> float:
        """When its last record was finished, in seconds since the epoch."""
        runs, patches = (r.finished_s for r in self.runs), (p.finished_s for p in self.patches)
        return max([self.started_s, *runs, *patches])


def encode_statement(run: RunStatement, signer: Signer | None = None) -> bytes:
    """The DSSE envelope of a run, one line of canonical JSON, signed if there is a signer."""
    table = EntryWriter()
    own = {
        "format": FORMAT,
        "version": run.pv_version,
        "started": run.started_s,
        "previous": list(run.previous),
        "removed": [
            {"digest": r.digest, "reason": r.reason, "runs": r.runs, "patches": r.patches}
            for r in run.removed
        ],
        "planned": list(run.planned),
        "runs": [run_to_json(r, table) for r in run.runs],
        "patches": [patch_to_json(p, table) for p in run.patches],
        "entries": table.rows,
    }
    configuration = [
        {"name": name, "digest": {"sha256": digest}}
        for name, digest in sorted(run.configuration.items())
    ]
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": _subjects(run),
        "predicateType": PREDICATE_TYPE,
        "predicate": {**_summary(run), "configuration": configuration, "pv": own},
    }
    payload = canonical_json(statement)
    signatures = () if signer is None else (signer.sign(payload),)
    return encode_envelope(Envelope(payload, signatures))


def decode_statement(data: bytes, digest: str) -> RunStatement:
    """The run that an envelope holds; each record knows the statement's digest.

    No signature is verified.

    Raises:
        EvidenceError: the bytes are no envelope, statement or predicate of the kind that
            `encode_statement` writes, or what other readers see in it is not what the
            records say.
    """
    return read_payload(decode_envelope(data), digest)


def read_payload(envelope: Envelope, digest: str) -> RunStatement:
    """The run in the payload of an envelope. Raises as `decode_statement`."""
    statement = Field(parse_json(envelope.payload))
    expect(statement["_type"], STATEMENT_TYPE)
    expect(statement["predicateType"], PREDICATE_TYPE)
    predicate = statement["predicate"]
    run = _read_own(predicate["pv"], predicate["configuration"], digest)
    _compare(statement["subject"], _subjects(run))
    for name, value in _summary(run).items():
        _compare(predicate[name], value)
    return replace(run, keyids=tuple(s.keyid for s in envelope.signatures))


def _read_own(own: Field, configuration: Field, digest: str) -> RunStatement:
    if own["format"].value != FORMAT:
        remedy = "move the evidence folder away and measure again with `pv run`"
        found = show(own["format"].value)
        raise EvidenceError(f"{own.place}.format is {found}, this pv reads {FORMAT}; {remedy}")
    table = EntryReader(own["entries"])
    return RunStatement(
        planned=own["planned"].names(),
        configuration={
            c["name"].name(): c["digest"]["sha256"].text() for c in configuration.items()
        },
        runs=tuple(run_from_json(r, table, digest) for r in own["runs"].items()),
        patches=tuple(patch_from_json(p, table, digest) for p in own["patches"].items()),
        started_s=own["started"].seconds(),
        pv_version=own["version"].text(),
        previous=own["previous"].digests(),
        removed=tuple(_removed(r) for r in own["removed"].items()),
        digest=digest,
    )


def _removed(data: Field) -> Removed:
    return Removed(
        data["digest"].digest(),
        data["reason"].text(),
        data["runs"].count(),
        data["patches"].count(),
    )


def _summary(run: RunStatement) -> dict[str, Any]:
    """What the predicate says to readers that know test-result v0.1 and nothing of pv."""
    return {
        "result": _overall(run),
        "passedTests": _ids_of(run, {Verdict.PASSED}),
        "warnedTests": _ids_of(run, _INCONCLUSIVE),
        "failedTests": _ids_of(run, {Verdict.FAILED}),
    }


def _overall(run: RunStatement) -> str:
    verdicts = {r.verdict for r in run.runs}
    if Verdict.FAILED in verdicts or not all(p.outcome.counts for p in run.patches):
        return "FAILED"
    return "WARNED" if verdicts - {Verdict.PASSED} else "PASSED"


def _ids_of(run: RunStatement, verdicts: Iterable[Verdict]) -> list[str]:
    wanted = frozenset(verdicts)
    return list(dict.fromkeys(r.falsifier_id for r in run.runs if r.verdict in wanted))


def _subjects(run: RunStatement) -> list[dict[str, Any]]:
    # A fingerprint is computed from some hundred entries: once per manifest, not per record.
    fingerprints: dict[int, str] = {}
    pairs: dict[tuple[str, str], None] = {}
    about = [(r.falsifier_id, r.manifest) for r in run.runs]
    about += [(p.falsifier_id, p.manifest) for p in run.patches]
    for falsifier_id, manifest in about:
        if id(manifest) not in fingerprints:
            fingerprints[id(manifest)] = manifest.fingerprint
        pairs[falsifier_id, fingerprints[id(manifest)]] = None
    pairs.update({(f"{r.digest}{SUFFIX}", r.digest): None for r in run.removed})
    return [{"name": name, "digest": {"sha256": digest}} for name, digest in pairs]


def _compare(found: Field, derived: object) -> None:
    """Refuse what is not what the records say."""
    if found.value == derived:
        return
    if isinstance(found.value, list) and isinstance(derived, list):
        pairs = zip(found.value, derived, strict=False)
        index = next((i for i, (a, b) in enumerate(pairs) if a != b), None)
        if index is not None:
            _compare(Field(found.value[index], f"{found.place}[{index}]"), derived[index])
    elif isinstance(found.value, dict) and isinstance(derived, dict):
        for key, value in derived.items():
            _compare(found[key], value)
    raise EvidenceError(
        f"{found.place} is {show(found.value)}, its records say {show(derived)}"
    )
