"""Curves: what is taken in, what is refused, and what thinning keeps."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, strategies as st

from pv_harness.measuring.curves import MOST_POINTS, make_series, thin


VALUES = st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=300)


@given(VALUES, st.integers(4, 40))
def test_a_thinned_curve_keeps_its_ends_and_its_extremes(
    values: list[float], limit: int
) -> None:
    kept = thin(values, limit)
    assert len(kept) <= max(limit, 0)
    assert kept == sorted(set(kept))
    assert {0, len(values) - 1} <= set(kept)
    numbers = [v for v in values if not math.isnan(v)]
    if numbers:
        shown = [values[i] for i in kept if not math.isnan(values[i])]
        hidden_by_nan = len(numbers) < len(values)
        assert min(numbers) in shown or hidden_by_nan
        assert max(numbers) in shown or hidden_by_nan
    if len(numbers) < len(values):
        assert any(math.isnan(values[i]) for i in kept)


@given(VALUES)
def test_a_short_curve_is_kept_whole(values: list[float]) -> None:
    assert thin(values, 300) == list(range(len(values)))


def test_a_long_curve_has_at_most_so_many_points_and_its_spike() -> None:
    values = [0.0] * 100_000
    values[77_777] = 9.0
    curve = make_series("loss", range(100_000), values, x_unit="step")
    assert len(curve.x) == len(curve.y) <= MOST_POINTS
    assert (77_777.0, 9.0) in zip(curve.x, curve.y, strict=True)


class Scalar:
    def __init__(self, value: float) -> None:
        self.value = value

    def item(self) -> float:
        return self.value


def test_scalars_of_array_libraries_are_taken() -> None:
    assert make_series("loss", [Scalar(1)], [Scalar(0.5)]).y == (0.5,)


@pytest.mark.parametrize(
    ("x", "y", "kind", "message"),
    [
        ([1, 2], [1], ValueError, "2 positions and 1 values"),
        ([], [], ValueError, "0 positions and 0 values; it should be as many of each"),
        ([1, math.inf], [1, 2], ValueError, "a position is not finite"),
        ([2, 1], [1, 2], ValueError, "x falls from 2 to 1"),
        (["a"], [1], TypeError, "x holds 'a', which is no number"),
        ([1], [True], TypeError, "y holds True, which is no number"),
        ([1], [None], TypeError, "a measurement is a bool, a number or a string"),
    ],
)
def test_what_is_no_curve_is_refused(
    x: list[Any], y: list[Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        make_series("loss", x, y)


def test_a_curve_without_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="a series has a name"):
        make_series("", [1], [1])
