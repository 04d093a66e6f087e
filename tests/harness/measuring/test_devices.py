"""Which worker sees which GPU, and how many threads it gets."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from pv_harness.contracts.contract import Bound, Comparator, Falsifier, Level, LevelRule
from pv_harness.measuring.devices import (
    Slot,
    threads_per_worker,
    visible_devices,
    workers_with_a_device,
)
from pv_harness.measuring.sharing import share_out


HARNESS = Path(__file__).resolve().parents[3] / "harness"
PLAIN = Falsifier(
    "A-001",
    "rule",
    "prediction",
    "if_fails",
    ("a",),
    (Bound("m", Comparator.EQ, 0),),
    (LevelRule(Level.PARTIAL),),
)
NEEDS_GPU = replace(PLAIN, id="G-001", requires="cuda")
RISES_ON_GPU = replace(
    PLAIN, id="G-002", levels=(*PLAIN.levels, LevelRule(Level.DISCHARGED, device="cuda"))
)


@pytest.mark.parametrize(
    ("listed", "count", "devices"),
    [
        (None, 0, ()),
        (None, 3, ("0", "1", "2")),
        ("2,0", 2, ("2", "0")),
        (" GPU-8932f937 , MIG-1 ", 2, ("GPU-8932f937", "MIG-1")),
        ("", 0, ()),
        ("0,-1,1", 1, ("0",)),
        ("0,,1", 1, ("0",)),
        ("1,1", 1, ("1",)),
        ("0,1,2,3", 2, ("0", "1")),
        ("NoDevFiles", 0, ()),
    ],
)
def test_the_variable_is_read_as_the_driver_reads_it(
    listed: str | None, count: int, devices: tuple[str, ...]
) -> None:
    environment = {} if listed is None else {"CUDA_VISIBLE_DEVICES": listed}
    assert visible_devices(environment, count) == devices


@given(
    st.lists(st.sampled_from([PLAIN, NEEDS_GPU, RISES_ON_GPU]), max_size=6),
    st.integers(1, 8),
    st.integers(0, 4),
)
def test_no_two_workers_share_a_gpu_and_nothing_is_left_out(
    falsifiers: list[Falsifier], jobs: int, count: int
) -> None:
    gpus = tuple(f"GPU-{n}" for n in range(count))
    shares = share_out(falsifiers, jobs, gpus)
    assert sorted(f.id for s in shares for f in s.falsifiers) == sorted(
        f.id for f in falsifiers
    )
    for share in shares:
        assert 1 <= share.jobs <= jobs
        if gpus and share.jobs > 1:
            assert share.devices is not None
            assert share.devices == () or len(share.devices) == share.jobs
            if share.devices == ():
                assert {f.id for f in share.falsifiers} == {"A-001"}


def test_one_worker_sees_everything() -> None:
    (share,) = share_out([PLAIN, NEEDS_GPU], 1, ("0", "1"))
    assert (share.jobs, share.devices) == (1, None)


def test_claims_about_a_gpu_run_on_as_many_workers_as_there_are_gpus() -> None:
    on_gpu, others = share_out([PLAIN, NEEDS_GPU, RISES_ON_GPU], 4, ("0", "1"))
    assert ([f.id for f in on_gpu.falsifiers], on_gpu.jobs) == (["G-001", "G-002"], 2)
    assert on_gpu.devices == ("0", "1")
    assert ([f.id for f in others.falsifiers], others.jobs, others.devices) == (
        ["A-001"],
        4,
        (),
    )


@given(st.integers(1, 256), st.integers(1, 64))
def test_threads_fill_the_cores_at_most_once(cores: int, jobs: int) -> None:
    threads = threads_per_worker(cores, jobs)
    assert threads >= 1
    assert threads * jobs <= max(cores, jobs)


def test_there_is_a_worker_even_without_a_device() -> None:
    assert workers_with_a_device((), 4) == 1


def test_places_are_taken_once_and_given_back(tmp_path: Path) -> None:
    first, second = Slot(tmp_path, 2), Slot(tmp_path, 2)
    assert {first.number, second.number} == {0, 1}
    with pytest.raises(BlockingIOError, match="all 2 places"):
        Slot(tmp_path, 2)
    second.release()
    assert Slot(tmp_path, 2).number == second.number


def test_a_place_is_free_again_when_its_worker_was_killed(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from pv_harness.measuring.devices import Slot\n"
        "s = Slot(pathlib.Path(sys.argv[1]), 1); print(s.number, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(HARNESS)},
    ) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"0\n"
        with pytest.raises(BlockingIOError):
            Slot(tmp_path, 1)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    assert Slot(tmp_path, 1).number == 0
