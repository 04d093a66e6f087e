"""What a planted change did, from what the checks left behind."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st
from tests.harness.proving.conftest import CLAIM, PATCH

from pv_harness.contracts.bindings import Check
from pv_harness.contracts.contract import (
    Control,
    Defect,
    Seeds,
)
from pv_harness.evidence.records import PatchOutcome
from pv_harness.judging.measurement import Measurement
from pv_harness.measuring.child import Lost, Measured
from pv_harness.measuring.record import CheckRecord, Outcome
from pv_harness.proving.outcome import (
    Answer,
    accept_as_kill,
    classify_defect,
    held_metrics,
    judge_planted,
)


NODE = "t.py::test_x"
CHECK = Check("A-001", "t.py", 1, "test_x", NODE)


def record(
    outcome: Outcome = Outcome.PASSED,
    *,
    loss: float | None = 0,
    steps: float | None = 3,
    node: str = NODE,
    timed_out: bool = False,
    seed: int | None = None,
) -> CheckRecord:
    values = {"loss": loss, "steps": steps}
    measurements = tuple(
        Measurement(m, v, node=node, seed=seed) for m, v in values.items() if v is not None
    )
    return CheckRecord(
        node, "A-001", outcome, measurements, reason="said so", timed_out=timed_out
    )


def defect(*accept: str) -> Defect:
    return Defect(PATCH, "loss", accept)


Lost_ = tuple[str, bool]
TOO_HIGH = "loss is 2, but must be ≤ 1"


@pytest.mark.parametrize(
    ("records", "lost", "outcome", "reason"),
    [
        # Judged here, whatever the record says: one that was ended early says nothing.
        ([record(Outcome.FAILED, loss=2)], [], "KILLED", TOO_HIGH),
        # whatever else happened: the declared reason was seen
        ([record(Outcome.ERROR, loss=2, steps=None)], [], "KILLED", TOO_HIGH),
        ([record(), record(Outcome.FAILED, loss=2)], [("gone", True)], "KILLED", TOO_HIGH),
        (
            [record(Outcome.FAILED, loss=float("nan"))],
            [],
            "KILLED",
            "loss is nan, but must be ≤ 1",
        ),
        (
            [record(Outcome.FAILED, steps=4)],
            [],
            "KILLED_FOR_ANOTHER_REASON",
            "red because of steps, not loss: said so",
        ),
        (
            [record(Outcome.FAILED)],
            [("gone", False)],
            "KILLED_FOR_ANOTHER_REASON",
            "red because of an assertion, not loss: said so",
        ),
        ([record(Outcome.ERROR)], [], "KILLED_BY_CRASH", "said so"),
        ([record(Outcome.ERROR, timed_out=True)], [], "TIMEOUT", "said so"),
        ([], [("its process died", False)], "KILLED_BY_CRASH", "its process died"),
        ([record()], [("did not end", True)], "TIMEOUT", "did not end"),
        (
            [record(Outcome.SKIPPED)],
            [],
            "SURVIVED",
            "the check was skipped: said so",
        ),
        ([record()], [], "SURVIVED", "every bound check stayed green"),
    ],
)
def test_each_end_of_a_check_has_an_answer_of_its_own(
    records: list[CheckRecord], lost: list[Lost_], outcome: str, reason: str
) -> None:
    answer = classify_defect(CLAIM, "loss", records, lost)
    assert (answer.outcome.value, answer.reason) == (outcome, reason)


RECORDS = st.lists(
    st.builds(
        record,
        st.sampled_from(Outcome),
        loss=st.none() | st.sampled_from([0.0, 1.0, 1.5, float("nan")]),
        steps=st.none() | st.sampled_from([3, 4]),
        timed_out=st.booleans(),
    ),
    max_size=4,
)
LOST = st.lists(st.tuples(st.text(max_size=3), st.booleans()), max_size=2)


@given(RECORDS, LOST)
def test_a_kill_is_the_bound_that_the_contract_names_and_no_other(
    records: list[CheckRecord], lost: list[Lost_]
) -> None:
    values = [m.value for r in records for m in r.measurements if m.metric == "loss"]
    broken = any(value not in {0.0, 1.0} for value in values)
    answer = classify_defect(CLAIM, "loss", records, lost)
    assert (answer.outcome is PatchOutcome.KILLED) == broken


@given(RECORDS, LOST)
def test_what_is_all_green_survives(records: list[CheckRecord], lost: list[Lost_]) -> None:
    answer = classify_defect(CLAIM, "loss", records, lost)
    if answer.outcome is PatchOutcome.SURVIVED:
        assert not lost
        ends = {r.outcome for r in records}
        assert ends <= {Outcome.PASSED, Outcome.SKIPPED, Outcome.BLOCKED}


@given(RECORDS, LOST, st.randoms())
def test_the_order_of_the_records_decides_nothing(
    records: list[CheckRecord], lost: list[Lost_], random: object
) -> None:
    shuffled = list(records)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    kinds = {PatchOutcome.TIMEOUT: PatchOutcome.KILLED_BY_CRASH}
    first = classify_defect(CLAIM, "loss", records, lost).outcome
    second = classify_defect(CLAIM, "loss", shuffled, lost).outcome
    # Of a crash and a timeout in one run the first that is seen is named.
    assert kinds.get(first, first) == kinds.get(second, second)


@given(st.sampled_from(PatchOutcome), st.sets(st.sampled_from(["KILLED_BY_CRASH", "TIMEOUT"])))
def test_only_what_the_contract_accepts_becomes_a_kill(
    outcome: PatchOutcome, accept: set[str]
) -> None:
    answer = Answer(outcome, "seen")
    accepted = accept_as_kill(defect(*sorted(accept)), answer)
    if outcome.value in accept:
        assert accepted.outcome is PatchOutcome.KILLED
        assert accepted.reason == f"{outcome.value}, which the contract accepts: seen"
    else:
        assert accepted == answer


def test_all_seeds_together_can_kill_where_none_does_alone() -> None:
    claim = replace(CLAIM, seeds=Seeds((1, 2)))
    alone = [record(loss=2, seed=1)]
    together = [*alone, record(loss=0, seed=2, node=f"{NODE}[2]")]
    assert classify_defect(claim, "loss", together, []).outcome is PatchOutcome.KILLED


@given(RECORDS)
def test_a_metric_is_held_if_it_was_measured_and_never_broken(
    records: list[CheckRecord],
) -> None:
    held = held_metrics(CLAIM, records)
    measured = {m.metric for r in records for m in r.measurements}
    assert held <= measured
    for name in measured - held:
        assert classify_defect(CLAIM, name, records, []).outcome is PatchOutcome.KILLED


def test_a_control_is_red_for_whatever_reason_its_falsifier_is_not_green() -> None:
    control = Control(PATCH)

    def judged(measured: Measured) -> tuple[str, str]:
        answer = judge_planted(CLAIM, [CHECK], control, measured)
        return answer.outcome.value, answer.reason

    assert judged(Measured({NODE: [record()]})) == ("GREEN", "")
    red = Measured({NODE: [record(Outcome.FAILED, loss=2)]})
    assert judged(red) == ("RED", "said so")
    assert judged(Measured(lost={NODE: Lost("gone")})) == ("RED", f"{NODE}: gone")
    unmeasured = Measured({NODE: [record(loss=None)]})
    assert judged(unmeasured) == ("RED", "no check measured loss, which the contract bounds")


def test_an_answer_says_what_was_held() -> None:
    measured = Measured({NODE: [record(Outcome.FAILED, loss=2)]})
    answer = judge_planted(CLAIM, [CHECK], defect(), measured)
    assert answer.outcome is PatchOutcome.KILLED
    assert answer.held == {"steps"}
