"""What is said to be written is on disk, whole, and under its name."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from pv_harness.atomic_file import make_folder, sync_folder, write_atomically


class Disk:
    """What was done to the disk, in order: files and folders synced, names that appeared."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[tuple[str, str]] = []
        sync, rename = os.fsync, os.replace

        def fsync(descriptor: int) -> None:
            kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
            self.done.append((kind, Path(f"/proc/self/fd/{descriptor}").readlink().name))
            sync(descriptor)

        def replace(source: str, target: Path) -> None:
            self.done.append(("rename", f"{len(Path(source).read_bytes())} bytes"))
            rename(source, target)

        monkeypatch.setattr(os, "fsync", fsync)
        monkeypatch.setattr(os, "replace", replace)


def test_a_file_is_on_disk_before_its_name_and_its_name_before_we_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "store").mkdir()
    disk = Disk(monkeypatch)
    write_atomically(tmp_path / "store" / "a.json", b"whole")
    kinds = [kind for kind, _ in disk.done]
    assert kinds == ["file", "rename", "folder"]
    assert disk.done[0][1].startswith(".a.json.")
    assert disk.done[1:] == [("rename", "5 bytes"), ("folder", "store")]
    assert (tmp_path / "store" / "a.json").read_bytes() == b"whole"


def test_anybody_may_read_what_was_written(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a", b"")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o644


def test_a_name_that_can_not_be_given_leaves_what_was_there_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"before")

    def replace(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(tmp_path / "a", b"after")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a", b"before")]


def test_new_folders_are_on_disk_from_the_top_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    make_folder(tmp_path / "a" / "b")
    assert disk.done == [("folder", tmp_path.name), ("folder", "a")]
    make_folder(tmp_path / "a" / "b")
    assert len(disk.done) == 2


def test_a_folder_that_is_not_there_can_not_be_synced(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        sync_folder(tmp_path / "gone")
