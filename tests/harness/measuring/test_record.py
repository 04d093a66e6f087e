"""What processes left behind, read back by somebody who does not trust them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pv_harness.measuring.record import ChildFacts, node_key, read_children


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
