from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import torch

from pv_trainer.checkpoints.init import load_model
from pv_trainer.data.shards import read_dataset
from pv_trainer.data.validation_set import ValidationSet, choose_validation
from pv_trainer.errors import CheckpointFailed
from pv_trainer.training.epochs import TrainingState, verify_epoch, write_epoch
from pv_trainer.training.evaluation import Validation, evaluate


if TYPE_CHECKING:
    from pathlib import Path

    from pv_trainer.model.decoder import Decoder

FACTS: dict[str, Any] = {
    "epoch": 2,
    "step": 30,
    "train_loss": 2.0,
    "wall_seconds": 1.5,
    "run_seconds": 4.5,
    "tokens_seen": 960,
    "grad_norm_max": 3.0,
}
STATE = TrainingState(
    {"optimizer.step.w": torch.ones(()), "generator.cpu": torch.arange(3, dtype=torch.uint8)},
    position={"step": 30},
    inherited={},
    settings="0" * 64,
)


@pytest.fixture
def model(init_path: Path) -> Decoder:
    return load_model(init_path)[0]


@pytest.fixture
def val(dataset_path: Path) -> ValidationSet:
    held_out = read_dataset(dataset_path / "val")
    return choose_validation(held_out, seq_length=16, batch_size=4, max_tokens=160)


@pytest.fixture
def validation(model: Decoder, val: ValidationSet) -> Validation:
    return evaluate(model, val)


def test_an_epoch_is_a_checkpoint_and_its_metadata(
    tmp_path: Path, model: Decoder, val: ValidationSet, validation: Validation
) -> None:
    record = write_epoch(tmp_path, model, val, validation, FACTS, STATE)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        *("epoch-002.apr", "epoch-002.metadata.json", "epoch-002.state.safetensors"),
    ]
    found = json.loads((tmp_path / "epoch-002.metadata.json").read_text())
    assert found["train_ppl"] == pytest.approx(7.389056)
    assert (found["val_loss"], found["val_set_id"]) == (validation.loss, val.id)
    assert (found["checkpoint"], record.checkpoint) == ("epoch-002.apr", "epoch-002.apr")


def test_a_changed_weight_does_not_verify(
    tmp_path: Path, model: Decoder, val: ValidationSet, validation: Validation
) -> None:
    write_epoch(tmp_path, model, val, validation, FACTS, STATE)
    with torch.no_grad():
        model.model.norm.weight[0] *= 1.01
    changed = evaluate(model, val)
    with pytest.raises(CheckpointFailed, match=r"CKPT-001.*read back, its validation loss is"):
        verify_epoch(tmp_path / "epoch-002.apr", model, val, changed)


def test_a_damaged_file_does_not_verify(
    tmp_path: Path, model: Decoder, val: ValidationSet, validation: Validation
) -> None:
    write_epoch(tmp_path, model, val, validation, FACTS, STATE)
    path = tmp_path / "epoch-002.apr"
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointFailed, match=r"written, but does not read back: .*INIT-011"):
        verify_epoch(path, model, val, validation)
