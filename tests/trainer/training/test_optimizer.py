from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from pv_trainer.training.optimizer import (
    clip_gradients,
    make_optimizer,
    named_state,
    nonzero_state_values,
    restore_state,
    set_rate,
    state_digest,
)


if TYPE_CHECKING:
    from collections.abc import Callable

    from pv_trainer.model.decoder import Decoder


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
    digests = [state_digest(named_state(model, optimizer))]
    for value in (0.1, 0.1, 0.2):
        fill_gradients(model, value)
        optimizer.step()
        digests.append(state_digest(named_state(model, optimizer)))
    assert len(set(digests)) == 4
    assert state_digest(named_state(model, optimizer)) == digests[-1]
    state = next(iter(optimizer.state.values()))
    state["exp_avg_sq"].view(-1)[0] += 1e-3
    assert state_digest(named_state(model, optimizer)) != digests[-1]


def test_the_digest_is_over_sorted_names_and_raw_bytes() -> None:
    tensors = {"b": torch.tensor([1.0, -2.0]), "a": torch.tensor(3, dtype=torch.uint8)}
    expected = hashlib.sha256(b"a\0" + b"\x03" + b"b\0" + struct.pack("<2f", 1.0, -2.0))
    assert state_digest(tensors) == expected.hexdigest()


def test_a_restored_optimizer_goes_on_to_the_same_bits(
    model: Decoder, make_model: Callable[..., Decoder]
) -> None:
    first = make_optimizer(model)
    for value in (0.1, -0.3):
        fill_gradients(model, value)
        set_rate(first, 1e-2)
        first.step()
    other = make_model(model.config)
    other.load_state_dict(model.state_dict())
    second = make_optimizer(other)
    kept = {n: v.clone() for n, v in named_state(model, first).items()}
    restore_state(other, second, kept)
    for one, optimizer in ((model, first), (other, second)):
        fill_gradients(one, 0.7)
        set_rate(optimizer, 1e-2)
        optimizer.step()
    assert state_digest(named_state(other, second)) == state_digest(named_state(model, first))
    for name, values in model.state_dict().items():
        assert torch.equal(values, other.state_dict()[name]), name
    assert not torch.equal(kept["optimizer.step.model.norm.weight"], torch.tensor(3.0))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            lambda t: t.pop("optimizer.exp_avg.model.norm.weight"),
            r"norm.weight: wanted \(32,\)",
        ),
        (lambda t: t.update({"optimizer.exp_avg.x": torch.ones(1)}), "found \\(1,\\)"),
        (
            lambda t: t.update({"optimizer.step.model.norm.weight": torch.ones(1)}),
            r"wanted \(\), found \(1,\)",
        ),
    ],
    ids=["missing", "left over", "shape"],
)
def test_moments_that_do_not_fit_restore_nothing(
    model: Decoder, change: Callable[[dict[str, torch.Tensor]], object], problem: str
) -> None:
    optimizer = make_optimizer(model)
    fill_gradients(model, 0.1)
    optimizer.step()
    tensors = dict(named_state(model, optimizer))
    change(tensors)
    fresh = make_optimizer(model)
    with pytest.raises(ValueError, match=f"1 tensors do not fit the model.*{problem}"):
        restore_state(model, fresh, tensors)
    assert fresh.state == {}


def test_a_norm_of_ten_is_cut_to_one_and_told_as_ten() -> None:
    model = nn.Linear(4, 1, bias=False)
    fill_gradients(model, 5.0)  # four values: norm 10
    assert clip_gradients(model) == pytest.approx(10.0)
    assert model.weight.grad is not None
    assert model.weight.grad.norm().item() == pytest.approx(1.0, rel=1e-5)


@pytest.mark.parametrize("scale", [1e-3, 0.632454, 0.632455, 0.632456, 0.7, 1e4, 1e25])
def test_a_clip_is_torch_s_bit_for_bit(scale: float) -> None:
    ours, theirs = nn.Linear(4, 1), nn.Linear(4, 1)
    pieces = torch.linspace(-1.0, 1.0, 5)
    for model in (ours, theirs):
        model.weight.grad = (scale * pieces[:4]).view(1, 4).clone()
        model.bias.grad = scale * pieces[4:]
    expected = torch.nn.utils.clip_grad_norm_(theirs.parameters(), 1.0)
    assert clip_gradients(ours) == float(expected)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert mine.grad is not None
        assert other.grad is not None
        assert torch.equal(mine.grad, other.grad)


def test_a_norm_below_one_is_left_alone() -> None:
    model = nn.Linear(4, 1, bias=False)
    fill_gradients(model, 0.25)
    assert clip_gradients(model) == pytest.approx(0.5)
    assert model.weight.grad is not None
    assert model.weight.grad.tolist() == [[0.25] * 4]
