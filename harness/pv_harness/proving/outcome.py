"""What a planted change did to the checks of its falsifier. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pv_harness.contracts.contract import Control
from pv_harness.evidence.records import PatchOutcome, Verdict
from pv_harness.judging.measurement import judge
from pv_harness.measuring.record import Outcome
from pv_harness.measuring.verdict import broken_metrics, decide, records_of


if TYPE_CHECKING:
    from collections.abc import Sequence

    from pv_harness.contracts.bindings import Check
    from pv_harness.contracts.contract import Defect, Falsifier, Plant
    from pv_harness.measuring.child import Measured
    from pv_harness.measuring.record import CheckRecord


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one planted change.

    Attributes:
        held: metrics that were measured, each of them within its bound throughout.
    """

    outcome: PatchOutcome
    reason: str = ""
    held: frozenset[str] = frozenset()


def judge_planted(
    falsifier: Falsifier, checks: Sequence[Check], item: Plant, measured: Measured
) -> Answer:
    """The answer to a planted change, from what the checks left behind."""
    held = held_metrics(falsifier, records_of(checks, measured))
    if isinstance(item, Control):
        verdict, reason = decide(falsifier, checks, measured)
        green = verdict is Verdict.PASSED
        return Answer(PatchOutcome.GREEN if green else PatchOutcome.RED, reason, held)
    lost = [
        (measured.lost[c.node_id].reason, measured.lost[c.node_id].timed_out)
        for c in checks
        if c.node_id in measured.lost
    ]
    answer = classify_defect(falsifier, item.expect, records_of(checks, measured), lost)
    return replace(accept_as_kill(item, answer), held=held)


def classify_defect(
    falsifier: Falsifier,
    expect: str,
    records: Sequence[CheckRecord],
    lost: Sequence[tuple[str, bool]],
) -> Answer:
    """What a planted defect did to the checks of its falsifier.

    Args:
        falsifier: the claim, whose bounds are judged here once more.
        expect: the metric whose bound it must break.
        records: what the checks left behind.
        lost: for each check without a record the reason, and whether it was a timeout.
    """
    # The reason is judged here, not taken from the record: a check that is ended as soon as it
    # has shown the broken bound had no time to say why it is red.
    for record in records:
        alone = _broken_bounds(falsifier, [record])
        if expect in alone:
            return Answer(PatchOutcome.KILLED, alone[expect])
    together = _broken_bounds(falsifier, records)
    if expect in together:
        return Answer(PatchOutcome.KILLED, together[expect])
    reds = [
        (", ".join(broken_metrics(falsifier, [record])) or "an assertion", record.reason)
        for record in records
        if record.outcome is Outcome.FAILED
    ]
    for cause, said in (*reds, *together.items()):
        reason = f"red because of {cause}, not {expect}: {said}"
        return Answer(PatchOutcome.KILLED_FOR_ANOTHER_REASON, reason)
    return _broken_or_green(records, lost)


def accept_as_kill(defect: Defect, answer: Answer) -> Answer:
    """The answer, a kill if the contract counts this way of going down as one."""
    if answer.outcome.value not in defect.accept:
        return answer
    reason = f"{answer.outcome.value}, which the contract accepts: {answer.reason}"
    return replace(answer, outcome=PatchOutcome.KILLED, reason=reason)


def _broken_or_green(
    records: Sequence[CheckRecord], lost: Sequence[tuple[str, bool]]
) -> Answer:
    """The answer where no bound broke and no assertion failed."""
    errors = [(r.reason, r.timed_out) for r in records if r.outcome is Outcome.ERROR]
    for reason, timed_out in (*lost, *errors):
        outcome = PatchOutcome.TIMEOUT if timed_out else PatchOutcome.KILLED_BY_CRASH
        return Answer(outcome, reason)
    for record in records:
        if record.outcome in {Outcome.SKIPPED, Outcome.BLOCKED}:
            return Answer(PatchOutcome.SURVIVED, f"the check was skipped: {record.reason}")
    return Answer(PatchOutcome.SURVIVED, "every bound check stayed green")


def _broken_bounds(falsifier: Falsifier, records: Sequence[CheckRecord]) -> dict[str, str]:
    """Metric -> the judgement that breaks its bound, these records taken together.

    A rule over several seeds may be broken by what all of them gave, and by no record alone.
    """
    measurements = [m for r in records for m in r.measurements]
    judgements, _ = judge(falsifier.bounds, measurements, falsifier.seeds)
    return {j.bound.metric: str(j) for j in judgements if not j.holds}


def held_metrics(falsifier: Falsifier, records: Sequence[CheckRecord]) -> frozenset[str]:
    """The metrics with a bound that these records measured and never broke."""
    judgements, _ = judge(
        falsifier.bounds, [m for r in records for m in r.measurements], falsifier.seeds
    )
    broken = {j.bound.metric for j in judgements if not j.holds}
    return frozenset(j.bound.metric for j in judgements) - broken
