from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch

from pv_trainer.checkpoints.init import load_model
from pv_trainer.checkpoints.saving import save_apr
from pv_trainer.errors import (
    AprError,
    CheckpointFailed,
    DeviceUnavailable,
    Divergence,
    InitInvalid,
    Interrupted,
    NumericalInstability,
    StreamExhausted,
)
from pv_trainer.exit_status import ExitStatus
from pv_trainer.formats.checkpoint import open_checkpoint
from pv_trainer.model.decoder import Decoder
from pv_trainer.training.epochs import EpochRecord
from pv_trainer.training.evaluation import evaluate
from pv_trainer.training.loop import RunResult, run_training, why_it_ends
from pv_trainer.training.options import PretrainOptions
from pv_trainer.training.position import Position
from pv_trainer.training.preflight import TrainingPlan, preflight
from pv_trainer.training.schedule import learning_rate


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pv_trainer.model.config import ModelConfig

    Train = Callable[..., RunResult]


@pytest.fixture
def options(dataset_path: Path, init_path: Path) -> PretrainOptions:
    return PretrainOptions(
        dataset=dataset_path,
        init=init_path,
        device="cpu",
        num_steps=6,
        steps_per_epoch=4,
        batch_size=4,
        seq_length=16,
        lr=1e-2,
        warmup_steps=2,
        val_tokens=320,
    )


@pytest.fixture
def train(options: PretrainOptions, tmp_path: Path) -> Train:
    def run(name: str = "run", **changes: Any) -> RunResult:
        return run_training(preflight(replace(options, **changes)), tmp_path / name)

    return run


def read_json(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_run_leaves_metrics_verified_epochs_and_a_record(
    train: Train, tmp_path: Path
) -> None:
    result = train()
    run = tmp_path / "run"
    assert result.status is ExitStatus.BUDGET_END
    assert sorted(file.name for file in (run / "ckpt").iterdir()) == [
        *("epoch-000.apr", "epoch-000.metadata.json", "epoch-000.state.safetensors"),
        *("epoch-001.apr", "epoch-001.metadata.json", "epoch-001.state.safetensors"),
    ]
    record = read_json(run / "run.json")
    assert record == result.record
    assert record["reason"].startswith("target not met")
    assert record["step0"]["val_loss"] > record["final"]["val_loss"]
    lines = read_lines(run / "metrics.jsonl")
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    epochs = [read_json(run / "ckpt" / f"epoch-00{n}.metadata.json") for n in (0, 1)]
    assert [epoch["step"] for epoch in epochs] == [4, 6]
    losses = [line["train_loss"] for line in lines]
    assert epochs[0]["train_loss"] == pytest.approx(sum(losses[:4]) / 4)
    assert epochs[0]["grad_norm_max"] == max(line["grad_norm"] for line in lines[:4])
    assert epochs[1]["tokens_seen"] == lines[-1]["tokens_seen"] == 6 * 4 * 16
    assert epochs[0]["optimizer_state_sha"] != epochs[1]["optimizer_state_sha"]
    assert (
        record["tokens"]["consumed"] + record["tokens"]["dropped"] == record["tokens"]["total"]
    )


def test_the_rate_of_each_line_is_the_schedules(train: Train, tmp_path: Path) -> None:
    train()
    for line in read_lines(tmp_path / "run" / "metrics.jsonl"):
        expected = learning_rate(line["step"], peak=1e-2, warmup_steps=2, num_steps=6)
        assert line["lr"] == expected


def test_a_checkpoint_evaluates_to_the_loss_that_its_metadata_says(
    train: Train, tmp_path: Path, options: PretrainOptions
) -> None:
    train()
    val = preflight(options).val
    for n in (0, 1):
        path = tmp_path / "run" / "ckpt" / f"epoch-00{n}.apr"
        found = evaluate(load_model(path)[0], val)
        assert found.loss == read_json(path.with_suffix(".metadata.json"))["val_loss"]


def test_step_0_is_the_init_checkpoint_itself(
    train: Train, init_path: Path, options: PretrainOptions
) -> None:
    result = train()
    expected = evaluate(load_model(init_path)[0], preflight(options).val)
    assert result.record["step0"]["val_loss"] == expected.loss
    assert (
        result.record["population"]["matched"] == result.record["population"]["model_tensors"]
    )
    assert result.record["fresh"] == {"nonzero_state_values": 0, "schedule_step": 0, "lr": 0.0}


def test_the_first_loss_is_that_of_step_0(train: Train, tmp_path: Path) -> None:
    step0 = train().record["step0"]["train_loss"]
    first = read_lines(tmp_path / "run" / "metrics.jsonl")[0]["train_loss"]
    assert first == pytest.approx(step0, abs=1e-5)


def test_no_step_writes_the_init_weights_back(
    train: Train, init_path: Path, tmp_path: Path
) -> None:
    result = train(num_steps=0)
    assert result.status is ExitStatus.BUDGET_END
    ours, _, _ = load_model(tmp_path / "run" / "ckpt" / "epoch-000.apr")
    theirs, _, _ = load_model(init_path)
    for name, values in ours.state_dict().items():
        assert torch.equal(values, theirs.state_dict()[name]), name
    assert read_lines(tmp_path / "run" / "metrics.jsonl") == []


def test_one_seed_gives_equal_bits_and_two_seeds_do_not(train: Train, tmp_path: Path) -> None:
    for name, seed in (("one", 3), ("two", 3), ("three", 4)):
        train(name, seed=seed)
    one, two, three = (
        (tmp_path / name / "ckpt" / "epoch-001.apr").read_bytes()
        for name in ("one", "two", "three")
    )
    assert one == two
    assert one != three


def test_accumulation_trains_as_the_whole_batch_does(train: Train) -> None:
    whole, parts = train("whole"), train("parts", grad_accum=4)
    expected = pytest.approx(whole.record["final"]["val_loss"], abs=1e-4)
    assert parts.record["final"]["val_loss"] == expected


def test_a_met_target_ends_the_run(train: Train) -> None:
    result = train(target_val_loss=50.0)
    assert result.status is ExitStatus.TARGET_MET
    assert (result.record["steps"], result.record["exit_code"]) == (4, 0)


def test_worsening_ends_the_run(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    losses = iter([9.0, 5.0, 3.0, 4.0, 4.5])
    patch_losses(monkeypatch, losses)
    result = train(num_steps=20, steps_per_epoch=1)
    assert (result.status, result.record["steps"]) == (ExitStatus.EARLY_STOP, 4)


@pytest.mark.parametrize(
    ("losses", "step", "expected"),
    [
        ([], 0, None),
        ([5.0], 4, None),
        ([5.0, 2.0], 4, (ExitStatus.TARGET_MET, "target met: 2.0000 <= 2.0")),
        ([5.0, 2.0], 6, (ExitStatus.TARGET_MET, "target met: 2.0000 <= 2.0")),
        ([5.0], 6, (ExitStatus.BUDGET_END, "target not met: 5.0000 > 2.0")),
    ],
)
def test_why_a_run_ends_is_a_matter_of_where_it_stands(
    options: PretrainOptions,
    losses: list[float],
    step: int,
    expected: tuple[ExitStatus, str] | None,
) -> None:
    plan = preflight(replace(options, target_val_loss=2.0))
    position = Position(step=step, val_losses=losses, val_errors=[0.01] * len(losses))
    assert why_it_ends(plan, position) == expected


def patch_losses(monkeypatch: pytest.MonkeyPatch, losses: Any) -> None:
    """Let the run measure these validation losses, and its checkpoints verify."""
    real = evaluate
    monkeypatch.setattr(
        "pv_trainer.training.loop.evaluate",
        lambda *a: replace(real(*a), loss=next(losses), standard_error=0.01),
    )
    monkeypatch.setattr("pv_trainer.training.epochs.verify_epoch", lambda *_: None)


@pytest.mark.parametrize(
    ("losses", "epochs"), [([5.0, 3.5, 7.1], 1), ([5.0, 11.0], 0)], ids=["doubled", "ceiling"]
)
def test_divergence_stops_the_run_before_the_epoch_counts(
    train: Train,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    losses: list[float],
    epochs: int,
) -> None:
    patch_losses(monkeypatch, iter(losses))
    with pytest.raises(Divergence, match=r"\[GATE-TRAIN-005\] .*run: epoch"):
        train()
    record = read_json(tmp_path / "run" / "run.json")
    assert (record["status"], record["exit_code"]) == ("DIVERGENCE", 20)
    assert len(list((tmp_path / "run" / "ckpt").glob("*.apr"))) == epochs


def failing(monkeypatch: pytest.MonkeyPatch, name: str, error: BaseException) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(name, fail)


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (KeyboardInterrupt(), Interrupted),
        (OSError(28, "No space left on device"), CheckpointFailed),
        (NumericalInstability("GATE-TRAIN-007", "x"), NumericalInstability),
        (torch.OutOfMemoryError("CUDA out of memory. Tried."), DeviceUnavailable),
    ],
)
def test_a_run_that_breaks_says_how_in_its_record(
    train: Train,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    raised: BaseException,
    expected: type[AprError],
) -> None:
    failing(monkeypatch, "pv_trainer.training.loop.train_step", raised)
    with pytest.raises(expected):
        train()
    record = read_json(tmp_path / "run" / "run.json")
    assert (record["status"], record["exit_code"]) == (
        expected.status.value,
        expected.status.code,
    )
    assert record["wall_seconds"] >= 0


def test_exhausted_data_is_a_status_and_counts_what_was_read(
    train: Train, tmp_path: Path
) -> None:
    with pytest.raises(StreamExhausted, match=r"pass --cycle"):
        train(num_steps=10**6, batch_size=64, seq_length=32, steps_per_epoch=5)
    record = read_json(tmp_path / "run" / "run.json")
    assert (record["status"], record["exit_code"]) == ("STREAM_EXHAUSTED", 22)
    lines = read_lines(tmp_path / "run" / "metrics.jsonl")
    assert record["tokens"]["consumed"] == len(lines) * 64 * 32
    assert len({line["batch_digest"] for line in lines}) == len(lines)


def test_a_record_of_a_run_that_goes_on_says_how_far_it_is(
    options: PretrainOptions, tmp_path: Path
) -> None:
    seen: list[dict[str, Any]] = []

    def report(event: Any) -> None:
        if isinstance(event, EpochRecord):
            seen.append(read_json(tmp_path / "run" / "run.json"))

    run_training(preflight(options), tmp_path / "run", report=report)
    assert [record["status"] for record in seen] == ["RUNNING", "RUNNING"]
    assert [record["steps"] for record in seen] == [4, 6]
    assert [record["final"]["epoch"] for record in seen] == [0, 1]


def test_cycling_says_once_how_many_tokens_come_again(
    train: Train, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="pv_trainer"):
        result = train(cycle=True, num_steps=12, batch_size=128, seq_length=32)
    total = result.record["tokens"]["total"]
    assert [r.getMessage() for r in caplog.records] == [
        f"the {total} tokens of the dataset are read again from here on"
    ]


def test_a_checkpoint_that_reads_back_differently_does_not_count(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save_wrong(path: Path, model: Any, extra: Any) -> str:
        with torch.no_grad():
            model.model.layers[0].self_attn.q_proj.bias[0] += 1.0
            digest = save_apr(path, model, extra)
            model.model.layers[0].self_attn.q_proj.bias[0] -= 1.0
        return digest

    monkeypatch.setattr("pv_trainer.training.epochs.save_apr", save_wrong)
    with pytest.raises(CheckpointFailed, match=r"\[CKPT-001\].*read back, its validation loss"):
        train()
    assert not (tmp_path / "run" / "ckpt" / "epoch-000.metadata.json").exists()


def test_weights_that_are_not_finite_leave_no_run_folder(
    options: PretrainOptions, tmp_path: Path, init_path: Path
) -> None:
    model, _, _ = load_model(init_path)
    with torch.no_grad():
        model.model.norm.weight[3] = math.nan
    save_apr(tmp_path / "nan.apr", model, {})
    plan = preflight(replace(options, init=tmp_path / "nan.apr"))
    with pytest.raises(InitInvalid, match=r"INIT-007.*NaN"):
        run_training(plan, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_events_are_reported_as_they_happen(options: PretrainOptions, tmp_path: Path) -> None:
    events: list[Any] = []
    plan: TrainingPlan = preflight(options)
    run_training(plan, tmp_path / "run", report=events.append)
    assert [isinstance(event, EpochRecord) for event in events] == [
        *(False, False, False, False, True),
        *(False, False, True),
    ]


def test_the_mode_of_torch_is_what_it_was_before(train: Train) -> None:
    assert not torch.are_deterministic_algorithms_enabled()
    train(num_steps=1)
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]


def test_a_defect_of_the_program_is_in_the_record(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, "pv_trainer.training.loop.train_step", ZeroDivisionError("x"))
    with pytest.raises(ZeroDivisionError):
        train()
    record = read_json(tmp_path / "run" / "run.json")
    assert (record["status"], record["exit_code"]) == ("CRASHED", 1)
    assert record["error"]["what"] == "ZeroDivisionError: x"


def test_a_number_that_is_not_finite_says_where_and_when(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = iter([1.0, 2.0, math.nan])
    monkeypatch.setattr("pv_trainer.training.update.clip_gradients", lambda _: next(calls))
    with pytest.raises(
        NumericalInstability, match=r"run: after 2 updates, grad_norm is nan; lower"
    ):
        train()
    assert read_json(tmp_path / "run" / "run.json")["status"] == "NUMERICAL_INSTABILITY"
    assert len(read_lines(tmp_path / "run" / "metrics.jsonl")) == 2


def test_a_step_0_that_is_not_finite_is_numerical_instability(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pv_trainer.training.loop.window_losses", lambda *_: [1.0, math.inf])
    with pytest.raises(NumericalInstability, match=r"after 0 updates, train_loss is inf"):
        train()
    assert read_json(tmp_path / "run" / "run.json")["exit_code"] == 21


def test_of_weights_that_overflow_before_any_update_no_rate_is_to_blame(
    train: Train, tmp_path: Path, make_config: Callable[..., ModelConfig]
) -> None:
    model = Decoder(make_config(vocab_size=328))
    model.init_weights(torch.Generator().manual_seed(1))
    with torch.no_grad():
        model.head_weight.mul_(1e38)  # finite, and too large for any product
    init = tmp_path / "huge.apr"
    save_apr(init, model, {})
    with pytest.raises(NumericalInstability, match=r"is (nan|inf); look at the weights that"):
        train(init=init)
    assert not list((tmp_path / "run" / "ckpt").iterdir())


def test_a_run_folder_that_can_not_be_made_is_a_failure_of_the_checkpoint(
    train: Train, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        CheckpointFailed, match=r"CKPT-001.*file/run: cannot be made: .*--run-dir"
    ):
        train("file/run")


def test_a_run_folder_that_appeared_meanwhile_is_left_alone(
    train: Train, tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    with pytest.raises(CheckpointFailed, match="cannot be made: File exists"):
        train()
    assert not list((tmp_path / "run").iterdir())


def test_a_full_disk_leaves_the_epochs_before_it_whole(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, *more: Any) -> str:
        if path.name == "epoch-001.apr":
            monkeypatch.setattr("pv_trainer.atomic.os.fsync", failing_fsync)
        return save_apr(path, *more)

    def failing_fsync(_: int) -> None:
        monkeypatch.undo()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pv_trainer.training.epochs.save_apr", full)
    with pytest.raises(CheckpointFailed, match=r"CKPT-001.*epoch-001.apr.*No space left"):
        train()
    ckpt = tmp_path / "run" / "ckpt"
    assert sorted(file.name for file in ckpt.iterdir()) == [
        *("epoch-000.apr", "epoch-000.metadata.json", "epoch-000.state.safetensors"),
    ]
    load_model(ckpt / "epoch-000.apr")
    assert read_json(tmp_path / "run" / "run.json")["exit_code"] == 23


def test_a_fine_tune_keeps_what_the_init_metadata_says_of_the_model(
    train: Train, init_path: Path, tmp_path: Path
) -> None:
    said = {"chat_template": "{{ x }}", "our_own": [1], "name": "of the init", "step": 7}
    model, _, _ = load_model(init_path)
    save_apr(tmp_path / "said.apr", model, said | {"created_at": "2020", "training": 1})
    train(init=tmp_path / "said.apr", num_steps=1)
    metadata = open_checkpoint(tmp_path / "run" / "ckpt" / "epoch-000.apr").metadata
    kept = {key: metadata.get(key) for key in (*said, "created_at")}
    assert kept == said | {"name": None, "created_at": None}
    assert metadata["training"]["step"] == 1


def test_bfloat16_updates_float32_weights_that_bfloat16_could_not_hold(
    train: Train, tmp_path: Path, init_path: Path
) -> None:
    train(dtype="bfloat16", lr=1e-6, warmup_steps=0, num_steps=1)
    saved, _, _ = load_model(tmp_path / "run" / "ckpt" / "epoch-000.apr")
    before, _, _ = load_model(init_path)
    name = "model.layers.0.mlp.up_proj.weight"
    weight, start = saved.state_dict()[name], before.state_dict()[name]
    moved = torch.ne(weight, start)
    rounded_alike = torch.eq(weight.bfloat16(), start.bfloat16())
    assert moved.float().mean() > 0.9
    assert rounded_alike[moved].float().mean() > 0.9
