"""Plain files that have not changed since they were read are not read again.

What a file was found to be holds as long as the file, and everything that all of them rest on:
checks, sources, settings, and pv itself. Files are known again as `kept_answers` knows them.
Names that collide are no part of it: those are compared anew each time.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from pv_harness.user_cache import keep_bytes
from pv_harness.validating.plain_files import PlainFile
from pv_harness.workflow.kept_answers import Ground, is_settled, stamp_ground
from pv_harness.workflow.recalled_answers import name_of, read_entry, seal_entry


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pv_harness.contracts.file_search import FoundFile
    from pv_harness.validating.plain_files import PlainReading
    from pv_harness.validating.rules.world import World

_KIND = "files"

Key = tuple[int, ...]


def keep_files(
    reading: PlainReading,
    caches: Path,
    ground: Callable[[Iterable[str]], Ground],
    started_ns: int,
) -> PlainReading:
    """A reading that asks `reading` only for files that are new or have changed.

    Args:
        reading: reads the others.
        caches: this user's cache folder.
        ground: from the files that defects are planted in to all that every file rests on.
        started_ns: when the first file was looked at, or earlier.
    """

    def read(files: Sequence[FoundFile], world: World) -> dict[str, PlainFile]:
        root = world.project.root
        place = _place(caches, root)
        # What a file elsewhere is called depends on the command line.
        ours = [file.real for file in files if file.real.startswith(f"{root}/")]
        keys = {real: _key_of(real) for real in ours}
        kept = _recall(place, keys, ground)
        rest = [file for file in files if file.real not in kept]
        found = {**kept, **reading(rest, world)}
        if rest:
            _remember(place, keys, found, ground, started_ns)
        return found

    return read


def _recall(
    place: str, keys: Mapping[str, Key | None], ground: Callable[[Iterable[str]], Ground]
) -> dict[str, PlainFile]:
    try:
        planted, seen, rows = read_entry(place)
        if stamp_ground(ground(planted)).seen != seen:
            return {}
        return {real: PlainFile.from_row(r) for real, key, r in rows if keys.get(real) == key}
    except (TypeError, ValueError, OSError):
        return {}


def _remember(
    place: str,
    keys: Mapping[str, Key | None],
    found: Mapping[str, PlainFile],
    ground: Callable[[Iterable[str]], Ground],
    started_ns: int,
) -> None:
    planted = sorted({name for file in found.values() for name in file.planted})
    stamp = stamp_ground(ground(planted))
    if not is_settled(stamp.newest_ns, started_ns):
        return
    rows = [
        (real, key, file.as_row())
        for real, file in found.items()
        if (key := keys.get(real)) and is_settled(max(key[-2:]), started_ns)
    ]
    keep_bytes(Path(place), seal_entry((planted, stamp.seen, rows)))


def _place(caches: Path, root: Path) -> str:
    return f"{caches}/{_KIND}-{name_of(str(root))}.marshal"


def _key_of(path: str) -> Key | None:
    """By what a file is known again; the last two are the times of its last changes."""
    try:
        facts = os.stat(path)  # noqa: PTH116 - a Path for each file would show
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(facts.st_mode):
        return None
    return (
        facts.st_mode,
        facts.st_dev,
        facts.st_ino,
        facts.st_size,
        facts.st_mtime_ns,
        facts.st_ctime_ns,
    )
