"""The status of a falsifier, derived: one pure function of claim, evidence and tree.

A level holds if some passing record at the present fingerprint meets the conditions of that
level and of all below it, every planted defect was killed and every control stayed green on the
same fingerprint, and no record at it is red. Nothing here reads a file or a clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING

from pv_harness.evidence.records import PatchOutcome, Verdict
from pv_harness.exit_code import ExitCode
from pv_harness.fingerprint.manifest import input_digests
from pv_harness.judging.measurement import find_seed_problem, judge


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pv_harness.contracts.contract import Falsifier, Level, LevelRule
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
    fresh = sorted(judged, key=_newest_last, reverse=True)
    decided = _red_or_absent(falsifier, fresh, runs, patches)
    if decided is not None:
        return replace(decided, potency=potency)
    passed = [r for r in fresh if r.verdict is Verdict.PASSED]
    return _status_of_passed(falsifier, passed, potency, patches)


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
    seedless = find_seed_problem(bounds, record.measurements, seeds)
    reason = f"passed, but {seedless or f'{unmeasured[0].metric} was never measured'}"
    return replace(record, verdict=Verdict.ERROR, reason=reason)


def measure_potency(falsifier: Falsifier, patches: Sequence[AssessedPatch]) -> Potency:
    """The count of killed defects among those declared now, at the present fingerprint."""
    weak: list[str] = []
    missing: list[str] = []
    for item in falsifier.plants:
        outcome = _fresh_outcome(item.digest, patches)
        if outcome is None:
            missing.append(item.id)
        elif not outcome.counts:
            weak.append(f"{item.id} {outcome.value}")
    killed = sum(
        _fresh_outcome(d.digest, patches) is PatchOutcome.KILLED for d in falsifier.defects
    )
    return Potency(killed, len(falsifier.defects), tuple(weak), tuple(missing))


def level_conditions(
    falsifier: Falsifier, rule: LevelRule, record: RunRecord
) -> Iterator[Condition]:
    """What one level asks of a passing record, and whether the record shows it."""
    for entry in rule.reached:
        yield _reached_condition(entry, record)
    if rule.device is not None:
        used = "cuda" if record.cuda_peak_bytes > 0 else "cpu"
        cure = f"pv run {falsifier.id} on a machine with {rule.device}"
        yield Condition(f"ran on {used}, asked {rule.device}", used == rule.device, cure)
    held = input_digests(record.manifest)
    for name in rule.inputs:
        yield Condition(
            f"input {name} present, by digest", bool(held.get(name)), f"pv run {falsifier.id}"
        )
    judgements, unmeasured = judge(rule.measurements, record.measurements, falsifier.seeds)
    for judgement in judgements:
        yield Condition(str(judgement), judgement.holds, f"pv run {falsifier.id}")
    for bound in unmeasured:
        seedless = find_seed_problem([bound], record.measurements, falsifier.seeds)
        text = f"{bound}: {seedless or 'never measured'}"
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
        why, cure = _first_line(failed[0].reason), f"pv explain {falsifier.id}"
        detail = ", ".join(failed[0].broken)
        return Status(StatusKind.FAILED, ceiling, None, detail, why, cure, record=failed[0])
    for verdict, kind in _ABSENT:
        found = by_verdict[verdict]
        if found and (not passed or _newest_last(found[0]) > _newest_last(passed[0])):
            why, detail = _first_line(found[0].reason), ""
            cure = f"pv run {falsifier.id} --again"
            if verdict is Verdict.BLOCKED:
                detail = why
                cure = f"pv run --prove {falsifier.id}, where {falsifier.requires} is"
            return Status(kind, ceiling, None, detail, why, cure, record=found[0])
    return None if passed else _stale_or_never(falsifier, runs, patches)


_ABSENT = (
    (Verdict.ERROR, StatusKind.ERROR),
    (Verdict.SKIPPED, StatusKind.NOT_RUN),
    (Verdict.BLOCKED, StatusKind.BLOCKED),
)


def _stale_or_never(
    falsifier: Falsifier, runs: Sequence[Assessed], patches: Sequence[AssessedPatch]
) -> Status:
    ceiling, cure = falsifier.ceiling, f"pv run --prove {falsifier.id}"
    stale = sorted((a for a in runs if a.changes), key=lambda a: _newest_last(a.record))
    if not stale:
        return Status(StatusKind.NOT_RUN, ceiling, why="never measured", cure=cure)
    last = stale[-1]
    level = _former_level(falsifier, last.record, patches)
    was = level.value if level else last.record.verdict.value
    because = str(last.changes[0])
    if len(last.changes) > 1:
        because += f" and {len(last.changes) - 1} more"
    detail = f"was {was}, because {because}"
    return Status(StatusKind.STALE, ceiling, level, detail, because, cure, record=last.record)


def _former_level(
    falsifier: Falsifier, record: RunRecord, patches: Sequence[AssessedPatch]
) -> Level | None:
    if record.verdict is not Verdict.PASSED:
        return None
    then = [
        AssessedPatch(p.record)
        for p in patches
        if p.record.manifest.fingerprint == record.manifest.fingerprint
    ]
    potency = measure_potency(falsifier, then)
    if potency.missing or potency.weak:
        return None
    return highest_level(falsifier, record)[0]


def _status_of_passed(
    falsifier: Falsifier,
    passed: Sequence[RunRecord],
    potency: Potency,
    patches: Sequence[AssessedPatch],
) -> Status:
    ranked = [(record, *highest_level(falsifier, record)) for record in passed]
    record, level, conditions = max(ranked, key=lambda r: r[1].rank if r[1] else -1)
    prove = f"pv prove {falsifier.id}"
    planted = _potency_conditions(potency, prove)
    everything = (*planted, *conditions)
    if potency.weak:
        detail = ", ".join(potency.weak)
        why = _patch_reason(falsifier, patches)
        kind, cure = StatusKind.VACUOUS, "sharpen the check, or correct the defect"
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


def _potency_conditions(potency: Potency, cure: str) -> Iterator[Condition]:
    if potency.missing:
        names = ", ".join(potency.missing)
        yield Condition(f"not planted at this fingerprint: {names}", holds=False, cure=cure)
    for text in potency.weak:
        yield Condition(text, holds=False, cure="sharpen the check, or correct the defect")
    if not potency.missing and not potency.weak:
        yield Condition(f"{potency} planted defects killed, controls green", holds=True)


def _fresh_outcome(digest: str, patches: Sequence[AssessedPatch]) -> PatchOutcome | None:
    """The outcome of the newest fresh record of a patch; a bad one at the same time wins."""
    found = [p.record for p in patches if p.record.patch_digest == digest and not p.changes]
    if not found:
        return None
    newest = max(found, key=lambda r: (r.finished_s, not r.outcome.counts, r.outcome.value))
    return newest.outcome


def _patch_reason(falsifier: Falsifier, patches: Sequence[AssessedPatch]) -> str:
    declared = {d.digest for d in falsifier.plants}
    weak = [
        p.record
        for p in patches
        if p.record.patch_digest in declared and not p.changes and not p.record.outcome.counts
    ]
    newest = max(weak, key=lambda r: (r.finished_s, r.patch_id, r.outcome.value, r.reason))
    return f"{newest.patch_id}: {_first_line(newest.reason)}"


def _newest_last(record: RunRecord) -> tuple[float, str]:
    # Records of one moment are ordered by all that they say, never by how they were listed.
    return (record.finished_s, repr(record))


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else ""
