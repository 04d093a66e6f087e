"""What a claim over several seeds is held to."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from pv_harness.contracts.contract import Bound, Comparator, SeedRule, Seeds
from pv_harness.judging.measurement import Measurement, find_unanswering, judge


EACH = Seeds((0, 1, 2))
MEAN = Seeds((0, 1, 2), SeedRule.T_TEST, 0.95)
LOSS = Bound("loss", Comparator.LT, 2.0, "nats")


def losses(*values: float, seeds: tuple[int | None, ...] = (0, 1, 2)) -> list[Measurement]:
    return [
        Measurement("loss", value, seed=seed) for value, seed in zip(values, seeds, strict=True)
    ]


def test_every_seed_has_to_keep_the_bound() -> None:
    judgements, left_open = judge([LOSS], losses(1.0, 2.5, 1.0), EACH)
    assert [j.holds for j in judgements] == [True, False, True]
    assert left_open == ()


def test_a_mean_has_to_keep_it_with_confidence() -> None:
    (close,), _ = judge([LOSS], losses(1.7, 1.9, 2.1), MEAN)
    (clear,), _ = judge([LOSS], losses(1.5, 1.6, 1.7), MEAN)
    assert (close.holds, clear.holds) == (False, True)
    assert str(clear) == (
        "loss is 1.76859 (upper 95 % limit of the mean 1.6 over 3 seeds), must be < 2"
    )
    assert clear.margin == pytest.approx(0.23141, rel=1e-4)


def test_one_bad_seed_may_be_outweighed_by_a_mean_but_not_by_a_bound() -> None:
    bound = Bound("loss", Comparator.LT, 3.0)
    values = losses(1.0, 1.1, 1.2)
    assert all(j.holds for j in judge([bound], values, MEAN)[0])


def test_a_lower_bound_is_held_against_the_lower_limit() -> None:
    bound = Bound("loss", Comparator.GE, 1.0)
    (judgement,), _ = judge([bound], losses(1.1, 1.2, 1.3), MEAN)
    assert judgement.measurement.value == pytest.approx(1.03141, rel=1e-4)
    assert judgement.note.startswith("lower 95 % limit")


def test_equal_values_are_judged_as_they_are() -> None:
    (judgement,), _ = judge([LOSS], losses(2.0, 2.0, 2.0), MEAN)
    assert (judgement.measurement.value, judgement.holds) == (2.0, False)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_value_that_is_not_finite_breaks_the_bound(bad: float) -> None:
    (judgement,), _ = judge([LOSS], losses(1.0, 1.1, bad), MEAN)
    assert not judgement.holds


def test_a_value_that_is_no_number_breaks_the_bound() -> None:
    values = [*losses(1.0, 1.1, seeds=(0, 1)), Measurement("loss", "low", seed=2)]
    judgements, _ = judge([LOSS], values, MEAN)
    assert [j.holds for j in judgements] == [True, True, False]


@pytest.mark.parametrize(
    ("seeds", "rule", "problem"),
    [
        ((0, 1), EACH, "loss was never measured with seed 2"),
        ((0,), MEAN, "loss was never measured with seed 1, 2"),
        ((0, 1, 7), EACH, "loss was measured with seed 7, which the contract does not list"),
        (
            (0, 1, None),
            EACH,
            "loss was measured by a check that never asked for the fixture `seed`",
        ),
        (
            (0, 1, 2, 2),
            MEAN,
            "loss was measured twice with seed 2; a t-test takes one value of each seed",
        ),
        ((0, 1, 2, 2), EACH, ""),
        ((0, 1, 2), MEAN, ""),
    ],
)
def test_what_keeps_a_claim_from_being_answered_is_named(
    seeds: tuple[int | None, ...], rule: Seeds, problem: str
) -> None:
    values = losses(*[1.0] * len(seeds), seeds=seeds)
    assert find_unanswering([LOSS], values, rule) == problem
    assert judge([LOSS], values, rule)[1] == ((LOSS,) if problem else ())


def test_a_claim_without_seeds_has_no_such_problem() -> None:
    assert find_unanswering([LOSS], losses(1.0, seeds=(None,)), None) == ""


@given(st.permutations(range(3)))
def test_the_order_of_measurements_makes_no_difference(order: list[int]) -> None:
    values = losses(1.1, 1.7, 1.9)
    assert judge([LOSS], [values[i] for i in order], MEAN) == judge([LOSS], values, MEAN)


@given(st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=3), st.integers(0, 2))
def test_taking_a_seed_away_never_answers_more(values: list[float], missing: int) -> None:
    every = losses(*values)
    fewer = [m for m in every if m.seed != missing]
    for rule in (EACH, MEAN):
        assert judge([LOSS], fewer, rule)[1] == (LOSS,)
