from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pv_trainer.atomic import atomic_file, atomic_folder


if TYPE_CHECKING:
    from pathlib import Path


def test_a_folder_appears_whole_with_its_folders_inside(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "new" / "folder") as temporary:
        (temporary / "a").mkdir()
        (temporary / "a" / "b").write_text("text")
        assert not (tmp_path / "new" / "folder").exists()
    assert (tmp_path / "new" / "folder" / "a" / "b").read_text() == "text"
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["folder"]


def test_a_block_that_raises_leaves_nothing(tmp_path: Path) -> None:

    def write() -> None:
        with atomic_folder(tmp_path / "folder") as place:
            (place / "a").write_text("text")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        write()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_content_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine").write_text("precious")
    with pytest.raises(OSError, match="not empty"), atomic_folder(tmp_path / "folder") as place:
        (place / "a").write_text("text")
    assert [p.name for p in (tmp_path / "folder").iterdir()] == ["mine"]
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_what_killed_tries_left_is_removed_and_what_others_write_is_not(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "run") as other:
        for name in (".run.1-ab.tmp", ".run2.4-ab.tmp", "run.tmp"):
            (tmp_path / name / "ckpt").mkdir(parents=True)
        (tmp_path / ".run.json.3-ab.tmp").touch()
        with atomic_folder(tmp_path / "run") as place:
            (place / "first").touch()
        (tmp_path / "run" / "first").unlink()
        assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
            [other.name, ".run2.4-ab.tmp", "run.tmp", ".run.json.3-ab.tmp", "run"]
        )


def test_a_folder_is_made_where_a_link_leads(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "near").symlink_to("far")
    with atomic_folder(tmp_path / "near") as place:
        (place / "a").touch()
    assert (tmp_path / "near").is_symlink()
    assert (tmp_path / "far" / "a").exists()


def test_a_link_to_itself_is_no_place(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="Too many levels"), atomic_folder(tmp_path / "loop"):
        pass


def test_what_a_killed_writing_left_is_removed_and_what_others_write_is_not(
    tmp_path: Path,
) -> None:
    for name in (".file.1-ab.tmp", ".file2.1-ab.tmp"):
        (tmp_path / name).touch()
    os.mkfifo(tmp_path / ".file.2-ab.tmp")
    with atomic_file(tmp_path / "file") as first, atomic_file(tmp_path / "file") as second:
        first.write(b"first")
        second.write(b"second")
        assert not (tmp_path / ".file.1-ab.tmp").exists()
    assert (tmp_path / "file").read_bytes() == b"first"
    assert sorted(p.name for p in tmp_path.iterdir()) == [".file2.1-ab.tmp", "file"]
