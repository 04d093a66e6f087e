"""Of all records of a store those that a status, or a gate over it, can rest on.

A claim that was measured a hundred times on one tree has a hundred records that say the same.
Of records that no question can tell apart but by their age the newest decides, so that it alone
is kept. The questions are those of `pv_harness.deriving.derivation` and
`pv_harness.policy.conditions`: which manifest, verdict, level, lane, environment and signer.

Which level a run shows depends on the claim that it is asked for. So an extract answers for the
claims that were declared when it was made; for others the store is read again, and from then on
it answers for both.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pv_harness.deriving.derivation import judged_again
from pv_harness.deriving.levels import highest_level
from pv_harness.deriving.order import newest_and_worst_last, newest_first
from pv_harness.evidence.records import PatchRecord
from pv_harness.evidence.summary import summarize


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pv_harness.contracts.contract import Falsifier
    from pv_harness.evidence.records import RunRecord
    from pv_harness.evidence.statement import RunStatement
    from pv_harness.evidence.summary import StatementSummary
    from pv_harness.fingerprint.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Group:
    """The records of one falsifier on one manifest.

    Attributes:
        judged_by: digests of the claims by whose levels the runs are told apart.
        runs: the newest of each kind, without their curves, which nothing judges.
        patches: the newest of each kind.
    """

    falsifier_id: str
    manifest: Manifest
    judged_by: frozenset[str] = frozenset()
    runs: tuple[RunRecord, ...] = ()
    patches: tuple[PatchRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class Extract:
    """The records that statuses can rest on, and the summaries of all statements."""

    groups: tuple[Group, ...] = ()
    summaries: tuple[StatementSummary, ...] = ()

    @property
    def runs(self) -> list[RunRecord]:
        """The run records, in no particular order."""
        return [run for group in self.groups for run in group.runs]

    @property
    def patches(self) -> list[PatchRecord]:
        """The records of planted changes, in no particular order."""
        return [patch for group in self.groups for patch in group.patches]

    @property
    def signers(self) -> dict[str, frozenset[str]]:
        """Digest of each statement -> names of the trusted keys that signed it."""
        return {summary.digest: summary.signed_by for summary in self.summaries}

    def answers(self, falsifiers: Mapping[str, Falsifier]) -> bool:
        """True if the runs of these claims are told apart by them."""
        digests = {name: claim.claim_digest for name, claim in falsifiers.items()}
        asked = ((digests.get(group.falsifier_id), group.judged_by) for group in self.groups)
        return all(digest is None or digest in judged_by for digest, judged_by in asked)


def extract_records(
    statements: Iterable[RunStatement],
    falsifiers: Mapping[str, Falsifier],
    before: Extract | None = None,
) -> Extract:
    """The extract of these statements and of those that `before` was made of.

    Order and repetition of statements make no difference. Each is let go before the next one
    is asked for.

    Args:
        statements: what is added.
        falsifiers: ID -> claim, as declared now.
        before: an extract that `answers` them.
    """
    gathering = _Gathering(falsifiers, before or Extract())
    for statement in statements:
        gathering.add(statement)
    return gathering.extract()


def combine_extracts(one: Extract, other: Extract) -> Extract:
    """What answers for the claims of both extracts, which are of the same statements."""
    others = {(g.falsifier_id, g.manifest): g for g in other.groups}
    combined = (_both(g, others.get((g.falsifier_id, g.manifest), g)) for g in one.groups)
    return replace(one, groups=tuple(combined))


def _both(one: Group, other: Group) -> Group:
    # A record too many does no harm: what a newer one decides, it still decides.
    return replace(
        one,
        judged_by=one.judged_by | other.judged_by,
        runs=(*one.runs, *(run for run in other.runs if run not in one.runs)),
        patches=(*one.patches, *(p for p in other.patches if p not in one.patches)),
    )


class _Gathering:
    """An extract in the making."""

    def __init__(self, falsifiers: Mapping[str, Falsifier], before: Extract) -> None:
        self._falsifiers = falsifiers
        self._untouched = {(g.falsifier_id, g.manifest): g for g in before.groups}
        self._open: dict[tuple[str, Manifest], _OpenGroup] = {}
        self._summaries = {summary.digest: summary for summary in before.summaries}

    def add(self, statement: RunStatement) -> None:
        """Take in one statement, which has its digest."""
        self._summaries[statement.digest] = summarize(statement)
        # One manifest is shared by the records on it, and hashing it costs more than the rest.
        known: dict[int, _OpenGroup] = {}
        records: tuple[RunRecord | PatchRecord, ...] = (*statement.runs, *statement.patches)
        for record in records:
            place = id(record.manifest)
            if place not in known:
                known[place] = self._group_of(record)
            known[place].add(record)

    def extract(self) -> Extract:
        """What was gathered."""
        groups = (*self._untouched.values(), *(group.close() for group in self._open.values()))
        summaries = sorted(self._summaries.values(), key=lambda s: (s.started_s, s.digest))
        return Extract(groups, tuple(summaries))

    def _group_of(self, record: RunRecord | PatchRecord) -> _OpenGroup:
        key = (record.falsifier_id, record.manifest)
        if key not in self._open:
            claim = self._falsifiers.get(record.falsifier_id)
            digests = frozenset([claim.claim_digest] if claim is not None else [])
            before = self._untouched.pop(key, Group(*key, judged_by=digests))
            # What other claims told apart, this one is about to put together.
            group = replace(before, judged_by=before.judged_by & digests)
            self._open[key] = _OpenGroup(group, claim, self._signers)
        return self._open[key]

    def _signers(self, statement: str) -> frozenset[str]:
        return self._summaries[statement].signed_by


class _OpenGroup:
    """A group to which records are added: the newest of each kind, by kind."""

    def __init__(
        self,
        group: Group,
        claim: Falsifier | None,
        signers: Callable[[str], frozenset[str]],
    ) -> None:
        self._group = group
        self._claim = claim
        self._signers = signers
        self._runs: dict[Any, RunRecord] = {}
        self._patches: dict[Any, PatchRecord] = {}
        for run in group.runs:
            self._add_run(run)
        for patch in group.patches:
            self._add_patch(patch)

    def add(self, record: RunRecord | PatchRecord) -> None:
        """Keep a record if it is the newest of its kind."""
        if isinstance(record, PatchRecord):
            self._add_patch(record)
        else:
            self._add_run(record)

    def close(self) -> Group:
        """The group with what was kept."""
        return replace(
            self._group,
            runs=tuple(self._runs.values()),
            patches=tuple(self._patches.values()),
        )

    def _add_run(self, record: RunRecord) -> None:
        shown = None
        if self._claim is not None:
            judged = judged_again(self._claim, record)
            shown = (judged.verdict, highest_level(self._claim, record)[0])
        kind = (record.verdict, shown, record.attempt, *self._told_apart_by(record))
        plain = replace(record, series=()) if record.series else record
        kept = self._runs.get(kind)
        self._runs[kind] = plain if kept is None else newest_first([kept, plain])[0]

    def _add_patch(self, record: PatchRecord) -> None:
        kind = (record.patch_digest, record.outcome, *self._told_apart_by(record))
        kept = self._patches.get(kind, record)
        self._patches[kind] = max(kept, record, key=newest_and_worst_last)

    def _told_apart_by(self, record: RunRecord | PatchRecord) -> tuple[Any, ...]:
        facts = tuple(sorted((record.environment or {}).items()))
        return (record.lane, facts, self._signers(record.statement))
