"""`apr bench` as a user runs it."""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys

import pytest


SMALL = ("--batch-size", "2", "--seq-length", "16", "--updates", "3", "--device", "cpu")


def apr_bench(*flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pv_trainer", "bench", *flags],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_report_agrees_with_itself() -> None:
    done = apr_bench(*SMALL, "--grad-accum", "2", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert (found["config"], found["parameters"]) == ("tiny-qwen2", 361_024)
    assert (found["device"], found["dtype"], found["threads"]) == ("cpu", "float32", 1)
    assert len(found["update_s"]) == 3
    assert found["median_update_s"] == statistics.median(found["update_s"])
    assert found["tokens_per_s"] == pytest.approx(32 / found["median_update_s"])
    speed = found["tokens_per_s"] * found["flops_per_token"]
    assert found["flops_per_s"] == pytest.approx(speed)
    assert found["share_of_matmul"] == pytest.approx(speed / found["matmul_flops_per_s"])
    assert found["peak_memory_bytes"] > 4 * 4 * found["parameters"]


def test_without_json_a_person_can_read_it() -> None:
    done = apr_bench(*SMALL, "--config", "tiny-llama", "--dtype", "bfloat16")
    assert (done.returncode, done.stderr) == (0, "")
    number = r"[0-9][0-9.,e-]*"
    ms, product = f"{number} ms", "a matrix product of 2048 x 2048"
    expected = (
        r"tiny-llama  360,768 parameters, 2 x 16 tokens, bfloat16",
        r"device      cpu: \S.*, 1 CPU thread",
        rf"update      median {ms} of 3 \({ms} to {ms}\), first {ms}",
        rf"speed       {number} tokens/s, {number} TFLOP/s",
        rf"ceiling     {number} TFLOP/s in {product}; updates reach {number} %",
        rf"memory      {number} MiB at the peak, of the whole process",
    )
    for line, pattern in zip(done.stdout.splitlines(), expected, strict=True):
        assert re.fullmatch(pattern, line), line


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        (("--seq-length", "1025"), 2, "[APR-CLI-001] --seq-length 1025 is above the model's"),
        (("--grad-accum", "3"), 2, "[APR-CLI-001] --grad-accum 3 is above --batch-size 2"),
        (("--updates", "0"), 2, "[APR-CLI-001] apr bench: argument --updates: '0' is not"),
        (("--device", "cuda:16"), 2, "[GPUTRAIN-001] --device 'cuda:16' is none of cpu"),
        (("--device", "cuda:15"), 12, "[GPUTRAIN-002] --device cuda:15: this process sees"),
        (("--config", "gpt"), 2, "[APR-CLI-001] apr bench: argument --config: invalid choice"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    flags: tuple[str, ...], code: int, message: str
) -> None:
    done = apr_bench(*SMALL, *flags)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(f"apr: {message}")
