"""Which statements speak against a run that stays in a store, and so have to stay as well."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pv_harness.deriving.derivation import judged_again
from pv_harness.evidence.records import PatchRecord, RunRecord, Verdict


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pv_harness.contracts.contract import Falsifier
    from pv_harness.evidence.statement import RunStatement
    from pv_harness.fingerprint.manifest import Manifest


def contradicting(
    statements: Iterable[RunStatement],
    staying: Iterable[RunStatement],
    claims: Mapping[str, Falsifier],
) -> frozenset[str]:
    """The statements that speak against a run that stays: on no tree may it stand alone.

    Trees come back, by a revert or on another branch, and edits take records from sight. So a
    bad record stays as long as a passing run does with which it agrees about all that both rest
    on, since there is a tree for both. So does the newest run of all, since what is stale is
    judged by what was measured last.

    Args:
        statements: the whole store.
        staying: those of them that stay in any case.
        claims: ID -> claim, of those that are declared now.
    """
    everything = tuple(statements)
    passed: dict[str, dict[Manifest, float]] = {}
    for run in (run for statement in staying for run in statement.runs):
        if run.verdict is Verdict.PASSED:
            trees = passed.setdefault(run.falsifier_id, {})
            trees[run.manifest] = min(run.finished_s, trees.get(run.manifest, math.inf))
    newest: dict[str, float] = {}
    for run in (run for statement in everything for run in statement.runs):
        newest[run.falsifier_id] = max(run.finished_s, newest.get(run.falsifier_id, -math.inf))
    found: set[str] = set()
    for statement in everything:
        records: tuple[RunRecord | PatchRecord, ...] = (*statement.runs, *statement.patches)
        for record in records:
            trees = passed.get(record.falsifier_id, {})
            is_last = isinstance(record, RunRecord) and (
                record.finished_s == newest[record.falsifier_id]
            )
            if trees and (
                is_last or _speaks_against(record, claims.get(record.falsifier_id), trees)
            ):
                found.add(statement.digest)
                break
    return frozenset(found)


def _speaks_against(
    record: RunRecord | PatchRecord, claim: Falsifier | None, trees: Mapping[Manifest, float]
) -> bool:
    """True for what can keep a run that passed, first at that time, from showing anything."""
    if isinstance(record, PatchRecord):
        is_bad = record.outcome.is_settled and not record.outcome.counts
        return is_bad and any(_agree(record.manifest, tree) for tree in trees)
    judged = record if claim is None else judged_again(claim, record)
    if Verdict.FAILED in {record.verdict, judged.verdict}:
        return any(_agree(record.manifest, tree) for tree in trees)
    if Verdict.ERROR in {record.verdict, judged.verdict}:
        return any(
            record.finished_s >= first_s and _agree(record.manifest, tree)
            for tree, first_s in trees.items()
        )
    return False


def _agree(one: Manifest, other: Manifest) -> bool:
    """True if some tree can be as both say that it was."""
    if one is other:
        return True
    held = {(entry.kind, entry.name): entry.digest for entry in one.entries}
    return all(held.get((e.kind, e.name), e.digest) == e.digest for e in other.entries)
