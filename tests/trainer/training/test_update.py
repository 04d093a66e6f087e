from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from pv_trainer.data.batches import Batch
from pv_trainer.errors import NumericalInstability
from pv_trainer.model.loss import IGNORE_INDEX
from pv_trainer.training.optimizer import make_optimizer
from pv_trainer.training.update import accumulate_gradient, check_finite, train_step


if TYPE_CHECKING:
    from pv_trainer.model.decoder import Decoder


@pytest.fixture
def batch() -> Batch:
    windows = np.random.default_rng(0).integers(0, 96, (4, 17))
    return Batch(windows[:, :-1], windows[:, 1:], "digest")


def gradients(model: Decoder) -> dict[str, torch.Tensor]:
    found = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    assert len(found) == len(list(model.parameters()))
    return found


@pytest.mark.parametrize("parts", [2, 4])
def test_accumulation_gives_the_loss_and_gradient_of_the_whole_batch(
    model: Decoder, batch: Batch, parts: int
) -> None:
    whole = accumulate_gradient(model, batch, 1)
    expected = gradients(model)
    model.zero_grad()
    assert accumulate_gradient(model, batch, parts) == pytest.approx(whole, abs=1e-6)
    for name, gradient in gradients(model).items():
        assert torch.allclose(gradient, expected[name], atol=1e-6, rtol=1e-5), name


@pytest.mark.parametrize("parts", [2, 3, 4])
def test_parts_with_unequally_many_targets_weigh_each_target_alike(
    model: Decoder, batch: Batch, parts: int
) -> None:
    targets = batch.targets_BT.copy()
    targets[0, 2:] = IGNORE_INDEX
    targets[3] = IGNORE_INDEX
    uneven = Batch(batch.ids_BT, targets, "digest")
    whole = accumulate_gradient(model, uneven, 1)
    logits = model(torch.from_numpy(uneven.ids_BT.copy())).flatten(0, 1)
    mean = torch.nn.functional.cross_entropy(logits, torch.from_numpy(targets).flatten())
    assert whole == pytest.approx(float(mean.detach()), abs=1e-6)
    expected = gradients(model)
    model.zero_grad()
    assert accumulate_gradient(model, uneven, parts) == pytest.approx(whole, abs=1e-6)
    for name, gradient in gradients(model).items():
        assert torch.allclose(gradient, expected[name], atol=1e-6, rtol=1e-5), name


def test_one_batch_can_be_overfitted(model: Decoder, batch: Batch) -> None:
    optimizer = make_optimizer(model)
    losses = [
        train_step(model, optimizer, batch, rate=1e-2, grad_accum=1)[0] for _ in range(60)
    ]
    assert losses[0] > 3.0
    assert losses[-1] < 0.5


def test_an_update_moves_every_parameter(model: Decoder, batch: Batch) -> None:
    before = {name: values.clone() for name, values in model.state_dict().items()}
    train_step(model, make_optimizer(model), batch, rate=1e-2, grad_accum=1)
    unmoved = [n for n, values in model.state_dict().items() if torch.equal(values, before[n])]
    assert not unmoved


def test_gradients_of_the_step_before_do_not_count(model: Decoder, batch: Batch) -> None:
    optimizer = make_optimizer(model)
    _, first = train_step(model, optimizer, batch, rate=0.0, grad_accum=1)
    _, second = train_step(model, optimizer, batch, rate=0.0, grad_accum=1)
    assert first == second


def test_a_loss_that_is_not_finite_stops_before_any_weight_moves(
    model: Decoder, batch: Batch
) -> None:
    with torch.no_grad():
        model.model.norm.weight[0] = math.inf
    before = {name: values.clone() for name, values in model.state_dict().items()}
    with pytest.raises(
        NumericalInstability, match=r"\[GATE-TRAIN-007\] train_loss is (nan|inf)"
    ):
        train_step(model, make_optimizer(model), batch, rate=1e-2, grad_accum=1)
    assert all(torch.equal(values, before[n]) for n, values in model.state_dict().items())


def test_a_gradient_that_is_not_finite_stops_too(
    model: Decoder, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pv_trainer.training.update.clip_gradients", lambda _: math.nan)
    with pytest.raises(NumericalInstability, match=r"grad_norm is nan"):
        train_step(model, make_optimizer(model), batch, rate=1e-2, grad_accum=1)


def test_a_finite_number_passes() -> None:
    check_finite("loss", 1e300)
