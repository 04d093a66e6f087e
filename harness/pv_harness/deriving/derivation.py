"""The status of a falsifier, derived: one pure function of claim, evidence and tree.

A level holds if some passing record at the present fingerprint meets the conditions of that
level and of all below it, every planted defect was killed and every control stayed green on the
same fingerprint, and no record at it is red. Nothing here reads a file or a clock.

That a check could not measure, BLOCKED for want of a device or SKIPPED by its own decision, is
no news about the claim: such a record is a status only where no fresh one passed, however new
it is. Otherwise the shard of a machine without a GPU would undo in a merged store what one with
a GPU has shown. That a check broke is news: an ERROR counts until something newer passed.

Nothing bad is retried away. Between two records at one fingerprint nothing has changed that
they could differ by: a claim that failed and passed is FLAKY, and a planted change that once
did not do as asked is weak, however often it did before or since.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pv_harness.deriving.levels import highest_level
from pv_harness.deriving.order import newest_first
from pv_harness.deriving.potency import (
    cure_of_weak,
    measure_potency,
    potency_conditions,
    weak_reason,
)
from pv_harness.deriving.reason import tell_reason
from pv_harness.deriving.status import Assessed, AssessedPatch, Potency, Status, StatusKind
from pv_harness.evidence.records import Verdict
from pv_harness.fingerprint.manifest import EntryKind, names_held
from pv_harness.judging.measurement import find_unanswering, judge


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pv_harness.contracts.contract import Falsifier
    from pv_harness.evidence.records import PatchRecord, RunRecord
    from pv_harness.fingerprint.manifest import Change


def derive_status(
    falsifier: Falsifier,
    *,
    bound: bool,
    runs: Sequence[Assessed],
    patches: Sequence[AssessedPatch],
) -> Status:
    """The status of one falsifier. Order and duplication of records make no difference.

    Args:
        falsifier: the claim as the contract states it now.
        bound: whether at least one check is bound to it.
        runs: every run record of this falsifier.
        patches: every record of a defect or control of this falsifier.
    """
    ceiling, potency = falsifier.ceiling, measure_potency(falsifier, patches)
    if not bound:
        cure = f'write a check marked @pytest.mark.falsifies("{falsifier.id}")'
        return Status(StatusKind.UNBOUND, ceiling, why="no check is bound to it", cure=cure)
    judged = (judged_again(falsifier, a.record) for a in runs if not a.changes)
    fresh = newest_first(judged)
    decided = _red_or_absent(falsifier, fresh, runs, patches)
    if decided is not None:
        return replace(decided, potency=potency)
    passed = [r for r in fresh if r.verdict is Verdict.PASSED]
    status = _status_of_passed(falsifier, passed, potency, patches)
    if status.kind is StatusKind.VACUOUS:
        return status
    hidden = _hidden_by_edit(falsifier, passed, runs, patches)
    return status if hidden is None else replace(hidden, potency=potency)


def judged_again(falsifier: Falsifier, record: RunRecord) -> RunRecord:
    """The record with the verdict that its own measurements bear out."""
    bounds, seeds = falsifier.bounds, falsifier.seeds
    judgements, unmeasured = judge(bounds, record.measurements, seeds)
    broken = [j for j in judgements if not j.holds]
    if record.verdict is not Verdict.PASSED or not (broken or unmeasured):
        return record
    if broken:
        metrics = tuple(sorted({j.bound.metric for j in broken}))
        return replace(record, verdict=Verdict.FAILED, broken=metrics, reason=str(broken[0]))
    strange = find_unanswering(bounds, record.measurements, seeds)
    reason = f"passed, but {strange or f'{unmeasured[0].metric} was never measured'}"
    return replace(record, verdict=Verdict.ERROR, reason=reason)


def _red_or_absent(
    falsifier: Falsifier,
    fresh: Sequence[RunRecord],
    runs: Sequence[Assessed],
    patches: Sequence[AssessedPatch],
) -> Status | None:
    """What the records say before any level is asked about; None if a passing one decides."""
    by_verdict = {v: [r for r in fresh if r.verdict is v] for v in Verdict}
    failed, passed = by_verdict[Verdict.FAILED], by_verdict[Verdict.PASSED]
    ceiling = falsifier.ceiling
    if failed and passed:
        why, cure = "passed and failed on one fingerprint", "make the check deterministic"
        return Status(StatusKind.FLAKY, ceiling, why=why, cure=cure, record=failed[0])
    if failed:
        why, cure = tell_reason(failed[0].reason), f"pv explain {falsifier.id}"
        detail = ", ".join(failed[0].broken)
        return Status(StatusKind.FAILED, ceiling, None, detail, why, cure, record=failed[0])
    broken = by_verdict[Verdict.ERROR]
    if passed and not (broken and broken[0].finished_s >= passed[0].finished_s):
        return None
    for verdict, kind in _ABSENT:
        found = by_verdict[verdict]
        if found:
            why, detail = tell_reason(found[0].reason), ""
            cure = f"pv run {falsifier.id} --again"
            if verdict is Verdict.ERROR and _TIMED_OUT not in why:
                # Measured again without an edit, it would break again.
                cure = f"pv explain {falsifier.id}"
            if verdict is Verdict.BLOCKED:
                detail = why
                cure = f"pv run --prove {falsifier.id}, where {falsifier.requires} is"
            return Status(kind, ceiling, None, detail, why, cure, record=found[0])
    return _stale_or_never(falsifier, runs, patches)


def _hidden_by_edit(
    falsifier: Falsifier,
    passed: Sequence[RunRecord],
    runs: Sequence[Assessed],
    patches: Sequence[AssessedPatch],
) -> Status | None:
    """STALE for what speaks against the claim and only an edit has made stale.

    The edit is of what no passing record rests on. So where their manifests can be compared
    nothing has changed, and before the edit both were of one tree: it must not take the red one
    away, however old that is. Had anything changed that a passing record rests on as well, the
    red one would be of another tree, and overcome: see `find_contrary`.
    """
    hidden = _find_hidden(falsifier, passed, runs, patches)
    newest_s = max(record.finished_s for record in passed)
    reds = {}
    for item in hidden:
        if isinstance(item, Assessed):
            verdict = judged_again(falsifier, item.record).verdict
            # That a check broke is no news any more where it passed later.
            if verdict is Verdict.FAILED or item.record.finished_s >= newest_s:
                reds[id(item.record)] = (item, verdict)
    weak = sorted(str(item.changes[0]) for item in hidden if isinstance(item, AssessedPatch))
    if reds:
        record = newest_first(item.record for item, _ in reds.values())[0]
        item, verdict = reds[id(record)]
        was = verdict.value if record.finished_s >= newest_s else StatusKind.FLAKY.value
        because = str(item.changes[0])
    elif weak:
        record, was, because = passed[0], StatusKind.VACUOUS.value, weak[0]
    else:
        return None
    detail = f"was {was}, because {because}"
    cure = f"pv run --prove {falsifier.id} --again"
    return Status(
        StatusKind.STALE, falsifier.ceiling, None, detail, because, cure, record=record
    )


def _find_hidden(
    falsifier: Falsifier,
    passed: Sequence[RunRecord],
    runs: Sequence[Assessed],
    patches: Sequence[AssessedPatch],
) -> list[Assessed | AssessedPatch]:
    """The stale records against a claim of which nothing changed that what passed rests on."""
    stale_runs = [run for run in runs if run.changes]
    stale_patches = [patch for patch in patches if patch.changes]
    if not stale_runs and not stale_patches:
        return []
    held = frozenset[tuple[EntryKind, str]]().union(*(names_held(r.manifest) for r in passed))
    gone = {name for kind, name in held if kind is EntryKind.ABSENT}

    def is_hidden(changes: Sequence[Change]) -> bool:
        return not any((c.kind, c.name) in held or c.name in gone for c in changes)

    # To judge a record again costs more than to look at what has changed.
    suspects = [run for run in stale_runs if is_hidden(run.changes)]
    answers = [patch for patch in stale_patches if is_hidden(patch.changes)]
    return list(find_contrary(falsifier, suspects, answers))


def find_contrary(
    falsifier: Falsifier, runs: Sequence[Assessed], patches: Sequence[AssessedPatch]
) -> Iterator[Assessed | AssessedPatch]:
    """The stale records that speak against a claim: red runs, and planted changes unnoticed.

    A run that overcomes one of them has to rest on what was changed since, though its checks
    import it no longer: else nobody could tell that it was made after the change.
    """
    bad = {Verdict.FAILED, Verdict.ERROR}
    digests = {plant.digest for plant in falsifier.plants}
    for run in runs:
        if run.changes and judged_again(falsifier, run.record).verdict in bad:
            yield run
    for patch in patches:
        outcome = patch.record.outcome
        is_bad = outcome.is_settled and not outcome.counts
        if patch.changes and is_bad and patch.record.patch_digest in digests:
            yield patch


_TIMED_OUT = "did not end within"
"""In the reason of a check that took too long: on another day it may not."""


_ABSENT = (
    (Verdict.ERROR, StatusKind.ERROR),
    (Verdict.SKIPPED, StatusKind.NOT_RUN),
    (Verdict.BLOCKED, StatusKind.BLOCKED),
)


def _stale_or_never(
    falsifier: Falsifier, runs: Sequence[Assessed], patches: Sequence[AssessedPatch]
) -> Status:
    ceiling, cure = falsifier.ceiling, f"pv run --prove {falsifier.id}"
    stale = [a for a in runs if a.changes]
    if not stale:
        return Status(StatusKind.NOT_RUN, ceiling, why="never measured", cure=cure)
    newest = newest_first(a.record for a in stale)[0]
    last = next(a for a in stale if a.record is newest)
    then_runs, then_patches = at_last_fingerprint(runs, patches)
    then = derive_status(falsifier, bound=True, runs=then_runs, patches=then_patches)
    level = then.level if then.kind is StatusKind.LEVEL else None
    # What the present claim makes of an old number was never a status of its own.
    is_told = level is not None or then.kind in {StatusKind.FLAKY, StatusKind.VACUOUS}
    was = (level or then.kind).value if is_told else last.record.verdict.value
    because = str(last.changes[0])
    if len(last.changes) > 1:
        because += f" and {len(last.changes) - 1} more"
    detail = f"was {was}, because {because}"
    record = then.record if level is not None else last.record
    return Status(StatusKind.STALE, ceiling, level, detail, because, cure, record=record)


def at_last_fingerprint(
    runs: Sequence[Assessed], patches: Sequence[AssessedPatch]
) -> tuple[tuple[Assessed, ...], tuple[AssessedPatch, ...]]:
    """The stale records at the fingerprint that was measured last, as though nothing changed.

    What they say together is what they said then: not the newest of them alone.
    """
    stale = [a.record for a in runs if a.changes]
    if not stale:
        return (), ()
    last = newest_first(stale)[0].manifest
    # Records mostly share one manifest, and a fingerprint costs its digest.
    known = {id(last): True}

    def belongs(record: RunRecord | PatchRecord) -> bool:
        held = record.manifest
        if id(held) not in known:
            known[id(held)] = held.fingerprint == last.fingerprint
        return known[id(held)]

    return (
        tuple(Assessed(record) for record in stale if belongs(record)),
        tuple(AssessedPatch(p.record) for p in patches if p.changes and belongs(p.record)),
    )


def _status_of_passed(
    falsifier: Falsifier,
    passed: Sequence[RunRecord],
    potency: Potency,
    patches: Sequence[AssessedPatch],
) -> Status:
    ranked = [(record, *highest_level(falsifier, record)) for record in passed]
    record, level, conditions = max(ranked, key=lambda r: r[1].rank if r[1] else -1)
    planted = potency_conditions(falsifier, potency)
    everything = (*planted, *conditions)
    if potency.weak:
        detail = ", ".join(potency.weak)
        why = weak_reason(falsifier, patches)
        kind, cure = StatusKind.VACUOUS, cure_of_weak(falsifier.id, potency.weak)
        return Status(
            kind, falsifier.ceiling, None, detail, why, cure, potency, everything, record
        )
    unmet = next((c for c in everything if not c.holds), None)
    why, cure = (unmet.text, unmet.cure) if unmet else ("", "")
    if potency.missing or level is None:
        detail = "passed, but not proven" if potency.missing else why
        return Status(
            StatusKind.NOT_RUN,
            falsifier.ceiling,
            None,
            detail,
            why,
            cure,
            potency,
            everything,
            record,
        )
    return Status(
        StatusKind.LEVEL, falsifier.ceiling, level, "", why, cure, potency, everything, record
    )
