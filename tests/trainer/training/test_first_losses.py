"""The first 20 losses of a run, beside a loop of the reference libraries in float64.

Everything that a step is made of is in them: how the losses of a batch are averaged, the clip,
the schedule, decay on matrices only, and the update.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import torch

from pv_trainer.training.loop import run_training
from pv_trainer.training.options import PretrainOptions
from pv_trainer.training.preflight import TrainingPlan, preflight


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pv_trainer.model.config import ModelConfig

STEPS, WARMUP, PEAK = 20, 5, 1e-2
NEEDS_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def reference_losses(model: Any, plan: TrainingPlan) -> tuple[list[float], list[float]]:
    """The losses and gradient norms of the same batches, by transformers and torch.optim."""
    model = model.double().train()
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": 0.01},
            {"params": vectors, "weight_decay": 0.0},
        ],
        betas=(0.9, 0.999),
        foreach=False,
    )
    losses, norms = [], []
    for step in range(1, STEPS + 1):
        batch = plan.train.batch_at(step - 1)
        for group in optimizer.param_groups:
            group["lr"] = reference_rate(step)
        optimizer.zero_grad()
        logits_BTV = model(input_ids=torch.from_numpy(batch.ids_BT.copy())).logits
        loss = torch.nn.functional.cross_entropy(
            logits_BTV.flatten(0, 1), torch.from_numpy(batch.targets_BT.copy()).flatten()
        )
        loss.backward()  # type: ignore[no-untyped-call]
        norms.append(float(torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)))
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses, norms


def reference_rate(step: int) -> float:
    """Linear to the peak, then half a cosine to a hundredth of it."""
    if step <= WARMUP:
        return PEAK * step / WARMUP
    turn = math.pi * (step - WARMUP) / (STEPS - WARMUP)
    return PEAK * (0.01 + 0.99 * (1 + math.cos(turn)) / 2)


@dataclass(frozen=True, slots=True)
class Case:
    """A run, and how near it must come: nats of a loss, and the share of a gradient norm."""

    family: str
    device: str = "cpu"
    grad_accum: int = 1
    loss_error: float = 1e-6
    norm_error: float = 1e-5


def on_cuda(family: str) -> Case:
    return Case(family, "cuda", loss_error=1e-5, norm_error=1e-4)


@pytest.fixture
def prepare(
    dataset_path: Path,
    tmp_path: Path,
    make_config: Callable[..., ModelConfig],
    make_reference: Callable[..., tuple[Path, Any]],
) -> Callable[[Case], tuple[TrainingPlan, Any]]:
    """The plan of a case, and the reference library's model that it begins from."""

    def plan(case: Case) -> tuple[TrainingPlan, Any]:
        config = make_config(case.family, vocab_size=328)
        folder, model = make_reference(tmp_path / "init", config)
        options = PretrainOptions(
            dataset=dataset_path,
            init=folder,
            device=case.device,
            dtype="float32",
            num_steps=STEPS,
            steps_per_epoch=STEPS,
            batch_size=8,
            seq_length=32,
            grad_accum=case.grad_accum,
            lr=PEAK,
            warmup_steps=WARMUP,
            val_tokens=320,
        )
        return preflight(options), model

    return plan


@pytest.mark.parametrize(
    "case",
    [
        Case("qwen2"),
        Case("llama"),
        Case("qwen2", grad_accum=4),
        pytest.param(on_cuda("qwen2"), marks=NEEDS_CUDA),
        pytest.param(on_cuda("llama"), marks=NEEDS_CUDA),
    ],
    ids=str,
)
def test_the_first_20_losses_are_those_of_the_reference_libraries(
    prepare: Callable[[Case], tuple[TrainingPlan, Any]], tmp_path: Path, case: Case
) -> None:
    plan, model = prepare(case)
    losses, norms = reference_losses(model, plan)
    run_training(plan, tmp_path / "run")
    metrics = (tmp_path / "run" / "metrics.jsonl").read_text()
    lines = [json.loads(line) for line in metrics.splitlines()]
    assert losses[-1] < losses[0] - 0.1  # they moved, so that the updates are in them
    assert min(norms) < 1 < max(norms)  # some were clipped, and some were not
    found = [line["train_loss"] for line in lines]
    assert found == pytest.approx(losses, abs=case.loss_error)
    found = [line["grad_norm"] for line in lines]
    assert found == pytest.approx(norms, rel=case.norm_error)
