from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from pv_trainer.training.stopping import divergence, early_stop, first_epoch_ceiling


LOSSES = st.floats(0.01, 20.0)


def test_a_loss_above_twice_the_one_before_stops_the_run() -> None:
    reason = divergence([3.5, 7.1], mode="finetune", vocab_size=50_257)
    assert reason == ("epoch 1: validation loss 7.1000 is above 7.0000, twice that of epoch 0")


def test_exactly_twice_passes() -> None:
    assert divergence([3.5, 7.0], mode="finetune", vocab_size=50_257) is None


@given(LOSSES)
def test_the_next_number_above_twice_stops(loss: float) -> None:
    above = math.nextafter(2.0 * loss, math.inf)
    assert divergence([1.0, loss, 2.0 * loss], mode="finetune", vocab_size=9) is None
    assert divergence([1.0, loss, above], mode="finetune", vocab_size=9) is not None


@pytest.mark.parametrize(
    ("loss", "mode", "stops"),
    [
        (11.0, "finetune", True),
        (10.0, "finetune", False),
        (18.0, "from-scratch", False),
        (25.0, "from-scratch", True),
    ],
)
def test_the_first_epoch_has_a_ceiling_by_mode(loss: float, mode: str, *, stops: bool) -> None:
    found = divergence([loss], mode=mode, vocab_size=50_257)  # type: ignore[arg-type]
    assert (found is not None) == stops


def test_the_ceiling_from_scratch_is_twice_ln_v() -> None:
    assert first_epoch_ceiling("from-scratch", 4096) == pytest.approx(2 * 12 * math.log(2))


def test_two_epochs_worse_than_the_best_stop_from_epoch_3_on() -> None:
    reason = early_stop([5.0, 3.0, 4.0, 4.5], [0.1] * 4)
    assert reason is not None
    assert reason.startswith("epoch 3: validation loss 4.5000 has been worse than 3.0000")


@pytest.mark.parametrize(
    ("losses", "error"),
    [
        ([3.0, 4.0, 5.0], 0.1),  # before epoch 3
        ([5.0, 3.0, 2.9, 4.0], 0.1),  # one bad epoch
        ([5.0, 3.0, 3.1, 3.1], 0.1),  # noise: within the error of the difference
        ([5.0, 3.0, 3.0, 3.0], 0.0),  # no change at all
    ],
)
def test_anything_less_goes_on(losses: list[float], error: float) -> None:
    assert early_stop(losses, [error] * len(losses)) is None


@given(st.lists(LOSSES, min_size=1, max_size=8))
def test_losses_that_only_fall_never_stop_a_run(losses: list[float]) -> None:
    falling = sorted(losses, reverse=True)
    assert early_stop(falling, [0.0] * len(falling)) is None
