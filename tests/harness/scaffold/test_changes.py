"""What a set-up does to files: it makes, it extends, and it never overwrites."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from pv_harness.errors import InfrastructureError, UsageError
from pv_harness.scaffold.changes import (
    Action,
    Change,
    read_text,
    render_changes,
    write_changes,
)


if TYPE_CHECKING:
    from pathlib import Path

CHANGES = (
    Change("a/new.txt", Action.CREATE, "what it is for", "text\n"),
    Change("old.txt", Action.EXTEND, "one line more", "old\nmore\n", "old\n"),
    Change("kept", Action.KEEP, "was there"),
)


def test_every_file_gets_a_line() -> None:
    assert render_changes(CHANGES, dry_run=False) == (
        "created   a/new.txt  what it is for\n"
        "extended  old.txt    one line more\n"
        "kept      kept       was there"
    )
    assert render_changes(CHANGES, dry_run=True).splitlines()[0] == (
        "would create  a/new.txt  what it is for"
    )


def test_files_are_made_and_extended(tmp_path: Path) -> None:
    (tmp_path / "old.txt").write_text("old\n", encoding="utf-8")
    (tmp_path / "old.txt").chmod(0o600)
    write_changes(tmp_path, CHANGES)
    assert (tmp_path / "a/new.txt").read_text(encoding="utf-8") == "text\n"
    assert (tmp_path / "old.txt").read_text(encoding="utf-8") == "old\nmore\n"
    assert stat.S_IMODE((tmp_path / "old.txt").stat().st_mode) == 0o600
    assert not (tmp_path / "kept").exists()


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("old\n", encoding="utf-8")
    (tmp_path / "old.txt").symlink_to("real.txt")
    write_changes(tmp_path, CHANGES[1:2])
    assert (tmp_path / "old.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text(encoding="utf-8") == "old\nmore\n"


@pytest.mark.parametrize("name", ["a", "old.txt"])
def test_a_link_out_of_the_project_is_refused_before_anything_is_written(
    tmp_path: Path, name: str
) -> None:
    root, outside = tmp_path / "project", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / name).symlink_to(outside / "x")
    if name != "old.txt":
        (root / "old.txt").write_text("old\n", encoding="utf-8")
    with pytest.raises(UsageError, match=f"{name}.*: leads out of the project, to .*outside/x"):
        write_changes(root, CHANGES)
    assert list(outside.iterdir()) == []
    assert [path.name for path in root.iterdir() if path.is_dir()] == []


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("a")
    with pytest.raises(UsageError, match="a link that leads nowhere; remove it first"):
        write_changes(tmp_path, CHANGES[:1])


@pytest.mark.parametrize("name", ["a/new.txt", "old.txt"])
def test_what_changed_meanwhile_is_not_overwritten(tmp_path: Path, name: str) -> None:
    for existing in ("old.txt", name):
        (tmp_path / existing).parent.mkdir(exist_ok=True)
        (tmp_path / existing).write_text("theirs", encoding="utf-8")
    with pytest.raises(InfrastructureError, match="changed meanwhile; run the command again"):
        write_changes(tmp_path, CHANGES)
    assert (tmp_path / name).read_text(encoding="utf-8") == "theirs"


def test_a_folder_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file", encoding="utf-8")
    with pytest.raises(UsageError, match=r"a/new.txt: can't be read: not a directory"):
        write_changes(tmp_path, CHANGES)
    if os.geteuid():  # root writes everywhere
        (tmp_path / "b").mkdir(mode=0o500)
        change = Change("b/new.txt", Action.CREATE, "", "text\n")
        with pytest.raises(InfrastructureError, match=r"b/new.txt: can't be written"):
            write_changes(tmp_path, [change])


def test_a_file_is_read_with_its_line_ends(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"a\r\nb\n")
    assert read_text(tmp_path / "x") == "a\r\nb\n"
    assert read_text(tmp_path / "absent") is None


def test_what_is_no_text_file_can_not_be_extended(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff")
    with pytest.raises(UsageError, match="binary: is not UTF-8 text; save it as UTF-8 first"):
        read_text(tmp_path / "binary")
    with pytest.raises(UsageError, match="can't be read: is a directory"):
        read_text(tmp_path)
