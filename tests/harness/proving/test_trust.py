"""A fork's answer is believed only where being a fork could not be its cause."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, strategies as st
from tests.harness.proving.conftest import CLAIM, PATCH

from pv_harness.contracts.contract import (
    Control,
    Defect,
)
from pv_harness.evidence.records import PatchOutcome
from pv_harness.proving.outcome import Answer
from pv_harness.proving.trust import Trust, Waiting


PLAIN, LENIENT = Defect(PATCH, "loss"), Defect(PATCH, "loss", ("KILLED_BY_CRASH",))
ITEMS = st.sampled_from([PLAIN, LENIENT, Control(PATCH)])
ANSWERS = st.builds(
    Answer,
    st.sampled_from(PatchOutcome),
    held=st.frozensets(st.sampled_from(["loss", "steps"])),
)


def trust_after(answers: list[Answer]) -> Trust:
    trust = Trust(CLAIM, 1)
    for answer in answers:
        trust.note(answer)
    return trust


@given(st.lists(ANSWERS, max_size=4), ITEMS)
def test_a_survivor_a_crash_and_a_red_control_are_asked_again(
    before: list[Answer], item: Defect | Control
) -> None:
    trust = trust_after(before)
    for outcome in (
        "SURVIVED",
        "KILLED_BY_CRASH",
        "TIMEOUT",
        "KILLED_FOR_ANOTHER_REASON",
        "RED",
    ):
        assert not trust.believes(item, Answer(PatchOutcome(outcome)))
        assert not trust.may_wait(item, Answer(PatchOutcome(outcome)))


@given(st.lists(ANSWERS, max_size=4))
def test_a_kill_is_believed_once_a_fork_has_held_its_bound(before: list[Answer]) -> None:
    kill = Answer(PatchOutcome.KILLED)
    trust = trust_after(before)
    held = {metric for answer in before for metric in answer.held}
    assert trust.believes(PLAIN, kill) == ("loss" in held)
    assert trust.may_wait(PLAIN, kill)


@given(st.lists(ANSWERS, max_size=4))
def test_a_crash_that_counts_is_believed_once_every_bound_was_held(
    before: list[Answer],
) -> None:
    held = {metric for answer in before for metric in answer.held}
    trust = trust_after(before)
    assert trust.believes(LENIENT, Answer(PatchOutcome.KILLED)) == (held == {"loss", "steps"})


@given(st.lists(ANSWERS, max_size=4), ITEMS, ANSWERS, ANSWERS)
def test_what_is_believed_is_believed_whatever_is_seen_later(
    before: list[Answer], item: Defect | Control, answer: Answer, later: Answer
) -> None:
    trust = trust_after(before)
    if trust.believes(item, answer):
        trust.note(later)
        assert trust.believes(item, answer)


def test_a_fork_is_no_cause_of_what_was_never_run() -> None:
    for outcome in (PatchOutcome.VOID, PatchOutcome.RED_ON_ARRIVAL, PatchOutcome.GREEN):
        assert Trust(CLAIM, 1).believes(Control(PATCH), Answer(outcome))


@given(ANSWERS, ANSWERS)
def test_a_kill_that_waits_is_released_as_soon_as_it_is_believed(
    answer: Answer, later: Answer
) -> None:
    trust = Trust(CLAIM, 2)
    waiting = Waiting(0, PLAIN, replace(answer, outcome=PatchOutcome.KILLED))
    trust.waiting.append(waiting)
    trust.note(later)
    released = trust.release()
    assert released == ([waiting] if "loss" in later.held else [])
    assert trust.waiting == ([] if released else [waiting])
    assert trust.release() == []
