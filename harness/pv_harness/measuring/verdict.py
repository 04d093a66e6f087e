"""From the records of checks to one verdict per falsifier. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.evidence.records import Verdict
from pv_harness.judging.measurement import find_unanswering, judge
from pv_harness.measuring.record import Outcome
from pv_harness.wording import nearest


if TYPE_CHECKING:
    from collections.abc import Sequence

    from pv_harness.contracts.bindings import Check
    from pv_harness.contracts.contract import Bound, Falsifier
    from pv_harness.judging.measurement import Measurement
    from pv_harness.measuring.child import Measured
    from pv_harness.measuring.record import CheckRecord

_NOT_PASSED = (
    (Outcome.ERROR, Verdict.ERROR),
    (Outcome.BLOCKED, Verdict.BLOCKED),
    (Outcome.SKIPPED, Verdict.SKIPPED),
)


def decide(
    falsifier: Falsifier, checks: Sequence[Check], measured: Measured
) -> tuple[Verdict, str]:
    """The verdict on a falsifier, and for anything but PASSED the reason.

    A refutation by one check stands whatever became of the others. Short of that, a check that
    left no record, an error, a skip and a bound that nothing measured each keep it from
    being PASSED.
    """
    records = records_of(checks, measured)
    refuted = _first(records, Outcome.FAILED)
    if refuted is not None:
        return Verdict.FAILED, refuted.reason
    measurements = [m for r in records for m in r.measurements]
    judgements, unmeasured = judge(falsifier.bounds, measurements, falsifier.seeds)
    broken = [str(judgement) for judgement in judgements if not judgement.holds]
    if broken:
        return Verdict.FAILED, "; ".join(broken)
    missing = _missing_record(checks, measured)
    if missing:
        return Verdict.ERROR, missing
    for outcome, verdict in _NOT_PASSED:
        found = _first(records, outcome)
        if found is not None:
            return verdict, found.reason
    if unmeasured:
        strange = find_unanswering(unmeasured, measurements, falsifier.seeds)
        return Verdict.ERROR, strange or _describe_unmeasured(
            falsifier, unmeasured, measurements
        )
    return Verdict.PASSED, ""


def _describe_unmeasured(
    falsifier: Falsifier, unmeasured: Sequence[Bound], measurements: Sequence[Measurement]
) -> str:
    """Which bounds nothing measured, and what was measured that no bound names."""
    names = [bound.metric for bound in unmeasured]
    text = f"no check measured {', '.join(names)}, which the contract bounds"
    rules = (falsifier.bounds, *(level.measurements for level in falsifier.levels))
    named = {bound.metric for bounds in rules for bound in bounds}
    stray = sorted({m.metric for m in measurements} - named)
    if not stray:
        return text
    near = next((n for n in names if nearest(n, stray) is not None), None)
    text += f"; it measured {', '.join(stray)}"
    return (
        f"{text}; did you mean {near}?" if near is not None else f"{text}, which no bound names"
    )


def broken_metrics(falsifier: Falsifier, records: Sequence[CheckRecord]) -> tuple[str, ...]:
    """The metrics whose bounds these records break, sorted.

    Judged here, from the contract, whatever the process that measured made of it.
    """
    measurements = [m for r in records for m in r.measurements]
    judgements, _ = judge(falsifier.bounds, measurements, falsifier.seeds)
    return tuple(sorted({j.bound.metric for j in judgements if not j.holds}))


def records_of(checks: Sequence[Check], measured: Measured) -> list[CheckRecord]:
    """The records that these checks left, all parameter sets, in the order of the checks."""
    return [r for check in checks for r in measured.records.get(check.node_id, ())]


def _missing_record(checks: Sequence[Check], measured: Measured) -> str:
    for check in checks:
        if check.node_id in measured.lost:
            return f"{check.node_id}: {measured.lost[check.node_id].reason}"
        if not measured.records.get(check.node_id):
            return f"{check.node_id}: left no record"
    return ""


def _first(records: Sequence[CheckRecord], outcome: Outcome) -> CheckRecord | None:
    return next((record for record in records if record.outcome is outcome), None)
