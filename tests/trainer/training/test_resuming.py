from __future__ import annotations

import fcntl
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file

from pv_trainer.checkpoints.init import load_model
from pv_trainer.checkpoints.saving import save_apr
from pv_trainer.errors import DataInvalid, InitInvalid, Interrupted, UsageError
from pv_trainer.training.evaluation import evaluate
from pv_trainer.training.loop import RunResult, run_training
from pv_trainer.training.optimizer import PREFIX, state_digest
from pv_trainer.training.preflight import preflight
from pv_trainer.training.resuming import continued_options, find_point


if TYPE_CHECKING:
    from collections.abc import Callable

    from pv_trainer.training.options import PretrainOptions

    Resume = Callable[..., RunResult]


@pytest.fixture
def stopped(short_options: PretrainOptions, tmp_path: Path) -> Path:
    """A run that was stopped after 4 updates, one epoch of 3 behind it."""
    calls = iter(range(4))
    with pytest.raises(Interrupted):
        run_training(
            preflight(short_options),
            tmp_path / "run",
            stop_asked=lambda: next(calls, None) is None,
        )
    return tmp_path / "run"


def record_of(run_dir: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run_dir / "run.json").read_text())
    return found


def test_a_stopped_run_says_how_to_go_on(stopped: Path) -> None:
    record = record_of(stopped)
    assert (record["status"], record["exit_code"], record["steps"]) == ("INTERRUPTED", 130, 4)
    assert record["error"]["remedy"] == f"apr pretrain --resume {stopped} goes on from there"
    assert sorted(file.name for file in (stopped / "ckpt").iterdir()) == [
        *("epoch-000.apr", "epoch-000.metadata.json", "epoch-000.state.safetensors"),
        *("step-00000004.apr", "step-00000004.metadata.json"),
        "step-00000004.state.safetensors",
    ]


def test_a_run_that_went_on_keeps_no_word_of_its_stop(stopped: Path, resume: Resume) -> None:
    resume(stopped)
    record = record_of(stopped)
    assert record["status"] == "BUDGET_END"
    assert "error" not in record
    assert record["resumes"] == [
        {"step": 4, "checkpoint": "step-00000004", "differs": {}, "exact": True}
    ]
    assert not list((stopped / "ckpt").glob("step-*"))


def test_the_wall_time_goes_on_too(stopped: Path, resume: Resume) -> None:
    before = json.loads((stopped / "ckpt" / "step-00000004.metadata.json").read_text())
    clock = iter(range(1000, 10_000))
    result = resume(stopped, clock=lambda: float(next(clock)))
    assert result.record["wall_seconds"] > before["run_seconds"] + 3


@pytest.mark.parametrize("name", ["epoch-000", "step-00000004"])
def test_the_optimizers_digest_is_that_of_the_file(stopped: Path, name: str) -> None:
    tensors = load_file(stopped / "ckpt" / f"{name}.state.safetensors")
    said = json.loads((stopped / "ckpt" / f"{name}.metadata.json").read_text())
    moments = {n: values for n, values in tensors.items() if n.startswith(PREFIX)}
    assert said["optimizer_state_sha"] == state_digest(moments)
    model, _, _ = load_model(stopped / "ckpt" / f"{name}.apr")
    assert len(moments) == 3 * len(list(model.parameters()))
    assert float(moments["optimizer.step.model.norm.weight"]) == said["step"]


def test_flags_that_agree_or_do_not_matter_are_taken(stopped: Path) -> None:
    given = {"seed": 42, "lr": 1e-2, "batch_size": 48, "mode": "finetune", "keep": 2}
    options = continued_options(find_point(stopped), given)
    assert (options.keep, options.seed, options.horizon) == (2, 42, None)


def test_flags_that_contradict_are_all_told(stopped: Path) -> None:
    given = {"seed": 43, "batch_size": 8, "num_steps": 9, "lr": 1.0, "mode": "from-scratch"}
    with pytest.raises(UsageError) as caught:
        continued_options(find_point(stopped), given)
    assert caught.value.id == "RESUME-001"
    assert caught.value.what.splitlines() == [
        f"--resume {stopped}: --seed 43: the run began with 42",
        "  --batch-size 8: the run began with 48",
        "  --num-steps 9: the run began with 7",
        "  --lr 1.0: the run began with 0.01",
        "  --mode from-scratch: the run began with finetune",
    ]
    assert caught.value.remedy == "leave the flag out, or start a new run with --run-dir"


def test_a_run_from_random_weights_takes_no_init(stopped: Path, init_path: Path) -> None:
    point = find_point(stopped)
    scratch = replace(point, options=replace(point.options, init=None))
    with pytest.raises(UsageError, match="the run began from random weights"):
        continued_options(scratch, {"init": init_path})


def test_another_init_is_refused_and_a_copy_is_not(
    stopped: Path, init_path: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copy(init_path, tmp_path / "copy.apr"))
    continued_options(find_point(stopped), {"init": copy})
    model, _, _ = load_model(init_path)
    save_apr(copy, model, {"name": "other"})
    with pytest.raises(
        InitInvalid, match=r"RESUME-001.*copy.apr is not what the run began from"
    ):
        continued_options(find_point(stopped), {"init": copy})


def test_a_run_with_a_checkpoint_needs_its_init_no_more(
    short_options: PretrainOptions, init_path: Path, tmp_path: Path, resume: Resume
) -> None:
    copy = Path(shutil.copy(init_path, tmp_path / "copy.apr"))
    plan, calls = preflight(replace(short_options, init=copy)), iter(range(2))
    with pytest.raises(Interrupted):
        run_training(plan, tmp_path / "run", stop_asked=lambda: next(calls, None) is None)
    copy.unlink()
    assert resume(tmp_path / "run").record["steps"] == 7


def test_without_a_checkpoint_the_run_begins_from_the_same_init_or_not_at_all(
    short_options: PretrainOptions, init_path: Path, tmp_path: Path, resume: Resume
) -> None:
    copy = Path(shutil.copy(init_path, tmp_path / "copy.apr"))
    plan = preflight(replace(short_options, init=copy))
    with pytest.raises(Interrupted):
        run_training(plan, tmp_path / "run", stop_asked=lambda: True)
    model, _, _ = load_model(copy)
    save_apr(copy, model, {"name": "other"})
    with pytest.raises(InitInvalid, match="RESUME-001"):
        resume(tmp_path / "run")


def test_data_that_has_moved_is_taken_and_other_data_is_not(
    stopped: Path, few_documents: Path, dataset_path: Path, tmp_path: Path, resume: Resume
) -> None:
    moved = Path(shutil.copytree(few_documents, tmp_path / "moved"))
    with pytest.raises(DataInvalid, match=r"RESUME-001.*the dataset is not the one"):
        resume(stopped, {"dataset": dataset_path, "val_shard": few_documents / "val"})
    with pytest.raises(DataInvalid, match=r"RESUME-001.*the held-out data is not the one"):
        resume(stopped, {"dataset": few_documents, "val_shard": dataset_path / "val"})
    assert resume(stopped, {"dataset": moved}).record["steps"] == 7


def test_a_run_that_has_ended_is_not_resumed(stopped: Path, resume: Resume) -> None:
    resume(stopped)
    with pytest.raises(UsageError) as caught:
        resume(stopped)
    assert str(caught.value) == (
        f"[RESUME-001] --resume {stopped}: the run has ended with BUDGET_END; "
        f"start a new run, with --init {stopped}/ckpt/epoch-002.apr"
    )


def test_a_folder_without_a_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none: no run began there: run.json is missing"):
        find_point(tmp_path / "none")


def damage(record: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    place, _, last = name.rpartition(".")
    inner = record[place] if place else record
    inner[last] = value
    return record


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "Expecting value"),
        (b"[]", "it is not a JSON object"),
        (b"\xff", "byte 0 is not UTF-8"),
        (b"[" * 100_000, "nested too deep"),
        (b"{}", "the object options is missing"),
    ],
)
def test_a_run_json_that_is_none_is_refused(
    stopped: Path, content: bytes, problem: str
) -> None:
    (stopped / "run.json").write_bytes(content)
    with pytest.raises(InitInvalid, match=rf"RESUME-002.*run.json: .*{problem}"):
        find_point(stopped)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("options", 3),
        ("regime", None),
        ("environment", []),
        ("dataset", {}),
        ("val", "x"),
        ("config", 1),
        ("tokenizer_sha256", 4),
        ("status", None),
        ("init", {}),
        ("options.batch_size", "4"),
        ("options.cycle", 1),
        ("options.seed", True),
        ("options.dataset", 7),
        ("regime.lr", "fast"),
        ("environment.dtype", 16),
        ("environment.dtype", "float16"),
        ("regime.mode", "x"),
        ("regime.lr", -1.0),
        ("regime.lr", 1e-300),
        ("regime.warmup_steps", -1),
        ("options.batch_size", 0),
        ("options.seq_length", 0),
        ("options.steps_per_epoch", 0),
        ("options.grad_accum", 0),
        ("options.val_tokens", -1),
        ("options.keep", 0),
        ("options.num_steps", -5),
        ("options.seed", -1),
        ("options.seed", 2**63),
        ("options.horizon", -7),
        ("options.dataset", "a\0b"),
        ("init.files", {"a": 1}),
    ],
)
def test_a_field_of_run_json_that_makes_no_sense_is_named(
    stopped: Path, name: str, value: Any
) -> None:
    record = damage(record_of(stopped), name, value)
    (stopped / "run.json").write_text(json.dumps(record))
    word = name.rpartition(".")[2]
    named = {"init": "files", "dataset": "manifest_sha256", "init.files": "the text a"}
    expected = named.get(name, word)
    with pytest.raises(InitInvalid, match=rf"RESUME-002.*run.json: .*{expected}"):
        find_point(stopped)


def test_a_run_json_that_is_a_pipe_is_refused_without_waiting(stopped: Path) -> None:
    (stopped / "run.json").unlink()
    os.mkfifo(stopped / "run.json")
    with pytest.raises(InitInvalid, match="is no regular file"):
        find_point(stopped)


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize("suffix", ["apr", "state.safetensors"])
def test_a_damaged_checkpoint_is_told_and_the_one_before_it_is_used(
    stopped: Path,
    short_options: PretrainOptions,
    tmp_path: Path,
    resume: Resume,
    caplog: pytest.LogCaptureFixture,
    suffix: str,
) -> None:
    flip(stopped / "ckpt" / f"step-00000004.{suffix}")
    result = resume(stopped)
    warning = (
        f"{stopped / 'ckpt'}: step-00000004.{suffix} is not what was written; going back to "
        "the checkpoint before it"
    )
    assert [r.getMessage() for r in caplog.records if r.levelname == "WARNING"] == [warning]
    assert result.record["resumes"][0]["step"] == 3
    run_training(preflight(short_options), tmp_path / "whole")
    last = "ckpt/epoch-002.apr"
    assert (stopped / last).read_bytes() == (tmp_path / "whole" / last).read_bytes()
    assert len(list((stopped / "ckpt").iterdir())) == 9


def test_a_run_whose_checkpoints_are_all_damaged_is_refused(stopped: Path) -> None:
    for file in (stopped / "ckpt").glob("*.apr"):
        flip(file)
    with pytest.raises(InitInvalid, match=r"RESUME-002.*each of its 2 checkpoints is damaged"):
        find_point(stopped)


def test_a_run_whose_states_were_removed_keeps_its_weights(
    stopped: Path, short_options: PretrainOptions
) -> None:
    for file in (stopped / "ckpt").glob("*.safetensors"):
        file.unlink()
    told = r"RESUME-002.*each of its 2.*step-00000004.state.safetensors is missing"
    with pytest.raises(InitInvalid, match=told):
        find_point(stopped)
    assert len(list((stopped / "ckpt").glob("*.apr"))) == 2
    weights = stopped / "ckpt" / "step-00000004.apr"
    plan = preflight(replace(short_options, init=weights))
    assert plan.checkpoint is not None
    assert plan.checkpoint.path == weights


def test_a_checkpoint_without_its_state_is_told_and_the_one_before_it_is_used(
    stopped: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (stopped / "ckpt" / "step-00000004.state.safetensors").unlink()
    point = find_point(stopped)
    assert point.checkpoint is not None
    assert point.checkpoint.name == "epoch-000"
    (warning,) = [record.getMessage() for record in caplog.records]
    assert warning == (
        f"{stopped / 'ckpt'}: step-00000004.state.safetensors is missing; going back to the "
        "checkpoint before it"
    )


def files_of(run_dir: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (run_dir / "ckpt").iterdir()}


def test_a_stop_before_the_first_update_since_a_resume_touches_no_checkpoint(
    stopped: Path, resume: Resume
) -> None:
    before = files_of(stopped)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "pv_trainer.training.run_book.write_stop", lambda *_: pytest.fail("written")
        )
        with pytest.raises(Interrupted, match="after 4 updates"):
            resume(stopped, stop_asked=lambda: True)
    assert files_of(stopped) == before
    assert resume(stopped).record["status"] == "BUDGET_END"


def test_a_point_that_another_process_went_on_from_is_no_longer_taken(
    stopped: Path, resume: Resume
) -> None:
    for file in (stopped / "ckpt").glob("step-*"):
        file.unlink()
    point = find_point(stopped)
    plan = preflight(continued_options(point, {}))
    resume(stopped)
    before, record = files_of(stopped), record_of(stopped)
    with pytest.raises(UsageError, match="another process has written the run meanwhile"):
        run_training(plan, stopped, point=point)
    assert (files_of(stopped), record_of(stopped)) == (before, record)


@pytest.mark.parametrize(
    ("name", "value"),
    [("regime.lr", 2e-2), ("options.seed", 1), ("options.num_steps", 9), ("init.files", {})],
)
def test_settings_that_were_edited_are_not_gone_on_with(
    stopped: Path, resume: Resume, name: str, value: Any
) -> None:
    before = files_of(stopped)
    record = damage(record_of(stopped), name, value)
    (stopped / "run.json").write_text(json.dumps(record))
    with pytest.raises(InitInvalid, match=r"RESUME-002.*other settings or inputs"):
        resume(stopped)
    assert files_of(stopped) == before


def test_a_checkpoint_of_another_run_is_not_gone_on_from(
    stopped: Path, short_options: PretrainOptions, tmp_path: Path, resume: Resume
) -> None:
    calls = iter(range(4))
    with pytest.raises(Interrupted):
        run_training(
            preflight(replace(short_options, seed=43)),
            tmp_path / "other",
            stop_asked=lambda: next(calls, None) is None,
        )
    for file in (tmp_path / "other" / "ckpt").glob("step-*"):
        shutil.copy(file, stopped / "ckpt")
    with pytest.raises(InitInvalid, match=r"RESUME-002.*other settings or inputs"):
        resume(stopped)


@pytest.mark.parametrize("text", ["{", "{}", '{"step": "x"}'])
def test_a_metadata_that_is_none_is_refused(stopped: Path, text: str) -> None:
    (stopped / "ckpt" / "epoch-000.metadata.json").write_text(text)
    with pytest.raises(InitInvalid, match=r"RESUME-002.*epoch-000.metadata.json: "):
        find_point(stopped)


def test_metrics_that_lack_a_line_are_refused(stopped: Path, resume: Resume) -> None:
    lines = (stopped / "metrics.jsonl").read_text().splitlines(keepends=True)
    (stopped / "metrics.jsonl").write_text("".join(lines[:2] + lines[3:]))
    with pytest.raises(InitInvalid, match="line 3 is not the whole line of update 3"):
        resume(stopped)


def test_a_run_that_is_being_written_is_not_resumed(stopped: Path, resume: Resume) -> None:
    before = sorted(stopped.rglob("*"))
    holder = os.open(stopped, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    try:
        with pytest.raises(UsageError, match="another process is writing this run"):
            resume(stopped)
    finally:
        os.close(holder)
    assert sorted(stopped.rglob("*")) == before


def test_another_number_of_threads_is_told_and_drops_the_promise(
    stopped: Path, resume: Resume, caplog: pytest.LogCaptureFixture
) -> None:
    record = record_of(stopped)
    threads = torch.get_num_threads()
    (stopped / "run.json").write_text(
        json.dumps(damage(record, "environment.threads", threads + 7))
    )
    entry = resume(stopped).record["resumes"][0]
    assert entry["differs"] == {"threads": [threads + 7, threads]}
    assert not entry["exact"]
    assert f"threads ({threads + 7} -> {threads}) differ from when the run began" in caplog.text


def test_another_precision_is_possible_and_drops_the_promise(
    stopped: Path, resume: Resume
) -> None:
    entry = resume(stopped, {"dtype": "bfloat16"}).record["resumes"][0]
    assert entry["differs"] == {"dtype": ["float32", "bfloat16"]}


@pytest.mark.parametrize("change", ["position", "step", "moments", "format"])
def test_a_state_that_does_not_fit_its_weights_is_refused(
    stopped: Path, resume: Resume, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    from pv_trainer.training.state_file import read_state

    def changed(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        tensors, facts = read_state(path)
        if change == "position":
            facts["position"] = {}
        elif change == "step":
            facts["position"]["step"] = 3
        elif change == "moments":
            tensors = {n: v for n, v in tensors.items() if not n.startswith(PREFIX)}
        else:
            del tensors["generator.cpu"]
        return tensors, facts

    monkeypatch.setattr("pv_trainer.training.run_state.read_state", changed)
    with pytest.raises(InitInvalid, match=r"RESUME-002.*step-00000004.state.safetensors: "):
        resume(stopped)


def test_only_the_last_and_the_best_are_kept_and_all_metadata(
    short_options: PretrainOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter([9.0, 5.0, 3.0, 3.1, 3.05, 3.2])
    monkeypatch.setattr(
        "pv_trainer.training.loop.evaluate",
        lambda *a: replace(evaluate(*a), loss=next(losses), standard_error=9.0),
    )
    monkeypatch.setattr("pv_trainer.training.epochs.verify_epoch", lambda *_: None)
    options = replace(short_options, steps_per_epoch=1, num_steps=5, keep=2)
    run_training(preflight(options), tmp_path / "run")
    names = {file.name for file in (tmp_path / "run" / "ckpt").iterdir()}
    kept = {name.partition(".")[0] for name in names if name.endswith((".apr", ".safetensors"))}
    assert kept == {"epoch-001", "epoch-003", "epoch-004"}
    assert sum(name.endswith(".metadata.json") for name in names) == 5
