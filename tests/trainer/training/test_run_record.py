from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pv_trainer.checkpoints.init import load_model
from pv_trainer.errors import CheckpointFailed, Divergence
from pv_trainer.training.adamw import AdamW
from pv_trainer.training.optimizer import make_optimizer
from pv_trainer.training.options import PretrainOptions
from pv_trainer.training.preflight import TrainingPlan, preflight
from pv_trainer.training.run_record import (
    describe_environment,
    describe_failure,
    describe_plan,
    describe_start,
    write_record,
)
from pv_trainer.training.run_state import RunState


if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def plan(dataset_path: Path, init_path: Path) -> TrainingPlan:
    options = PretrainOptions(
        dataset=dataset_path, init=init_path, device="cpu", batch_size=4, seq_length=16
    )
    return preflight(options)


def test_the_plan_names_its_inputs_by_digest(plan: TrainingPlan, init_path: Path) -> None:
    model, _, population = load_model(init_path)
    found = json.loads(json.dumps(describe_plan(plan, population, make_optimizer(model))))
    assert found["status"] == "RUNNING"
    assert found["tokenizer_sha256"] == plan.train.dataset.manifest.tokenizer_sha256
    assert found["dataset"]["manifest_sha256"] != found["val"]["manifest_sha256"]
    assert found["val"]["val_set_id"] == plan.val.id
    assert list(found["init"]["files"]) == [str(init_path)]
    assert found["population"]["matched"] == len(list(model.parameters()))
    assert found["config_sources"].keys() == found["config"].keys()
    assert {"torch", "threads", "device", "dtype", "deterministic"} <= found[
        "environment"
    ].keys()


def test_the_environment_names_the_optimizer_that_trains(
    plan: TrainingPlan, init_path: Path
) -> None:
    model, _, _ = load_model(init_path)
    fused = describe_environment(plan, make_optimizer(model))["optimizer"]
    assert fused == "AdamW(betas=(0.9, 0.999), eps=1e-08, fused=True)"
    other = AdamW([{"params": list(model.parameters())}], betas=(0.5, 0.6), eps=1, fused=False)
    found = describe_environment(plan, other)["optimizer"]
    assert found == "AdamW(betas=(0.5, 0.6), eps=1, fused=False)"


def test_a_used_optimizer_is_told_from_a_fresh_one(plan: TrainingPlan, init_path: Path) -> None:
    model, _, _ = load_model(init_path)
    state = RunState(model, make_optimizer(model), "settings")
    fresh = {"nonzero_state_values": 0, "schedule_step": 0, "lr": 0.0}
    assert describe_start(plan, state) == fresh
    for parameter in model.parameters():
        parameter.grad = parameter.detach().clone()
    state.optimizer.step()
    state.position.step = 50
    used = describe_start(plan, state)
    assert used["nonzero_state_values"] > 0
    assert used["lr"] == pytest.approx(2.5e-5)


def test_a_failure_is_told_with_its_id() -> None:
    found = describe_failure(Divergence("GATE-TRAIN-005", "too high", "lower --lr"))
    assert found == {
        "status": "DIVERGENCE",
        "exit_code": 20,
        "error": {"id": "GATE-TRAIN-005", "what": "too high", "remedy": "lower --lr"},
    }


def test_a_record_that_can_not_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointFailed, match=r"\[CKPT-001\].*run.json"):
        write_record(tmp_path / "none", {})
