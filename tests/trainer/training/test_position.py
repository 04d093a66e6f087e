from __future__ import annotations

import json
from collections import deque
from typing import Any

import pytest
from hypothesis import given, strategies as st

from pv_trainer.training.position import LOSS_WINDOW, Position, parse_position


LOSSES = st.floats(allow_nan=False, allow_infinity=False)


@given(
    step=st.integers(0, 2**60),
    epochs=st.lists(st.tuples(LOSSES, LOSSES)),
    recent=st.lists(LOSSES, max_size=LOSS_WINDOW),
    largest=LOSSES,
)
def test_a_position_survives_json_to_the_last_bit(
    step: int, epochs: list[tuple[float, float]], recent: list[float], largest: float
) -> None:
    position = Position(
        step=step,
        val_losses=[loss for loss, _ in epochs],
        val_errors=[error for _, error in epochs],
        recent=deque(recent, maxlen=LOSS_WINDOW),
        grad_norm_max=largest,
    )
    found = parse_position(json.loads(json.dumps(position.to_json())))
    assert found == position
    assert found.recent.maxlen == LOSS_WINDOW
    assert found.epoch == len(epochs)


def test_the_training_loss_is_the_mean_of_the_last_hundred() -> None:
    position = Position()
    assert position.train_loss is None
    position.recent.extend(range(150))
    assert position.train_loss == sum(range(50, 150)) / 100


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"more": 1}, "a position has the fields"),
        ({"step": -1}, "step: -1"),
        ({"step": 1.5}, "step: 1.5"),
        ({"step": True}, "step: True is no number"),
        ({"recent": ["a"]}, "recent: "),
        ({"val_losses": {}}, "val_losses: "),
        ({"val_losses": [1.0]}, "differ in length"),
        ({"grad_norm_max": None}, "grad_norm_max: None"),
    ],
)
def test_what_is_no_position_is_refused(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_position(Position().to_json() | change)


def test_an_update_and_the_end_of_an_epoch_move_a_position_on() -> None:
    position = Position()
    for loss, norm in ((4.0, 1.5), (2.0, 0.5)):
        position.advance(loss, norm)
    assert (position.step, position.train_loss, position.grad_norm_max) == (2, 3.0, 1.5)
    position.close_epoch(3.5, 0.25)
    assert (position.epoch, position.val_losses, position.val_errors) == (1, [3.5], [0.25])
    assert (position.step, position.train_loss, position.grad_norm_max) == (2, 3.0, 0.0)
