from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from pv_trainer.training.schedule import learning_rate, minimum_rate


PEAKS = st.floats(1e-5, 1.0)


@pytest.mark.parametrize(
    ("step", "rate"),
    [
        (0, 0.0),
        (1, 3e-6),
        (50, 1.5e-4),
        (100, 3e-4),
        (550, 3e-6 + (3e-4 - 3e-6) / 2),  # half-way between peak and floor
        (1000, 3e-6),
        (2000, 3e-6),
    ],
)
def test_the_rate_is_the_one_computed_by_hand(step: int, rate: float) -> None:
    found = learning_rate(step, peak=3e-4, warmup_steps=100, num_steps=1000)
    assert found == pytest.approx(rate, rel=1e-12)


def test_the_floor_is_a_hundredth_of_the_peak_and_never_below_1e_7() -> None:
    assert minimum_rate(3e-4) == pytest.approx(3e-6, rel=1e-15)
    assert minimum_rate(1e-6) == 1e-7


@given(PEAKS, st.integers(0, 50), st.integers(1, 300))
def test_the_rate_rises_to_the_peak_and_falls_to_the_floor(
    peak: float, warmup: int, decay: int
) -> None:
    end = warmup + decay
    rates = [
        learning_rate(step, peak=peak, warmup_steps=warmup, num_steps=end)
        for step in range(end + 1)
    ]
    assert rates[: warmup + 1] == sorted(rates[: warmup + 1])
    assert rates[warmup:] == sorted(rates[warmup:], reverse=True)
    assert rates[warmup] == pytest.approx(peak)
    assert rates[-1] == minimum_rate(peak)


@given(PEAKS, st.integers(1, 99))
def test_a_warm_up_longer_than_the_run_never_reaches_the_peak(peak: float, steps: int) -> None:
    last = learning_rate(steps, peak=peak, warmup_steps=100, num_steps=steps)
    assert math.isclose(last, peak * steps / 100)
