"""`apr pretrain` as a user runs it: a process of its own, its exit code and its two streams."""

from __future__ import annotations

import json
import os
import re
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


@pytest.fixture
def command(dataset_path: Path, init_path: Path, tmp_path: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "pv_trainer", "pretrain", "--device", "cpu"),
        *("--init", str(init_path), "--dataset", str(dataset_path)),
        *("--run-dir", str(tmp_path / "run"), "--num-steps", "4", "--steps-per-epoch", "2"),
        *("--batch-size", "2", "--seq-length", "16", "--val-tokens", "160"),
    ]


@pytest.fixture
def apr(command: list[str], tmp_path: Path) -> Apr:
    def run(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *more],
            env=ENVIRONMENT,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def record_of(tmp_path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((tmp_path / "run" / "run.json").read_text())
    return found


def test_a_fine_tune_ends_with_0_a_report_and_a_clean_stderr(apr: Apr, tmp_path: Path) -> None:
    done = apr("--json", "--warmup-steps", "2")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == record_of(tmp_path) | {"run_dir": str(tmp_path / "run")}
    assert record_of(tmp_path)["status"] == "BUDGET_END"


def test_a_warm_up_that_outlasts_the_run_is_told_unless_it_was_asked_for(apr: Apr) -> None:
    told = apr()
    assert told.returncode == 0
    assert told.stderr == (
        "apr: WARNING: the warm-up of --mode finetune, 100 updates, is as long as the run of 4 "
        "or longer: the rate ends at 1.5e-06 of 5e-05; --warmup-steps sets a shorter one\n"
    )


@pytest.mark.parametrize("flags", [("--warmup-steps", "100"), ("--num-steps", "0")])
def test_of_a_warm_up_that_was_meant_nothing_is_said(apr: Apr, flags: tuple[str, ...]) -> None:
    assert "warm-up" not in apr(*flags).stderr


def test_without_json_a_person_can_read_it(apr: Apr, tmp_path: Path) -> None:
    done = apr()
    lines = done.stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == ["epoch 0", "epoch 1", "BUDGET_END"]
    assert "target not met" in lines[-1]
    assert "; raise --num-steps; " in lines[-1]
    assert str(tmp_path / "run") in lines[-1]
    again = apr()
    assert again.returncode == 2
    assert again.stderr == (
        f"apr: [APR-CLI-001] --run-dir {tmp_path / 'run'} exists; name a folder that is new\n"
    )


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        (("--device", "cuda:16"), 2, "GPUTRAIN-001"),
        (("--device", "cuda:15"), 12, "GPUTRAIN-002"),
        (("--init", "none.apr"), 10, "FALSIFY-APR-PRETRAIN-INIT-003"),
        (("--val-shard", "none"), 11, "CORPUS-008"),
    ],
)
def test_a_refusal_writes_nothing(
    apr: Apr, tmp_path: Path, flags: tuple[str, ...], code: int, message: str
) -> None:
    done = apr(*flags)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(f"apr: [{message}] ")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_run_with_130_and_a_record(
    command: list[str], tmp_path: Path, number: signal.Signals
) -> None:
    command += ["--num-steps", "100000", "--cycle", "--steps-per-epoch", "1"]
    with subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()  # the first epoch has ended
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "[APR-CLI-130]" in err
    assert record_of(tmp_path)["status"] == "INTERRUPTED"
    metadata = list((tmp_path / "run" / "ckpt").glob("*.metadata.json"))
    assert metadata


def test_a_reader_that_goes_away_does_not_end_the_run(
    command: list[str], tmp_path: Path
) -> None:
    command += ["--steps-per-epoch", "1", "--warmup-steps", "2"]
    with subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert record_of(tmp_path)["status"] == "BUDGET_END"


RISING_RATE = (
    *("--lr", "1", "--warmup-steps", "30", "--num-steps", "100"),
    *("--steps-per-epoch", "3", "--val-tokens", "3000"),
)
"""A rate that grows until the loss gets worse from epoch to epoch, and does not double."""


@pytest.mark.parametrize(
    ("flags", "status", "reason"),
    [
        (("--target-val-loss", "9"), "TARGET_MET", r"target met: [0-9.]+ <= 9\.0"),
        (
            RISING_RATE,
            "EARLY_STOP",
            r"epoch [0-9]+: validation loss .* for 2 epochs, .*; target not met",
        ),
        ((), "BUDGET_END", r"target not met: [0-9.]+ > 2\.2"),
    ],
)
def test_each_way_to_end_well_is_the_same_on_stdout_and_in_the_record(
    apr: Apr, tmp_path: Path, flags: tuple[str, ...], status: str, reason: str
) -> None:
    done = apr(*flags)
    record = record_of(tmp_path)
    assert (done.returncode, record["status"], record["exit_code"]) == (0, status, 0)
    assert re.fullmatch(reason, record["reason"])
    remedy = "; raise --num-steps" if status == "BUDGET_END" else ""
    last = f"{status}: {record['reason']}{remedy}; {tmp_path / 'run'}"
    assert done.stdout.splitlines()[-1] == last
