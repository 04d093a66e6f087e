"""By what a file of the store is known again without reading it."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, NamedTuple

from pv_harness.evidence.folder import list_entries


if TYPE_CHECKING:
    import os
    from pathlib import Path

_SETTLING_NS = 2_000_000_000
"""The coarsest clock of a file system in use counts in steps of two seconds (FAT)."""


class FileStamp(NamedTuple):
    """A file as its file system describes it.

    The name of a statement promises its bytes. Whoever changes them afterwards, changes the
    time of the last change (`st_ctime`), which nobody can set: neither by writing, nor by
    renaming another file to this name, nor by setting `st_mtime` back. What this does not see:
    a write past the file system, a clock that was set back, and a change within one step of
    that clock; see `is_settled`.
    """

    name: str
    mode: int
    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int

    def is_settled(self, now_s: float) -> bool:
        """True if a change from `now_s` on would show: the last one is some steps ago."""
        newest = max(self.modified_ns, self.changed_ns)
        return stat.S_ISREG(self.mode) and newest < int(now_s * 1e9) - _SETTLING_NS


def scan_stamps(folder: Path) -> list[FileStamp]:
    """The stamps of all statements in a store, sorted by name. No folder is an empty store.

    Raises:
        EvidenceError: the folder is none or can't be listed.
    """
    return [_stamp(entry) for entry in list_entries(folder)]


def _stamp(entry: os.DirEntry[str]) -> FileStamp:
    try:
        facts = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        # Removed since it was listed: reading it will say so.
        return FileStamp(entry.name, 0, 0, 0, 0, 0, 0)
    return FileStamp(
        entry.name,
        facts.st_mode,
        facts.st_dev,
        facts.st_ino,
        facts.st_size,
        facts.st_mtime_ns,
        facts.st_ctime_ns,
    )
