"""What a check shows while it runs, read by somebody who does not wait for its end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pv_harness.judging.measurement import Measurement
from pv_harness.measuring.running_checks import (
    Shown,
    StartMark,
    read_shown,
    read_starts,
    still_runs,
)


if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_check_runs_until_its_mark_is_let_go(tmp_path: Path) -> None:
    mark = StartMark(tmp_path, "checks/test_a.py::test_b[é]")
    (file,) = read_starts(tmp_path).values()
    assert list(read_starts(tmp_path)) == ["checks/test_a.py::test_b[é]"]
    assert still_runs(file)
    mark.release()
    assert not still_runs(file)
    file.unlink()
    assert not still_runs(file)


def test_what_is_shown_may_grow_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = Shown(tmp_path, "node", "F-1")
    shown.add(Measurement("loss", 1.0))
    waiting = [2.0]
    read = os.read

    def read_and_show(descriptor: int, most: int) -> bytes:
        data = read(descriptor, most)
        while waiting:
            shown.add(Measurement("loss", waiting.pop()))
        return data

    monkeypatch.setattr(os, "read", read_and_show)
    found = read_shown(tmp_path, "node")
    shown.close()
    assert found is not None
    assert [m.value for m in found.measurements] == [1.0, 2.0]


def test_a_measurement_that_is_half_shown_is_not_shown_yet(tmp_path: Path) -> None:
    shown = Shown(tmp_path, "node", "F-1")
    for value in (1.0, 2.0):
        shown.add(Measurement("loss", value))
    shown.close()
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-3])
    found = read_shown(tmp_path, "node")
    assert found is not None
    assert [m.value for m in found.measurements] == [1.0]
