"""When pv is killed, what it had started ends and its folder goes."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pv_harness.measuring.guard import guarded_folder


HARNESS = Path(__file__).resolve().parents[3] / "harness"
OWNER = """\
import pathlib, subprocess, sys
from pv_harness.measuring.guard import guarded_folder
from pv_harness.measuring.running_checks import group_path

with guarded_folder("pv-test-guard-") as folder:
    (folder / "records-1").mkdir()
    for place in (folder, folder / "records-1"):
        child = subprocess.Popen(
            [sys.executable, "-c", "import sys; sys.stdin.read()"],
            stdin=subprocess.PIPE, start_new_session=True,
        )
        group_path(place, child.pid).touch()
        print(child.pid)
    print(folder, flush=True)
    sys.stdin.readline()
"""


def start_owner() -> tuple[subprocess.Popen[str], list[int], Path]:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(HARNESS)},
    )
    assert owner.stdout is not None
    lines = [owner.stdout.readline().strip() for _ in range(3)]
    return owner, [int(line) for line in lines[:2]], Path(lines[2])


def wait_for_the_end(pid: int) -> None:
    # Not our child: its end is seen through a descriptor of the process.
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([descriptor], [], [], 20.0)[0], f"process {pid} lives on"
    finally:
        os.close(descriptor)


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="the test needs Linux")
def test_a_killed_owner_leaves_neither_processes_nor_folder() -> None:
    owner, children, folder = start_owner()
    assert folder.is_dir()
    owner.send_signal(signal.SIGKILL)
    owner.communicate()
    for child in children:
        wait_for_the_end(child)
    deadline = time.monotonic() + 20
    while folder.exists() and time.monotonic() < deadline:
        os.sched_yield()
    assert not folder.exists()


def test_an_owner_that_ends_kills_nobody_by_itself() -> None:
    owner, children, folder = start_owner()
    assert owner.stdin is not None
    # Its children end with their pipes; nothing is killed that has ended in peace.
    owner.communicate("\n", timeout=20)
    assert owner.returncode == 0
    assert not folder.exists()
    for child in children:
        wait_for_the_end(child)


def _reapers_of(folder: Path) -> list[int]:
    return [
        int(p.name)
        for p in Path("/proc").iterdir()
        if p.name.isdecimal() and _command_of(p).endswith(f"reaper.py\0{folder}\0")
    ]


def test_the_folder_is_removed_also_if_the_reaper_was_killed(tmp_path: Path) -> None:
    with guarded_folder("pv-test-guard-") as folder:
        (folder / "something").write_text("x")
        deadline = time.monotonic() + 20
        while not (reapers := _reapers_of(folder)) and time.monotonic() < deadline:
            os.sched_yield()
        assert len(reapers) == 1
        os.kill(reapers[0], signal.SIGKILL)
    assert not folder.exists()
    assert tmp_path.exists()


def _command_of(process: Path) -> str:
    try:
        return (process / "cmdline").read_text()
    except OSError:
        return ""
