"""What each level asks of a passing record, and the highest level whose conditions hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.deriving.status import Condition
from pv_harness.fingerprint.manifest import input_digests, unasked_inputs
from pv_harness.judging.measurement import find_unanswering, judge


if TYPE_CHECKING:
    from collections.abc import Iterator

    from pv_harness.contracts.contract import Falsifier, Level, LevelRule
    from pv_harness.evidence.records import RunRecord


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
    module = entry.partition(":")[0]
    cure = f"run the command in the check, with `cli`; scripts as `python -m {module}`"
    return Condition(f"{entry} was not reached", holds=False, cure=cure)
