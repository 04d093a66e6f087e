"""Answers that are given again while nothing has changed that they rest on.

An answer is what a command printed, and its exit code. It is kept with the names of all files
and folders that it rests on, and with a stamp of them: device, inode, size, and the times of
the last change to the bytes and to the file, in nanoseconds. The second of these times nobody
can set. So whatever happens to one of these files after it was stamped shows in the stamp,
unless it happens within one step of the file system's clock; therefore nothing is kept that
rests on a file that has changed shortly before the command began.

Not seen are a write past the file system, a clock that was set back, and pages of a file that
another process keeps writable in its memory. `pv validate --hash` reads every file instead,
`--no-cache` gives and keeps no answer at all.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from typing import TYPE_CHECKING, NamedTuple

from pv_harness.user_cache import recall, remember


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SETTLING_NS = 2_000_000_000
"""The coarsest clock of a file system in use counts in steps of two seconds (FAT)."""
_MOST_TEXT = 16 << 20
_KIND = "answers"
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120, TID251
_ABSENT = "absent"


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
    """The state of all files of a ground, and when the newest of them had changed."""

    digest: str
    newest_ns: int


class Answer(NamedTuple):
    """What a command printed, without the last line's end, and its exit code."""

    text: str
    code: int


def recall_answer(caches: Path, request: str, *, by_content: bool = False) -> Answer | None:
    """The answer to that request, if one was kept and nothing that it rests on has changed."""
    entry = recall(_place(caches, request))
    try:
        folders = tuple(
            Folder(path, tuple(ends), flag) for path, ends, flag in entry["folders"]
        )
        ground = Ground(folders, tuple(entry["files"]))
        if (
            entry["request"] != request
            or stamp_ground(ground, by_content=by_content).digest != entry["stamp"]
        ):
            return None
        return Answer(str(entry["text"]), int(entry["code"]))
    except (KeyError, TypeError, ValueError, OSError):
        return None


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
        by_content: stamp the bytes of the files instead of their times.
    """
    stamp = stamp_ground(ground, by_content=by_content)
    if not is_settled(stamp.newest_ns, started_ns) or len(answer.text) > _MOST_TEXT:
        return False
    entry = {
        "request": request,
        "folders": ground.folders,
        "files": ground.files,
        "stamp": stamp.digest,
        "text": answer.text,
        "code": answer.code,
    }
    remember(_place(caches, request), entry)
    return True


def is_settled(changed_ns: int, started_ns: int) -> bool:
    """True if a change from `started_ns` on would show: the last one is some steps ago."""
    return changed_ns < started_ns - _SETTLING_NS


def _place(caches: Path, request: str) -> Path:
    name = hashlib.sha256(request.encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return caches / f"{_KIND}-{name}.json"


def stamp_ground(ground: Ground, *, by_content: bool = False) -> Stamp:
    """The state of everything in the ground, and of pv itself.

    Raises:
        OSError: a folder can't be listed, or a file can't be read though its bytes count.
    """
    lines = [sys.version, str(by_content)]
    newest = 0
    own = Folder(_PACKAGE, (".py", ".json"))
    found = (file for folder in (own, *ground.folders) for file in _files_below(folder))
    named = ((path, _facts_of(path)) for path in ground.files)
    for path, facts in (*found, *named):
        if facts is None:
            lines.append(f"{path}\0absent")
            continue
        newest = max(newest, facts.st_mtime_ns, facts.st_ctime_ns)
        if stat.S_ISDIR(facts.st_mode):
            lines.append(f"{path}\0folder")
        elif by_content:
            lines.append(f"{path}\0{_digest(path, facts)}")
        else:
            lines.append(
                f"{path}\0{facts.st_mode} {facts.st_dev} {facts.st_ino} {facts.st_size} "
                f"{facts.st_mtime_ns} {facts.st_ctime_ns}"
            )
    text = "\n".join(lines).encode("utf-8", "surrogateescape")
    return Stamp(hashlib.sha256(text).hexdigest(), newest)


def _files_below(folder: Folder) -> Iterator[tuple[str, os.stat_result | None]]:
    """The files that count, and the folders: one in which a file was made or removed is newer.

    Links are followed, each folder once.
    """
    pending = [folder.path]
    seen: set[tuple[int, int]] = set()
    while pending:
        path = pending.pop()
        facts = _facts_of(path)
        yield path, facts
        if facts is None or not stat.S_ISDIR(facts.st_mode):
            continue
        if (facts.st_dev, facts.st_ino) in seen:
            continue
        seen.add((facts.st_dev, facts.st_ino))
        with os.scandir(path) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.name.endswith(folder.endings):
                    facts = _facts_of_entry(entry)
                    yield entry.path, facts
                    if facts is None or not stat.S_ISDIR(facts.st_mode):
                        continue
                if _is_looked_into(entry, folder):
                    pending.append(entry.path)


def _is_looked_into(entry: os.DirEntry[str], folder: Folder) -> bool:
    name = entry.name
    if name == "__pycache__" or not (
        name.isidentifier() if folder.importable else name[0] != "."
    ):
        return False
    try:
        return entry.is_dir()
    except OSError:
        return False


def _facts_of(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116 - a Path for each file would show
    except (OSError, ValueError):
        return None


def _facts_of_entry(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return entry.stat()
    except OSError:
        return None


def _digest(path: str, facts: os.stat_result) -> str:
    if not stat.S_ISREG(facts.st_mode):
        return str(facts.st_mode)
    with open(path, "rb") as stream:  # noqa: PTH123
        return hashlib.sha256(stream.read()).hexdigest()
