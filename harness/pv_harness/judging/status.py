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

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING

from pv_harness.contracts.contract import Defect
from pv_harness.evidence.records import PatchOutcome, Verdict
from pv_harness.exit_code import ExitCode
from pv_harness.fingerprint.manifest import (
    EntryKind,
    input_digests,
    names_held,
    unasked_inputs,
)
from pv_harness.judging.measurement import find_unanswering, judge
from pv_harness.judging.reason import tell_reason


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pv_harness.contracts.contract import Falsifier, Level, LevelRule, Plant
    from pv_harness.evidence.records import PatchRecord, RunRecord
    from pv_harness.fingerprint.manifest import Change


class StatusKind(Enum):
    """What can be said of a falsifier."""

    LEVEL = "LEVEL"
    FAILED = "FAILED"
    FLAKY = "FLAKY"
    VACUOUS = "VACUOUS"
    ERROR = "ERROR"
    STALE = "STALE"
    UNBOUND = "UNBOUND"
    NOT_RUN = "NOT_RUN"
    BLOCKED = "BLOCKED"
    WAIVED = "WAIVED"
    """Excused by a policy until a date; never derived from evidence."""

    @property
    def exit_code(self) -> ExitCode | None:
        """What this status alone makes a command end with; None: nothing was judged."""
        match self:
            case StatusKind.LEVEL:
                return ExitCode.SATISFIED
            case StatusKind.FAILED | StatusKind.FLAKY | StatusKind.VACUOUS:
                return ExitCode.DENIED
            case StatusKind.ERROR:
                return ExitCode.INFRASTRUCTURE
            case StatusKind.STALE | StatusKind.UNBOUND | StatusKind.NOT_RUN:
                return ExitCode.UNKNOWN
            case StatusKind.BLOCKED | StatusKind.WAIVED:
                return None


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that a level asks for, and whether the evidence shows it."""

    text: str
    holds: bool
    cure: str = ""


@dataclass(frozen=True, slots=True)
class Potency:
    """How many of the live planted defects were killed, and what the others did."""

    killed: int
    planted: int
    weak: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.killed}/{self.planted}"


@dataclass(frozen=True, slots=True)
class Status:
    """What the evidence supports, and why it is not more.

    Attributes:
        level: the highest level that holds; for STALE the one that held before.
        detail: what stands in the parentheses of a status that is no level.
        why: why the status is not higher; empty at the ceiling.
        cure: the one command, or edit, that would change that.
        conditions: everything that was asked, in order, with what the evidence says.
        record: the run record that the status rests on, if there is one.
    """

    kind: StatusKind
    ceiling: Level
    level: Level | None = None
    detail: str = ""
    why: str = ""
    cure: str = ""
    potency: Potency = field(default_factory=lambda: Potency(0, 0))
    conditions: tuple[Condition, ...] = ()
    record: RunRecord | None = None

    def __str__(self) -> str:
        if self.kind is StatusKind.LEVEL and self.level is not None:
            return f"{self.level.value}/{self.ceiling.value}"
        return f"{self.kind.value}({self.detail})" if self.detail else self.kind.value

    @property
    def at_ceiling(self) -> bool:
        """True if the claim shows all that it can ever show."""
        return self.kind is StatusKind.LEVEL and self.level is self.ceiling


@dataclass(frozen=True, slots=True)
class Assessed:
    """A run record, and what has changed since it was made; nothing means fresh."""

    record: RunRecord
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class AssessedPatch:
    """The record of a planted change, and what has changed since."""

    record: PatchRecord
    changes: tuple[Change, ...] = ()


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


def measure_potency(falsifier: Falsifier, patches: Sequence[AssessedPatch]) -> Potency:
    """The count of killed defects among those declared now, at the present fingerprint."""
    killed = 0
    weak: list[str] = []
    missing: list[str] = []
    for item in falsifier.plants:
        answer = answer_to(item, _fresh(patches))
        if answer is None:
            missing.append(item.id)
        elif not answer.outcome.counts:
            weak.append(f"{item.id} {answer.outcome.value}")
        elif isinstance(item, Defect) and answer.outcome is PatchOutcome.KILLED:
            killed += 1
    return Potency(killed, len(falsifier.defects), tuple(weak), tuple(missing))


def level_conditions(
    falsifier: Falsifier, rule: LevelRule, record: RunRecord
) -> Iterator[Condition]:
    """What one level asks of a passing record, and whether the record shows it."""
    # The record passed and is fresh: without the option nothing would be measured.
    again = f"pv run {falsifier.id} --again"
    for entry in rule.reached:
        yield _reached_condition(entry, record)
    if rule.device is not None:
        used = "cuda" if record.cuda_peak_bytes > 0 else "cpu"
        cure = f"{again}, on a machine with {rule.device}"
        yield Condition(f"ran on {used}, asked {rule.device}", used == rule.device, cure)
    held, unasked = input_digests(record.manifest), unasked_inputs(record.manifest)
    for name in rule.inputs:
        if name in unasked:
            text = f"input {name} was asked for by no check"
            yield Condition(text, holds=False, cure=f'read it in the check: inputs("{name}")')
            continue
        yield Condition(f"input {name} present, by digest", bool(held.get(name)), again)
    judgements, unmeasured = judge(rule.measurements, record.measurements, falsifier.seeds)
    for judgement in judgements:
        yield Condition(str(judgement), judgement.holds, again)
    for bound in unmeasured:
        strange = find_unanswering([bound], record.measurements, falsifier.seeds)
        text = f"{bound}: {strange or 'never measured'}"
        yield Condition(text, holds=False, cure="measure it in the check")


def _reached_condition(entry: str, record: RunRecord) -> Condition:
    if entry in record.reached:
        return Condition(f"reached {entry} in a subprocess", holds=True)
    if entry in record.reached_in_process:
        text = f"{entry} was called in the check's own process, not through its command"
        return Condition(text, holds=False, cure="run the command in the check, with `cli`")
    text = f"{entry} was not reached"
    return Condition(text, holds=False, cure="run the command in the check, with `cli`")


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
_MOST_TOLD = 3
"""Of the planted changes that did not do as asked, so many are told with their reasons."""
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
    planted = _potency_conditions(falsifier, potency)
    everything = (*planted, *conditions)
    if potency.weak:
        detail = ", ".join(potency.weak)
        why = _weak_reason(falsifier, patches)
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


def highest_level(
    falsifier: Falsifier, record: RunRecord
) -> tuple[Level | None, tuple[Condition, ...]]:
    """The last level whose conditions, and those of all levels before it, hold."""
    held: Level | None = None
    seen: list[Condition] = []
    if falsifier.seeds is not None:
        # Without them the record would have been judged an error: see `judged_again`.
        seen.append(Condition(f"measured with {falsifier.seeds}", holds=True))
    for rule in falsifier.levels:
        conditions = tuple(level_conditions(falsifier, rule, record))
        seen.extend(conditions)
        if not all(c.holds for c in conditions):
            break
        held = rule.level
    return held, tuple(seen)


def _potency_conditions(falsifier: Falsifier, potency: Potency) -> Iterator[Condition]:
    if potency.missing:
        text = f"not planted at this fingerprint: {', '.join(potency.missing)}"
        yield Condition(text, holds=False, cure=f"pv prove {falsifier.id}")
    for text in potency.weak:
        yield Condition(text, holds=False, cure=cure_of_weak(falsifier.id, [text]))
    if not potency.missing and not potency.weak:
        yield Condition(f"{potency} planted defects killed, controls green", holds=True)


_CURES = {
    PatchOutcome.SURVIVED: "sharpen the check, or correct the defect",
    PatchOutcome.KILLED_FOR_ANOTHER_REASON: "measure what breaks, or correct `expect`",
    PatchOutcome.RED: "widen the check, or correct the control",
    PatchOutcome.KILLED_BY_CRASH: "catch what the defect does and measure it, or `accept` it",
    PatchOutcome.TIMEOUT: "pv prove {id}; if it hangs every time, `accept` it",
    PatchOutcome.RED_ON_ARRIVAL: "make the check deterministic: pv run {id} --repeat 5",
    PatchOutcome.VOID: "correct what the contract plants: pv prove --verify-anchors",
}
"""What to do about each outcome that doesn't count, from what says most about the check."""


def cure_of_weak(falsifier_id: str, weak: Sequence[str]) -> str:
    """What to do about planted changes that did not do as asked, `name OUTCOME` each.

    Of several outcomes the one that says most about the check has its cure told.
    """
    outcomes = {text.rpartition(" ")[2] for text in weak}
    cure = next(c for outcome, c in _CURES.items() if outcome.value in outcomes)
    return cure.format(id=falsifier_id)


def answer_to(plant: Plant, records: Iterable[PatchRecord]) -> PatchRecord | None:
    """The record that says what a planted change did, of those at one fingerprint.

    A settled outcome that doesn't count decides, then one that does, then one that settles
    nothing; of equals the newest.
    """
    digest = plant.digest
    found = (record for record in records if record.patch_digest == digest)
    return max(found, key=_decisive_last, default=None)


def _decisive_last(record: PatchRecord) -> tuple[bool, bool, tuple[float | bool | str, ...]]:
    outcome = record.outcome
    bad = outcome.is_settled and not outcome.counts
    return (bad, outcome.counts, newest_and_worst_last(record))


def _fresh(patches: Iterable[AssessedPatch]) -> list[PatchRecord]:
    return [patch.record for patch in patches if not patch.changes]


def newest_and_worst_last(record: PatchRecord) -> tuple[float, bool, str, str, str, str]:
    """A sorting key: of records of one moment the bad one is the last."""
    outcome = record.outcome
    told = (outcome.value, record.reason, record.lane, record.statement)
    return (record.finished_s, not outcome.counts, *told)


def _weak_reason(falsifier: Falsifier, patches: Sequence[AssessedPatch]) -> str:
    """What each planted change did instead, and why that is known: `one SURVIVED: reason`."""
    fresh = _fresh(patches)
    answers = ((plant, answer_to(plant, fresh)) for plant in falsifier.plants)
    told = [
        tell_answer(plant, answer, fresh)
        for plant, answer in answers
        if answer is not None and not answer.outcome.counts
    ]
    more = len(told) - _MOST_TOLD
    return "; ".join(told[:_MOST_TOLD]) + (f"; and {more} more" if more > 0 else "")


def tell_answer(plant: Plant, answer: PatchRecord, records: Iterable[PatchRecord]) -> str:
    """`minus SURVIVED: why`, and whether the same change did as asked at another time."""
    why = tell_reason(answer.reason).removeprefix(f"{plant.id}: ")
    told = ": ".join(filter(None, (f"{plant.id} {answer.outcome.value}", why)))
    digest = plant.digest
    good = [r.outcome.value for r in records if r.patch_digest == digest and r.outcome.counts]
    return f"{told} ({good[0]} at another time)" if good else told


def newest_first(records: Iterable[RunRecord]) -> list[RunRecord]:
    """The records, those of one moment ordered by all that they say, not by how they came."""
    found = list(records)
    if len(found) < 2:
        return found
    found.sort(key=lambda record: record.finished_s, reverse=True)
    moments = {record.finished_s for record in found}
    if len(moments) == len(found):
        return found
    # Spelling a record out costs more than all the rest: only where it has to decide.
    return sorted(found, key=_newest_last, reverse=True)


def _newest_last(record: RunRecord) -> tuple[float, str]:
    # Curves are left out: nothing judges them, and not every reader of a store keeps them.
    return (record.finished_s, repr(replace(record, series=())))
