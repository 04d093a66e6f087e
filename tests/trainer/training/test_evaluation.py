from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

import pytest
import torch
from torch.nn import functional as F

from pv_trainer.checkpoints.init import load_model
from pv_trainer.data.shards import read_dataset
from pv_trainer.data.validation_set import ValidationSet, choose_validation
from pv_trainer.training.evaluation import evaluate, perplexity, window_losses


if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def val(dataset_path: Path) -> ValidationSet:
    held_out = read_dataset(dataset_path / "val")
    return choose_validation(held_out, seq_length=32, batch_size=8, max_tokens=640)


def test_the_loss_is_the_reference_cross_entropy(init_path: Path, val: ValidationSet) -> None:
    model, _, _ = load_model(init_path)
    found = evaluate(model, val)
    with torch.no_grad():
        logits = model(torch.from_numpy(val.ids_NT.copy()))
    targets = torch.from_numpy(val.targets_NT.copy())
    expected = F.cross_entropy(logits.flatten(0, 1).double(), targets.flatten())
    assert found.loss == pytest.approx(expected.item(), abs=1e-6)
    assert found.ppl == pytest.approx(math.exp(found.loss))
    assert (found.tokens, found.val_set_id) == (640, val.id)


def test_the_standard_error_is_that_of_the_mean_over_windows(
    init_path: Path, val: ValidationSet
) -> None:
    found = evaluate(load_model(init_path)[0], val)
    assert len(found.window_losses) == 20
    assert found.loss == pytest.approx(statistics.fmean(found.window_losses))
    expected = statistics.stdev(found.window_losses) / math.sqrt(20)
    assert found.standard_error == pytest.approx(expected)


def test_evaluating_leaves_no_gradient_and_repeats(init_path: Path, val: ValidationSet) -> None:
    model, _, _ = load_model(init_path)
    assert evaluate(model, val) == evaluate(model, val)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_window_does_not_see_its_neighbours(init_path: Path, val: ValidationSet) -> None:
    model, _, _ = load_model(init_path)
    together = window_losses(model, val.ids_NT[:3], val.targets_NT[:3])
    apart = [
        window_losses(model, val.ids_NT[n : n + 1], val.targets_NT[n : n + 1])[0]
        for n in range(3)
    ]
    assert together == pytest.approx(apart, abs=1e-6)


def test_a_perplexity_is_always_a_number() -> None:
    assert perplexity(1.0) == pytest.approx(math.e)
    assert math.isfinite(perplexity(1e6))
