"""What processes left behind, read back by somebody who does not trust them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pv_harness.judging.measurement import Measurement
from pv_harness.measuring.record import (
    ChildFacts,
    Shown,
    node_key,
    read_children,
    read_shown,
)


if TYPE_CHECKING:
    from pathlib import Path

FIFO = "is a named pipe, it should be a regular file"
WHOLE = b'{"reached": "a:b", "modules": ["/m.py"], "opened": ["/d"], "cuda_peak_bytes": 3}\n'


def children(folder: Path, data: bytes) -> ChildFacts:
    (folder / f"child-{node_key('node')}-7.jsonl").write_bytes(data)
    return read_children(folder, "node")


def test_notes_are_united(tmp_path: Path) -> None:
    more = b'{"modules": ["/m.py", "/n.py"]}\n{"cuda_peak_bytes": 2}\n'
    facts = children(tmp_path, WHOLE + more)
    assert facts == ChildFacts(("a:b",), ("/m.py", "/n.py"), ("/d",), 3)


def test_a_file_that_is_none_of_ours_is_damage(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / f"child-{node_key('node')}-1.jsonl")
    facts = children(tmp_path, WHOLE)
    assert facts.reached == ("a:b",)
    assert facts.damage == f"child-{node_key('node')}-1.jsonl: {FIFO}"


@pytest.mark.parametrize(
    ("note", "said"),
    [
        (b'{"modules": [', "it breaks off"),
        (b'{"modules": []}', "it breaks off"),
        (b"{\n", "Expecting property name"),
        (b"\n", "Expecting value"),
        (b"[]\n", "it is no object"),
        (b'{"modules": 1}\n', "'int' object is not iterable"),
        (b'{"opened": [1]}\n', "a value in it is of another type"),
        (b'{"reached": [1]}\n', "a value in it is of another type"),
        (b'{"cuda_peak_bytes": "9"}\n', "a value in it is of another type"),
        (b"\xff\n", "can't decode byte"),
        (b"[" * 100_000 + b"\n", "maximum recursion depth"),
    ],
)
def test_a_line_that_is_no_note_is_damage_and_the_others_count(
    tmp_path: Path, note: bytes, said: str
) -> None:
    facts = children(tmp_path, WHOLE + note)
    assert (facts.reached, facts.cuda_peak_bytes) == (("a:b",), 3)
    assert facts.damage.startswith(f"line 2 of child-{node_key('node')}-7.jsonl: ")
    assert said in facts.damage


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
