from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from pv_harness.contracts.contract import Bound, Comparator
from pv_harness.judging.measurement import (
    Judgement,
    Measurement,
    find_unanswering,
    holds,
    judge,
    plain_value,
)


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


@given(COMPARATORS, NUMBERS, st.sampled_from([math.nan, math.inf, -math.inf]))
def test_what_is_no_real_number_breaks_every_bound_and_has_no_margin(
    comparator: Comparator, threshold: float, value: float
) -> None:
    judgement = Judgement(Bound("m", comparator, threshold), Measurement("m", value))
    assert not judgement.holds
    assert judgement.margin is None


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


def test_a_value_in_another_unit_is_held_against_nothing() -> None:
    bound = Bound("loss", Comparator.LE, 1.0, "nats")
    bits, nats = Measurement("loss", 0.5, "bits"), Measurement("loss", 2.0, "nats")
    assert judge([bound], [bits]) == ((), (bound,))
    problem = "loss was measured in bits, the bound is in nats"
    assert find_unanswering([bound], [nats, bits], None) == problem
    judgements, unmeasured = judge([bound], [bits, nats])
    assert [j.holds for j in judgements] == [False], "a refutation stands"
    assert unmeasured == (bound,)


@pytest.mark.parametrize(("bound", "measured"), [("nats", None), (None, "nats"), ("s", "s")])
def test_a_unit_that_only_one_side_names_is_that_of_both(
    bound: str | None, measured: str | None
) -> None:
    limit = Bound("loss", Comparator.LE, 1.0, bound)
    (judgement,), unmeasured = judge([limit], [Measurement("loss", 0.5, measured)])
    assert judgement.holds
    assert not unmeasured


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
