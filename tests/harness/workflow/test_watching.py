"""The loop of --watch, driven by a clock, pauses and looks that the test writes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pytest

from pv_harness.workflow.watching import changes, stamp_files, watch


if TYPE_CHECKING:
    from pathlib import Path


Look = Mapping[str, tuple[int, ...]]


class EndError(Exception):
    """The script of a test has come to its end."""


class World:
    """A clock that pauses and looks move, and what every look sees in turn."""

    def __init__(self, looks: Sequence[Look], look_s: float = 0.0) -> None:
        self.now_s = 0.0
        self.events: list[str] = []
        self.joining: Look = {}
        self._looks = list(looks)
        self._look_s = look_s

    def look(self) -> Look:
        if not self._looks:
            raise EndError
        self.now_s += self._look_s
        return self._looks.pop(0)

    def act(self, changed: tuple[str, ...]) -> Look:
        self.events.append("act " + ",".join(changed))
        return self.joining

    def pause(self, seconds: float) -> None:
        self.now_s += seconds
        self.events.append(f"pause {seconds:g}")

    def run(self, interval_s: float = 0.5) -> list[str]:
        with pytest.raises(EndError):
            watch(
                self.look,
                self.act,
                interval_s=interval_s,
                pause=self.pause,
                clock=lambda: self.now_s,
            )
        return self.events


A1, A2, A3 = ({"a": (n,)} for n in (1, 2, 3))


def test_it_acts_at_once_and_then_only_on_a_change() -> None:
    assert World([A1, A1, A1]).run() == ["act ", "pause 0.5", "pause 0.5"]


def test_a_change_is_acted_on_once_it_has_settled() -> None:
    events = World([A1, A1, A2, A3, A3, A3]).run()
    assert events == ["act ", "pause 0.5", "pause 0.05", "pause 0.05", "act a", "pause 0.5"]


def test_what_changes_while_it_acts_is_noticed() -> None:
    # The look before acting is compared with, not one after it.
    assert World([A1, A2, A2, A2]).run() == ["act ", "pause 0.05", "act a", "pause 0.5"]


def test_files_that_matter_only_since_the_last_time_are_not_new() -> None:
    both: Look = {"a": (1,), "b": (1,)}
    world = World([A1, both, both])
    world.joining = {"a": (7,), "b": (1,)}
    assert world.run() == ["act ", "pause 0.5", "pause 0.5"]


def test_a_change_that_is_taken_back_while_it_settles_is_none() -> None:
    assert World([A1, A2, A1, A1]).run()[:3] == ["act ", "pause 0.05", "pause 0.05"]
    assert "act a" not in World([A1, A2, A1, A1, A1]).run()


def test_a_file_that_never_rests_is_not_waited_for() -> None:
    events = World([{"a": (n,)} for n in range(60)]).run()
    assert events.count("act a") >= 2


def test_files_come_and_go() -> None:
    both: Look = {"a": (1,), "b": (1,)}
    gone: Look = {}
    events = World([A1, both, both, gone, gone, gone]).run()
    assert [event for event in events if event.startswith("act")] == [
        "act ",
        "act b",
        "act a,b",
    ]


def test_a_slow_look_is_followed_by_a_long_pause() -> None:
    assert World([A1, A1, A1], look_s=2.0).run() == ["act ", "pause 8", "pause 8"]


def test_changes_name_what_is_new_gone_or_different() -> None:
    before = {"same": (1,), "gone": (1,), "other": (1,)}
    after = {"same": (1,), "new": (1,), "other": (2,)}
    assert changes(before, after) == ("gone", "new", "other")


def test_a_stamp_follows_time_size_and_inode(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    seen = []

    def note() -> None:
        seen.append(stamp_files([file]))

    note()
    file.write_text("a")
    os.utime(file, ns=(1, 1))
    note()
    os.utime(file, ns=(2, 2))
    note()
    file.write_text("ab")
    os.utime(file, ns=(2, 2))
    note()
    other = tmp_path / "other"
    other.write_text("cd")
    os.utime(other, ns=(2, 2))
    other.replace(file)
    note()
    assert seen[0] == {}
    assert len({str(stamp) for stamp in seen}) == len(seen)
    note()
    assert seen[-1] == seen[-2]


def test_what_can_not_be_looked_at_has_no_stamp(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    names = ["loop", "gone", "nul\0"]
    assert stamp_files(tmp_path / name for name in names) == {}


def test_a_pipe_is_there_or_not(tmp_path: Path) -> None:
    pipe = tmp_path / "x.yaml"
    os.mkfifo(pipe)
    before = stamp_files([pipe])
    os.utime(pipe, ns=(5, 5))
    assert stamp_files([pipe]) == before != {}
