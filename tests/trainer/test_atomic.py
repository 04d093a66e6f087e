from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pv_trainer.atomic import atomic_folder


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
