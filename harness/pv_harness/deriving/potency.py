"""What the planted changes did: the count of killed defects, and why it is not higher."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.contracts.contract import Defect
from pv_harness.deriving.order import newest_and_worst_last
from pv_harness.deriving.reason import tell_reason
from pv_harness.deriving.status import AssessedPatch, Condition, Potency
from pv_harness.evidence.records import PatchOutcome


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pv_harness.contracts.contract import Falsifier, Plant
    from pv_harness.evidence.records import PatchRecord


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


_MOST_TOLD = 3
"""Of the planted changes that did not do as asked, so many are told with their reasons."""


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


def potency_conditions(falsifier: Falsifier, potency: Potency) -> Iterator[Condition]:
    """What every level asks of the planted changes, and whether they show it."""
    if potency.missing:
        text = f"not planted at this fingerprint: {', '.join(potency.missing)}"
        yield Condition(text, holds=False, cure=f"pv prove {falsifier.id}")
    for text in potency.weak:
        yield Condition(text, holds=False, cure=cure_of_weak(falsifier.id, [text]))
    if not potency.missing and not potency.weak:
        yield Condition(what_is_shown(falsifier, potency), holds=True)


def what_is_shown(falsifier: Falsifier, potency: Potency) -> str:
    """What the planted changes have to show: kills, and green controls where there are any."""
    controls = ", controls green" if falsifier.controls else ""
    return f"{potency} planted defects killed{controls}"


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


def weak_reason(falsifier: Falsifier, patches: Sequence[AssessedPatch]) -> str:
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
