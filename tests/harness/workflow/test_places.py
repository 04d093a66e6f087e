from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest
from tests.harness.board.conftest import make_row

from pv_harness.workflow.places import find_lines


if TYPE_CHECKING:
    from pv_harness.board.scoreboard import Row


def rows(*names: str, path: str = "c.yaml") -> list[Row]:
    found = [make_row("NOT_RUN", name) for name in names]
    return [replace(r, contract=replace(r.contract, path=PurePosixPath(path))) for r in found]


@pytest.mark.parametrize(
    "text",
    [
        "falsifiers:\n- id: F-1\n  rule: r\n",
        "falsifiers:\n  -   id:   'F-1'\n",
        'falsifiers:\n- "id": "F-1"\n',
        "falsifiers:\n- {id: F-1, rule: r}\n",
        "falsifiers:\n-\tid: F-1 # the first\n",
        "falsifiers:\r\n- id: F-1\r\n",
        "# id: F-1 in a comment is none\n- id: F-1\n",
    ],
)
def test_the_line_of_an_id_is_found(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.yaml").write_text(text, encoding="utf-8", newline="")
    assert find_lines(tmp_path, rows("F-1")) == {"F-1": 2}


def test_an_id_that_begins_like_another_is_another(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("- id: F-10\n- id: F-1\n- id: F-2\n", encoding="utf-8")
    assert find_lines(tmp_path, rows("F-1", "F-10")) == {"F-10": 1, "F-1": 2}


def test_an_id_that_stands_nowhere_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("- rule: F-1\n", encoding="utf-8")
    assert find_lines(tmp_path, rows("F-1")) == {}


def test_a_file_that_is_gone_or_no_file_gives_no_line(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    assert find_lines(tmp_path, rows("F-1", path="gone.yaml")) == {}
    assert find_lines(tmp_path, rows("F-1", path="pipe.yaml")) == {}
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00- id: F-1\n- id: F-1")
    assert find_lines(tmp_path, rows("F-1", path="bytes.yaml")) == {"F-1": 2}
