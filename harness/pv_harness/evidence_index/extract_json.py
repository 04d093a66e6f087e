"""An extract as compact JSON, for the index, and back: fast, and nothing is checked.

What is written here is read by this pv alone and only if it is whole, so that the rows have no
names. Entries, environments and digests of statements, which many records share, stand once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pv_harness.evidence.finding import FindingKind
from pv_harness.evidence.record_json import EntryWriter
from pv_harness.evidence.records import PatchOutcome, PatchRecord, RunRecord, Verdict
from pv_harness.evidence.statement import Removed
from pv_harness.evidence.summary import Flaw, StatementSummary
from pv_harness.evidence_index.extract import Extract, Group
from pv_harness.fingerprint.manifest import Entry, EntryKind, Manifest
from pv_harness.judging.measurement import Measurement


if TYPE_CHECKING:
    from collections.abc import Mapping


def extract_to_json(extract: Extract) -> dict[str, Any]:
    """An extract as the index stores it."""
    writer = _Writer()
    groups = [writer.group(group) for group in extract.groups]
    return {
        "summaries": [summary_to_json(summary) for summary in extract.summaries],
        "entries": writer.entries.rows,
        "environments": writer.environments,
        "statements": list(writer.statements),
        "groups": groups,
    }


def extract_from_json(data: Mapping[str, Any]) -> Extract:
    """The extract that `extract_to_json` stored."""
    reader = _Reader(data)
    return Extract(
        tuple(map(reader.group, data["groups"])),
        tuple(map(summary_from_json, data["summaries"])),
    )


def summary_to_json(summary: StatementSummary) -> list[Any]:
    """A summary as the index stores it."""
    return [
        summary.digest,
        summary.started_s,
        summary.ended_s,
        summary.previous,
        [[r.digest, r.reason, r.runs, r.patches] for r in summary.removed],
        summary.keyids,
        sorted(summary.signed_by),
        [[flaw.kind.value, flaw.what] for flaw in summary.flaws],
    ]


def summary_from_json(row: list[Any]) -> StatementSummary:
    """The summary that `summary_to_json` stored."""
    digest, started_s, ended_s, previous, removed, keyids, signed_by, flaws = row
    return StatementSummary(
        digest,
        started_s,
        ended_s,
        tuple(previous),
        tuple(Removed(*item) for item in removed),
        tuple(keyids),
        frozenset(signed_by),
        tuple(Flaw(FindingKind(kind), what) for kind, what in flaws),
    )


class _Writer:
    """Rows, and the tables of what they share."""

    def __init__(self) -> None:
        self.entries = EntryWriter()
        self.environments: list[dict[str, str] | None] = []
        self.statements: dict[str, int] = {}
        self._places: dict[Any, int] = {}

    def group(self, group: Group) -> list[Any]:
        return [
            group.falsifier_id,
            self.entries.refer(group.manifest),
            sorted(group.judged_by),
            [self._run(record) for record in group.runs],
            [self._patch(record) for record in group.patches],
        ]

    def _run(self, record: RunRecord) -> list[Any]:
        return [
            record.verdict.value,
            [
                [m.metric, m.value, m.unit, m.samples, m.node, m.seed]
                for m in record.measurements
            ],
            record.broken,
            record.reason,
            record.checks,
            record.reached,
            record.reached_in_process,
            record.opened,
            record.attempt,
            record.cuda_peak_bytes,
            record.duration_s,
            record.finished_s,
            self._environment(record.environment),
            self._statement(record.statement),
        ]

    def _patch(self, record: PatchRecord) -> list[Any]:
        return [
            record.patch_id,
            record.patch_digest,
            record.outcome.value,
            record.reason,
            record.duration_s,
            record.finished_s,
            record.lane,
            self._environment(record.environment),
            self._statement(record.statement),
        ]

    def _environment(self, facts: Mapping[str, str] | None) -> int:
        key = None if facts is None else tuple(facts.items())
        if key not in self._places:
            self._places[key] = len(self.environments)
            self.environments.append(None if facts is None else dict(facts))
        return self._places[key]

    def _statement(self, digest: str) -> int:
        return self.statements.setdefault(digest, len(self.statements))


class _Reader:
    """Records out of rows and tables. Enumerations by dictionary: their calls would show."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        kinds = {kind.value: kind for kind in EntryKind}
        self._entries = [Entry(kinds[kind], *rest) for kind, *rest in data["entries"]]
        self._environments = data["environments"]
        self._statements = data["statements"]
        self._verdicts = {verdict.value: verdict for verdict in Verdict}
        self._outcomes = {outcome.value: outcome for outcome in PatchOutcome}

    def group(self, row: list[Any]) -> Group:
        falsifier_id, positions, judged_by, runs, patches = row
        entries = self._entries
        manifest = Manifest(tuple([entries[position] for position in positions]))
        return Group(
            falsifier_id,
            manifest,
            frozenset(judged_by),
            tuple([self._run(falsifier_id, manifest, run) for run in runs]),
            tuple([self._patch(falsifier_id, manifest, patch) for patch in patches]),
        )

    def _run(self, falsifier_id: str, manifest: Manifest, row: list[Any]) -> RunRecord:
        verdict, measured, broken, reason, checks, reached, in_process, opened = row[:8]
        attempt, peak_bytes, duration_s, finished_s, environment, statement = row[8:]
        return RunRecord(
            falsifier_id,
            self._verdicts[verdict],
            manifest,
            tuple([Measurement(*values) for values in measured]),
            (),
            tuple(broken),
            reason,
            tuple(checks),
            tuple(reached),
            tuple(in_process),
            tuple(opened),
            attempt,
            peak_bytes,
            duration_s,
            finished_s,
            self._environments[environment],
            self._statements[statement],
        )

    def _patch(self, falsifier_id: str, manifest: Manifest, row: list[Any]) -> PatchRecord:
        name, digest, outcome, reason, duration_s, finished_s, lane, facts, statement = row
        return PatchRecord(
            falsifier_id,
            name,
            digest,
            self._outcomes[outcome],
            manifest,
            reason,
            duration_s,
            finished_s,
            self._environments[facts],
            self._statements[statement],
            lane,
        )
