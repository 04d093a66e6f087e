from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from pv_harness.evidence.stamp import FileStamp, scan_stamps


if TYPE_CHECKING:
    from pathlib import Path

REGULAR = stat.S_IFREG | 0o644
NOW_S = 1_000_000.0


def stamp(*, mode: int = REGULAR, modified_s: float = 0.0, changed_s: float = 0.0) -> FileStamp:
    return FileStamp("a", mode, 1, 2, 3, int(modified_s * 1e9), int(changed_s * 1e9))


@pytest.mark.parametrize(
    ("modified_s", "changed_s"),
    [
        (NOW_S - 9, NOW_S - 1),
        (NOW_S - 1, NOW_S - 9),
        (NOW_S - 9, NOW_S + 9),
        (NOW_S - 2, NOW_S - 2),
    ],
    ids=["changed now", "modified now", "from the future", "at the edge"],
)
def test_what_changed_within_a_step_of_the_clock_is_not_settled(
    modified_s: float, changed_s: float
) -> None:
    assert not stamp(modified_s=modified_s, changed_s=changed_s).is_settled(NOW_S)
    assert stamp(modified_s=NOW_S - 3, changed_s=NOW_S - 3).is_settled(NOW_S)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFDIR, 0])
def test_what_is_no_regular_file_is_never_settled(kind: int) -> None:
    assert stamp().is_settled(NOW_S)
    assert not stamp(mode=kind | 0o644).is_settled(NOW_S)


def test_statements_alone_are_listed_by_name(tmp_path: Path) -> None:
    for name in ("b.intoto.jsonl", "a.intoto.jsonl", "notes.txt", ".a.intoto.jsonl.tmp"):
        (tmp_path / name).write_text(name)
    found = scan_stamps(tmp_path)
    assert [stamp.name for stamp in found] == ["a.intoto.jsonl", "b.intoto.jsonl"]
    facts = (tmp_path / "a.intoto.jsonl").stat()
    assert found[0][1:] == (
        facts.st_mode,
        facts.st_dev,
        facts.st_ino,
        facts.st_size,
        facts.st_mtime_ns,
        facts.st_ctime_ns,
    )


def test_a_link_is_described_itself_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "a.intoto.jsonl").symlink_to(tmp_path / "nowhere")
    (found,) = scan_stamps(tmp_path)
    assert stat.S_ISLNK(found.mode)


def test_any_change_gives_another_stamp(tmp_path: Path) -> None:
    file = tmp_path / "a.intoto.jsonl"
    file.write_text("1")
    seen = {scan_stamps(tmp_path)[0]}
    for change in (
        lambda: file.write_text("2"),
        lambda: file.chmod(0o600),
        lambda: os.utime(file, ns=(0, 0)),
        lambda: _other(tmp_path).replace(file),
    ):
        before = file.stat().st_ctime_ns
        change()
        while file.stat().st_ctime_ns == before:
            change()
        seen.add(scan_stamps(tmp_path)[0])
    assert len(seen) == 5


def _other(folder: Path) -> Path:
    other = folder / "other"
    other.write_text("1")
    return other
