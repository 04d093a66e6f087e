"""`apr pretrain --resume` as a user runs it: killed, stopped, and out of disk."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Apr = Callable[..., subprocess.CompletedProcess[str]]

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}
APR = (sys.executable, "-m", "pv_trainer", "pretrain")


@pytest.fixture
def flags(dataset_path: Path, init_path: Path) -> list[str]:
    """Ten epochs of 2 updates; the data wraps in the ninth."""
    return [
        *("--init", str(init_path), "--dataset", str(dataset_path), "--device", "cpu"),
        *("--num-steps", "20", "--steps-per-epoch", "2", "--batch-size", "96"),
        *("--seq-length", "16", "--val-tokens", "128", "--cycle", "--lr", "1e-3"),
    ]


def apr(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*APR, *arguments], env=ENVIRONMENT, capture_output=True, text=True, check=False, **more
    )


def start(*arguments: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [*APR, *arguments], env=ENVIRONMENT, stdout=pipe, stderr=pipe, text=True
    )


def record_of(run_dir: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run_dir / "run.json").read_text())
    return found


def bits(run_dir: Path) -> dict[str, Any]:
    files: dict[str, Any] = {
        file.name: file.read_bytes()
        for file in run_dir.rglob("*")
        if file.suffix in {".apr", ".safetensors"}
    }
    lines = (run_dir / "metrics.jsonl").read_text().splitlines()
    files["metrics"] = [json.loads(line) | {"tokens_per_sec": 0} for line in lines]
    record = record_of(run_dir)
    for name in ("wall_seconds", "resumes"):
        del record[name]
    for name in ("wall_seconds", "run_seconds"):
        del record["final"][name]
    return files | {"record": record}


def kill_after(process: subprocess.Popen[str], lines: int) -> None:
    """SIGKILL once it has told of so many epochs, or at its end."""
    assert process.stdout is not None
    for _ in range(lines):
        if not process.stdout.readline():
            break
    process.kill()
    process.communicate(timeout=60)


def test_killed_with_sigkill_again_and_again_it_equals_never_killed(
    flags: list[str], tmp_path: Path
) -> None:
    assert apr(*flags, "--run-dir", str(tmp_path / "whole")).returncode == 0
    run_dir, moments = tmp_path / "run", random.Random(7)
    kill_after(start(*flags, "--run-dir", str(run_dir)), 3)
    for _ in range(3):
        kill_after(start("--resume", str(run_dir)), moments.randint(1, 3))
    done = apr("--resume", str(run_dir))
    assert (done.returncode, done.stderr.count("going on after update")) == (0, 1)
    assert len(record_of(run_dir)["resumes"]) >= 2
    assert bits(run_dir) == bits(tmp_path / "whole")


def test_a_signal_leaves_a_checkpoint_that_resume_goes_on_from(
    flags: list[str], tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    more = ("--steps-per-epoch", "1000", "--warmup-steps", "2")
    process = start(*flags, "--run-dir", str(run_dir), *more)
    while not (run_dir / "metrics.jsonl").exists() or not (
        (run_dir / "metrics.jsonl").read_text().count("\n")
    ):
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    steps = record_of(run_dir)["steps"]
    assert err == (
        "\napr: ends after this update, with a checkpoint; once more to end at once\n"
        f"apr: [APR-CLI-130] {run_dir}: a signal ended the run after {steps} updates; "
        f"apr pretrain --resume {run_dir} goes on from there\n"
    )
    assert (run_dir / "ckpt" / f"step-{steps:08d}.metadata.json").exists()
    assert apr("--resume", str(run_dir), "--json").returncode == 0
    assert record_of(run_dir)["status"] == "BUDGET_END"


def test_a_full_disk_ends_with_23_and_the_run_goes_on_where_there_is_room(
    flags: list[str], tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    kill_after(start(*flags, "--run-dir", str(run_dir)), 1)
    before = {file: file.read_bytes() for file in (run_dir / "ckpt").glob("epoch-000*")}
    state = (run_dir / "ckpt" / "epoch-000.state.safetensors").stat().st_size

    def no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (state - 1000, state - 1000))

    done = apr("--resume", str(run_dir), preexec_fn=no_room)
    assert done.returncode == 23
    assert "[CKPT-001]" in done.stderr
    assert "File too large" in done.stderr
    assert record_of(run_dir)["status"] == "CHECKPOINT_FAILED"
    assert {file: file.read_bytes() for file in before} == before
    assert not list(run_dir.rglob("*.tmp"))
    assert apr("--resume", str(run_dir)).returncode == 0


def test_what_can_not_be_resumed_is_told_without_a_traceback(
    flags: list[str], tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    none = apr("--resume", str(run_dir))
    assert none.returncode == 2
    assert none.stderr == (
        f"apr: [APR-CLI-001] --resume {run_dir}: no run began there: run.json is missing; "
        "name the --run-dir of the run, or start it again\n"
    )
    assert apr(*flags, "--run-dir", str(run_dir), "--num-steps", "1").returncode == 0
    ended = apr("--resume", str(run_dir))
    assert (ended.returncode, "has ended with BUDGET_END" in ended.stderr) == (2, True)
    two = apr("--resume", str(run_dir), "--run-dir", str(tmp_path / "other"))
    assert (two.returncode, "a run goes on where it is" in two.stderr) == (2, True)
    (run_dir / "run.json").write_text("{")
    broken = apr("--resume", str(run_dir), "--json")
    assert (broken.returncode, json.loads(broken.stdout)["error"]["id"]) == (10, "RESUME-002")


def test_flags_that_contradict_the_run_are_refused(flags: list[str], tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    kill_after(start(*flags, "--run-dir", str(run_dir)), 1)
    done = apr("--resume", str(run_dir), "--seed", "1", "--batch-size", "7", "--keep", "1")
    assert done.returncode == 2
    assert done.stderr == (
        f"apr: [RESUME-001] --resume {run_dir}: --batch-size 7: the run began with 96\n"
        "  --seed 1: the run began with 42\n"
        "leave the flag out, or start a new run with --run-dir\n"
    )


def test_keep_keeps_the_last_and_the_best(flags: list[str], tmp_path: Path) -> None:
    assert apr(*flags, "--run-dir", str(tmp_path / "run"), "--keep", "2").returncode == 0
    ckpt = tmp_path / "run" / "ckpt"
    kept = sorted(file.name for file in ckpt.glob("*.apr"))
    assert kept[-2:] == ["epoch-008.apr", "epoch-009.apr"]
    assert len(kept) <= 3
    assert len(list(ckpt.glob("*.metadata.json"))) == 10
