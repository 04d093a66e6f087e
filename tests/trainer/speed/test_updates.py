from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

import pytest
import torch

from pv_trainer.checkpoints.init import fresh_model
from pv_trainer.model.config import SHAPES
from pv_trainer.speed.updates import UpdateTimes, time_updates
from pv_trainer.training.options import PretrainOptions


if TYPE_CHECKING:
    from pv_trainer.model.decoder import Decoder

OPTIONS = PretrainOptions(batch_size=2, seq_length=8)


@pytest.fixture
def model() -> Decoder:
    return fresh_model(SHAPES["tiny-qwen2"], torch.Generator().manual_seed(0))


def test_each_update_has_its_own_time_and_the_first_stands_apart(model: Decoder) -> None:
    # Two readings per update: 9 s of work, then 1, 2 and 6, an idle second between them.
    readings = accumulate([0, 9, 1, 1, 1, 2, 1, 6])
    done: list[int] = []
    times = time_updates(model, OPTIONS, 3, clock=lambda: next(readings), report=done.append)
    assert (times.first_s, times.each_s) == (9.0, (1.0, 2.0, 6.0))
    assert (times.median_s, times.tokens_per_s) == (2.0, 8.0)
    assert done == [1, 2, 3, 4]


def test_the_updates_are_real(model: Decoder) -> None:
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    times = time_updates(model, OPTIONS, 1)
    assert all(not torch.equal(value, before[name]) for name, value in model.named_parameters())
    assert times.tokens == 16
    weights = sum(value.nbytes for value in before.values())
    assert times.peak_memory_bytes > 4 * weights  # with gradients and two moments
    assert min(times.first_s, *times.each_s) > 0


def test_the_median_is_not_the_mean() -> None:
    assert UpdateTimes(1.0, (1.0, 2.0, 9.0), 10, 0).tokens_per_s == 5.0
