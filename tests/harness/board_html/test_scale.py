from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from pv_harness.board.html.scale import (
    Scale,
    scale_along,
    scale_for,
    show_tick,
    show_ticks,
)


NUMBERS = st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=12)
FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(NUMBERS, FINITE)
def test_every_finite_value_has_a_place_between_the_ends(
    values: list[float], other: float
) -> None:
    for scale in (scale_for(values), scale_along(values)):
        assert scale.low < scale.high
        assert 0.0 <= scale.position(other) <= 1.0


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=12))
def test_greater_values_never_stand_lower(values: list[float]) -> None:
    scale = scale_for(values)
    places = [scale.position(value) for value in sorted(values)]
    assert places == sorted(places)


@given(NUMBERS, st.integers(2, 8))
def test_ticks_are_few_ascending_and_within(values: list[float], count: int) -> None:
    scale = scale_for(values)
    ticks = scale.ticks(count)
    assert len(ticks) <= count + 1
    assert list(ticks) == sorted(set(ticks))
    room = (scale.high - scale.low) * 1e-9
    assert all(scale.low - room <= tick <= scale.high + room for tick in ticks)


@given(st.floats(-1e300, 1e300))
def test_a_tick_is_short_and_close_to_its_value(value: float) -> None:
    text = show_tick(value)
    assert len(text) <= 11
    assert math.isclose(float(text), value, rel_tol=0.01, abs_tol=1e-320)


@pytest.mark.parametrize(
    ("scale", "ticks"),
    [
        (Scale(0.0, 3.3), (0, 1, 2, 3)),
        (Scale(0.93, 1.06), (0.95, 1.0, 1.05)),
        (Scale(1e-7, 2e-3, logarithmic=True), (1e-7, 1e-5, 1e-3)),
    ],
)
def test_ticks_are_round_numbers(scale: Scale, ticks: tuple[float, ...]) -> None:
    assert scale.ticks(4) == pytest.approx(ticks)


@pytest.mark.parametrize(
    ("values", "logarithmic"),
    [((1e-7, 1e-3), True), ((1e-7, 1e-5), False), ((0.0, 1e-3, 10.0), False)],
)
def test_three_decades_of_positive_values_are_shown_by_factors(
    values: tuple[float, ...],
    logarithmic: bool,  # noqa: FBT001
) -> None:
    assert scale_for(values).logarithmic is logarithmic


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((0.0, "0"), (0.95, "0.95"), (1500.0, "1500"), (1e-5, "1e-5"), (2.5e9, "2.5e9")),
        *((1e4, "10000"), (-99999.9, "-100000"), (12345.6, "12346")),
    ],
)
def test_ticks_are_spelled_short(value: float, text: str) -> None:
    assert show_tick(value) == text


@given(st.floats(-1e6, 1e6), st.floats(1e-5, 1e3))
def test_ticks_of_an_axis_differ_and_are_close_to_their_values(low: float, part: float) -> None:
    width = part * max(1.0, abs(low))
    values = Scale(low, low + width).ticks(4)
    texts = show_ticks(values)
    assert len({*texts}) == len(values)
    for value, text in zip(values, texts, strict=True):
        assert math.isclose(float(text), value, rel_tol=0.01, abs_tol=width / 100)


def test_ticks_that_are_close_have_more_digits() -> None:
    assert show_ticks((1.0, 1.00005, 1.0001)) == ("1", "1.00005", "1.0001")
    assert show_ticks((10_000.0, 10_000.5)) == ("10000.0", "10000.5")
