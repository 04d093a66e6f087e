from __future__ import annotations

import signal
import subprocess
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from pv_harness.measuring.exit_status import (
    describe_exit,
    exit_code_of,
    forget_exit,
    read_exit,
    write_exit,
)


if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (0, "exit code 0"),
        (139, "exit code 139"),
        (-signal.SIGSEGV, "killed by SIGSEGV"),
        (-signal.SIGKILL, "killed by SIGKILL, perhaps out of memory"),
        (-250, "killed by signal 250"),
    ],
)
def test_an_exit_is_told_by_its_code_or_by_the_name_of_the_signal(code: int, told: str) -> None:
    assert describe_exit(code) == told


def test_what_was_noted_of_a_check_is_read_until_it_is_forgotten(tmp_path: Path) -> None:
    assert read_exit(tmp_path, "a.py::a") is None
    write_exit(tmp_path, "a.py::a", -9)
    assert (read_exit(tmp_path, "a.py::a"), read_exit(tmp_path, "a.py::b")) == (-9, None)
    forget_exit(tmp_path, "a.py::a")
    forget_exit(tmp_path, "a.py::a")
    assert read_exit(tmp_path, "a.py::a") is None


@pytest.mark.parametrize("text", ["", "nine", "9" * 17, "\0"])
def test_a_note_that_is_none_says_nothing(tmp_path: Path, text: str) -> None:
    write_exit(tmp_path, "a", 1)
    (note,) = tmp_path.iterdir()
    note.write_text(text)
    assert read_exit(tmp_path, "a") is None


def test_a_worker_that_nobody_can_ask_has_no_exit_code() -> None:
    def wait(_timeout_s: float) -> int:
        raise subprocess.TimeoutExpired("python", 5.0)

    def gateway(**parts: object) -> SimpleNamespace:
        return SimpleNamespace(gateway=SimpleNamespace(**parts))

    ended = SimpleNamespace(wait=lambda _timeout_s: -11)
    assert exit_code_of(gateway(_io=SimpleNamespace(popen=ended))) == -11
    assert exit_code_of(gateway(_io=SimpleNamespace(popen=SimpleNamespace(wait=wait)))) is None
    assert exit_code_of(gateway(_io=SimpleNamespace())) is None
    assert exit_code_of(gateway()) is None
