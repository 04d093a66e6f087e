"""Answers that are given again while nothing has changed that they rest on.

An answer is what a command printed, and its exit code. It is kept with the names of all files
and folders that it rests on, and with what the system says of them: kind, device, inode, size,
and the times of the last change to the bytes and to the file, in nanoseconds. The second of
these times nobody can set. So whatever happens to one of these files later shows, unless it
happens within one step of the file system's clock; therefore nothing is kept that rests on a
file that has changed shortly before the command began.

Not seen are a write past the file system, a clock that was set back, and pages of a file that
another process keeps writable in its memory. `pv validate --hash` reads every file instead,
`--no-cache` gives and keeps no answer at all.

`recalled_answers` finds an answer again.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pv_harness.user_cache import keep_bytes
from pv_harness.workflow.recalled_answers import look_at, place_of, seal_entry


if TYPE_CHECKING:
    from collections.abc import Mapping

_SETTLING_NS = 2_000_000_000
"""The coarsest clock of a file system in use counts in steps of two seconds (FAT)."""
_MOST_TEXT = 16 << 20


class Folder(NamedTuple):
    """Every file below a folder whose name ends in one of `endings`.

    Attributes:
        importable: only folders that a dotted name can lead through are looked into, instead of
            all but the hidden ones.
    """

    path: str
    endings: tuple[str, ...]
    importable: bool = False


class Ground(NamedTuple):
    """What an answer rests on; a file may be absent, and its appearance is then a change."""

    folders: tuple[Folder, ...]
    files: tuple[str, ...]


class Stamp(NamedTuple):
    """What is seen of all files of a ground, and when the newest of them had changed."""

    seen: Mapping[str, object]
    newest_ns: int


class Answer(NamedTuple):
    """What a command printed, without the last line's end, and its exit code."""

    text: str
    code: int


def keep_answer(
    caches: Path,
    request: str,
    ground: Ground,
    answer: Answer,
    *,
    started_ns: int,
    by_content: bool = False,
) -> bool:
    """Keep an answer, and say whether that was possible.

    Args:
        caches: this user's cache folder.
        request: everything else that the answer depends on: arguments, folder, day.
        ground: all that was read to find it, and the names that led nowhere.
        answer: what to give again.
        started_ns: when the first file of the ground was looked at, or earlier.
        by_content: know files by their bytes instead of their times.
    """
    try:
        stamp = stamp_ground(ground, by_content=by_content)
    except OSError:
        return False
    if not is_settled(stamp.newest_ns, started_ns) or len(answer.text) > _MOST_TEXT:
        return False
    plain = tuple(map(tuple, ground.folders)), ground.files
    entry = (request, plain, by_content, stamp.seen, answer.text, int(answer.code))
    keep_bytes(Path(place_of(str(caches), request)), seal_entry(entry))
    return True


def is_settled(changed_ns: int, started_ns: int) -> bool:
    """True if a change from `started_ns` on would show: the last one is some steps ago."""
    return changed_ns < started_ns - _SETTLING_NS


def stamp_ground(ground: Ground, *, by_content: bool = False) -> Stamp:
    """What is seen of everything in the ground, and of pv itself.

    Raises:
        OSError: a folder can't be listed, or a file can't be read though its bytes count.
    """
    return Stamp(*look_at(ground.folders, ground.files, by_content=by_content))
