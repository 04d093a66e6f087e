from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from pv_harness.contracts.contract import Bound, Comparator
from pv_harness.judging.measurement import Judgement, Measurement, holds, judge, plain_value


NUMBERS = st.one_of(
    st.integers(-(10**9), 10**9), st.floats(allow_nan=False, allow_infinity=False, width=32)
)
COMPARATORS = st.sampled_from(Comparator)


@given(NUMBERS, NUMBERS)
def test_each_comparator_agrees_with_python(value: float, threshold: float) -> None:
    truth = {
        Comparator.EQ: value == threshold,
        Comparator.NE: value != threshold,
        Comparator.LT: value < threshold,
        Comparator.LE: value <= threshold,
        Comparator.GT: value > threshold,
        Comparator.GE: value >= threshold,
    }
    found = {c: holds(Bound("m", c, threshold), value) for c in Comparator}
    assert found == truth


@given(COMPARATORS, NUMBERS)
def test_nan_breaks_every_bound(comparator: Comparator, threshold: float) -> None:
    assert not holds(Bound("m", comparator, threshold), math.nan)


@given(COMPARATORS)
def test_a_value_of_another_kind_breaks_every_bound(comparator: Comparator) -> None:
    yes = True
    assert not holds(Bound("m", comparator, 1), "1")
    assert not holds(Bound("m", comparator, 1), yes)
    assert not holds(Bound("m", comparator, yes), 1)


@given(NUMBERS, NUMBERS)
def test_the_margin_is_negative_exactly_where_an_inclusive_bound_is_broken(
    value: float, threshold: float
) -> None:
    for comparator in (Comparator.LE, Comparator.GE):
        judgement = Judgement(Bound("m", comparator, threshold), Measurement("m", value))
        assert judgement.margin is not None
        assert (judgement.margin >= 0) == judgement.holds


def test_every_measurement_of_a_metric_is_judged_and_unmeasured_bounds_are_named() -> None:
    low, other = Bound("low", Comparator.GE, 1), Bound("other", Comparator.EQ, 0)
    judgements, unmeasured = judge([low, other], [Measurement("low", 2), Measurement("low", 0)])
    assert [j.holds for j in judgements] == [True, False]
    assert unmeasured == (other,)


def test_scalars_of_array_libraries_become_plain() -> None:
    class Scalar:
        def item(self) -> float:
            return 1.5

    assert plain_value(Scalar()) == 1.5


@pytest.mark.parametrize("value", [None, [1], {}, object()])
def test_what_is_no_scalar_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="a bool, a number or a string"):
        plain_value(value)
