from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from pv_trainer.training.optimizer import (
    clip_gradients,
    make_optimizer,
    nonzero_state_values,
    set_rate,
    state_digest,
)


if TYPE_CHECKING:
    from collections.abc import Callable

    from pv_trainer.model.config import ModelConfig
    from pv_trainer.model.decoder import Decoder


@pytest.fixture
def model(
    make_model: Callable[..., Decoder], make_config: Callable[..., ModelConfig]
) -> Decoder:
    return make_model(make_config())


def fill_gradients(model: nn.Module, value: float) -> None:
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, value)


def test_every_parameter_is_in_one_group_and_matrices_alone_decay(model: Decoder) -> None:
    optimizer = make_optimizer(model)
    decay = {id(p): g["weight_decay"] for g in optimizer.param_groups for p in g["params"]}
    for name, parameter in model.named_parameters():
        assert decay.pop(id(parameter)) == (0.01 if parameter.ndim == 2 else 0.0), name
    assert not decay


def test_one_update_is_the_one_computed_by_hand() -> None:
    model = nn.Linear(1, 1)
    with torch.no_grad():
        model.weight.fill_(2.0)
        model.bias.fill_(3.0)
    optimizer = make_optimizer(model)
    set_rate(optimizer, 0.1)
    fill_gradients(model, 0.5)
    optimizer.step()
    # The first bias-corrected step is the sign of the gradient; decay is lr * 0.01 * weight.
    assert model.weight.item() == pytest.approx(2.0 - 0.1 * 0.01 * 2.0 - 0.1, rel=1e-6)
    assert model.bias.item() == pytest.approx(3.0 - 0.1, rel=1e-6)


def test_a_fresh_optimizer_has_no_state_and_no_rate(model: Decoder) -> None:
    optimizer = make_optimizer(model)
    assert nonzero_state_values(optimizer) == 0
    assert [group["lr"] for group in optimizer.param_groups] == [0.0, 0.0]
    fill_gradients(model, 0.1)
    optimizer.step()
    assert nonzero_state_values(optimizer) > 0


def test_the_digest_is_of_the_moments(model: Decoder) -> None:
    optimizer = make_optimizer(model)
    digests = [state_digest(optimizer)]
    for value in (0.1, 0.1, 0.2):
        fill_gradients(model, value)
        optimizer.step()
        digests.append(state_digest(optimizer))
    assert len(set(digests)) == 4
    assert state_digest(optimizer) == digests[-1]
    state = next(iter(optimizer.state.values()))
    state["exp_avg_sq"].view(-1)[0] += 1e-3
    assert state_digest(optimizer) != digests[-1]


def test_a_norm_of_ten_is_cut_to_one_and_told_as_ten() -> None:
    model = nn.Linear(4, 1, bias=False)
    fill_gradients(model, 5.0)  # four values: norm 10
    assert clip_gradients(model) == pytest.approx(10.0)
    assert model.weight.grad is not None
    assert model.weight.grad.norm().item() == pytest.approx(1.0, rel=1e-5)


def test_a_norm_below_one_is_left_alone() -> None:
    model = nn.Linear(4, 1, bias=False)
    fill_gradients(model, 0.25)
    assert clip_gradients(model) == pytest.approx(0.5)
    assert model.weight.grad is not None
    assert model.weight.grad.tolist() == [[0.25] * 4]
