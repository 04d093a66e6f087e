"""Student's t against another implementation, and the limits that follow from it."""

from __future__ import annotations

import math
import random
import statistics

import mpmath
import pytest
from hypothesis import given, strategies as st

from pv_harness.judging.student_t import mean_limit, mean_of, t_quantile


VALUES = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20)
CONFIDENCES = st.sampled_from([0.6, 0.9, 0.95, 0.99, 0.9999])


def tail(t: float, degrees: int) -> mpmath.mpf:
    """P(T > t) by the regularised incomplete beta function, DLMF 8.17."""
    with mpmath.workdps(40):
        v, t = mpmath.mpf(degrees), mpmath.mpf(t)
        return mpmath.betainc(v / 2, 0.5, 0, v / (v + t * t), regularized=True) / 2


@pytest.mark.parametrize("confidence", [0.55, 0.9, 0.95, 0.975, 0.99, 0.999, 0.9999])
@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 5, 9, 10, 30, 62, 63])
def test_the_quantile_is_the_one_of_another_implementation(
    confidence: float, degrees: int
) -> None:
    found = t_quantile(confidence, degrees)
    assert float(tail(found, degrees)) == pytest.approx(1 - confidence, rel=1e-10)


def test_the_quantiles_of_the_printed_table() -> None:
    printed = {(0.95, 2): 2.920, (0.95, 4): 2.132, (0.99, 9): 2.821, (0.975, 30): 2.042}
    assert {key: round(t_quantile(*key), 3) for key in printed} == printed


@given(VALUES, CONFIDENCES)
def test_the_limits_lie_on_both_sides_of_the_mean_and_widen_with_confidence(
    values: list[float], confidence: float
) -> None:
    low = mean_limit(values, confidence, upper=False)
    high = mean_limit(values, confidence, upper=True)
    assert low <= mean_of(values) <= high
    assert mean_limit(values, 0.99999, upper=True) >= high


@given(VALUES, st.randoms(use_true_random=False))
def test_the_order_of_sorted_values_is_all_that_counts(
    values: list[float], chance: random.Random
) -> None:
    shuffled = list(values)
    chance.shuffle(shuffled)
    once, again = (mean_limit(sorted(v), 0.95, upper=True) for v in (values, shuffled))
    assert once == again


@given(VALUES)
def test_the_limit_is_the_mean_plus_t_standard_errors(values: list[float]) -> None:
    error = statistics.stdev(values) / math.sqrt(len(values))
    expected = statistics.fmean(values) + t_quantile(0.95, len(values) - 1) * error
    assert mean_limit(values, 0.95, upper=True) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("value", [0.1, -3.0, 1e300])
def test_equal_values_are_their_own_limit(value: float) -> None:
    assert mean_limit([value] * 3, 0.99, upper=True) == value


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_gives_no_limit(bad: float) -> None:
    assert math.isnan(mean_limit([1.0, 2.0, bad], 0.95, upper=True))


def test_values_beyond_the_range_of_a_sum_give_no_limit() -> None:
    assert math.isnan(mean_limit([1.7e308, 1.6e308, 1.5e308], 0.95, upper=True))


def test_a_wrong_claim_passes_as_often_as_the_confidence_allows() -> None:
    # The mean is exactly on the threshold: a test at 95 % may pass one time in twenty.
    chance = random.Random(7)
    passed = sum(
        mean_limit([chance.gauss(1.0, 0.3) for _ in range(4)], 0.95, upper=True) < 1.0
        for _ in range(4000)
    )
    assert 0.04 < passed / 4000 < 0.06
