from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pv_trainer.errors import CheckpointFailed
from pv_trainer.training.run_folder import cut_back, make_run_folder


if TYPE_CHECKING:
    from pathlib import Path


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    make_run_folder(tmp_path / "a" / "run", lambda folder: (folder / "run.json").touch())
    assert [path.name for path in sorted((tmp_path / "a" / "run").iterdir())] == [
        *("ckpt", "metrics.jsonl", "run.json"),
    ]
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["run"]


def test_a_folder_that_can_not_be_written_leaves_nothing(tmp_path: Path) -> None:
    def full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(CheckpointFailed, match=r"CKPT-001.*run: cannot be made: No space left"):
        make_run_folder(tmp_path / "run", full)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_no_new_run(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with pytest.raises(CheckpointFailed, match=r"CKPT-001.*run: cannot be made: File exists"):
        make_run_folder(tmp_path / "run", lambda _: None)
    assert list((tmp_path / "run").iterdir()) == []


def test_cutting_back_to_the_begin_empties_the_run(tmp_path: Path) -> None:
    make_run_folder(tmp_path / "run", lambda _: None)
    ckpt = tmp_path / "run" / "ckpt"
    (tmp_path / "run" / "metrics.jsonl").write_text('{"step": 1}\n{"st')
    for name in (".epoch-000.apr.3-ab.tmp", "epoch-000.apr", "epoch-000.state.safetensors"):
        (ckpt / name).touch()
    (ckpt / "notes.txt").touch()
    (tmp_path / "run" / ".run.json.3-ab.tmp").touch()
    cut_back(tmp_path / "run", None)
    assert [path.name for path in ckpt.iterdir()] == ["notes.txt"]
    assert (tmp_path / "run" / "metrics.jsonl").read_text() == ""
    assert not (tmp_path / "run" / ".run.json.3-ab.tmp").exists()
