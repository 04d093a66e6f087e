"""A run whose streams are closed, full, or speak ASCII ends as any other."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest


if TYPE_CHECKING:
    from pathlib import Path

APR = (sys.executable, "-m", "pv_trainer")
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


@pytest.fixture
def flags(dataset_path: Path, init_path: Path, tmp_path: Path) -> list[str]:
    return [
        *("pretrain", "--init", str(init_path), "--dataset", str(dataset_path)),
        *("--device", "cpu", "--num-steps", "2", "--steps-per-epoch", "1"),
        *("--batch-size", "2", "--seq-length", "16", "--val-tokens", "64"),
        *("--run-dir", str(tmp_path / "run"), "--target-val-loss", "-1"),
        *("--warmup-steps", "0"),
    ]


def shell(redirected: str, flags: list[str], **more: str) -> subprocess.CompletedProcess[str]:
    """Run apr by a shell, with the streams that it gives."""
    return subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {redirected}', "sh", *APR, *flags],
        env=ENVIRONMENT | more,
        capture_output=True,
        text=True,
        check=False,
    )


def record_of(run_dir: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run_dir / "run.json").read_text())
    return found


@pytest.mark.parametrize("redirected", [">/dev/full 2>/dev/full", "<&- >&- 2>&-"])
def test_a_run_ends_with_its_own_code_whatever_its_streams_are(
    redirected: str, flags: list[str], tmp_path: Path
) -> None:
    done = shell(redirected, flags)
    record = record_of(tmp_path / "run")
    assert (done.returncode, record["exit_code"], record["status"]) == (0, 0, "BUDGET_END")
    assert len((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()) == 2


def test_what_a_stream_cannot_spell_is_escaped(flags: list[str], tmp_path: Path) -> None:
    done = shell("", flags, PYTHONIOENCODING="ascii:strict")
    assert (done.returncode, done.stderr) == (0, "")
    assert "val loss" in done.stdout
    assert r"\xb1" in done.stdout
    assert record_of(tmp_path / "run")["status"] == "BUDGET_END"


@pytest.mark.parametrize("redirected", [">/dev/full", "2>/dev/full", ">&- 2>&-"])
def test_a_failure_keeps_its_code_when_nobody_can_be_told(
    redirected: str, tmp_path: Path
) -> None:
    done = shell(redirected, ["inspect", str(tmp_path / "nothing"), "--json"])
    assert done.returncode == 10
    assert "Traceback" not in done.stderr


def test_a_report_that_cannot_be_printed_is_a_failure(init_path: Path) -> None:
    done = shell(">/dev/full", ["inspect", str(init_path), "--json"])
    assert done.returncode == 2
    assert done.stderr.startswith("apr: [APR-CLI-001] stdout: No space left")


def test_a_signal_reaches_a_run_that_cannot_answer_it(flags: list[str], tmp_path: Path) -> None:
    run = tmp_path / "run"
    more = ["--num-steps", "5000", "--steps-per-epoch", "5000", "--cycle"]
    process = subprocess.Popen(
        ["/bin/sh", "-c", 'exec "$@" >&- 2>/dev/full', "sh", *APR, *flags, *more],
        env=ENVIRONMENT,
    )
    while process.poll() is None and not (run / "metrics.jsonl").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 130
    assert record_of(run)["exit_code"] == 130
