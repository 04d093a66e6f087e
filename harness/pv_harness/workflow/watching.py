"""Do something again whenever one of some files changes.

Files are looked at again and again, by size, time and inode. An operating system's own notices
would be quicker by half a second; they need a dependency that is built for each platform, and
fail in silence on network folders, in containers and for editors that replace a file. One look
at a thousand files takes some milliseconds, and a slow look makes the pauses longer.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path
    from typing import Never

    Stamp = tuple[int, ...]
    Snapshot = Mapping[str, Stamp]

_BUSY = 4
"""A look is followed by a pause at least this many times as long: a fifth of one core."""
_MOST_SETTLING = 20


def watch(
    look: Callable[[], Snapshot],
    act: Callable[[tuple[str, ...]], Snapshot],
    *,
    interval_s: float,
    pause: Callable[[float], None],
    clock: Callable[[], float],
) -> Never:
    """Call `act` at once, and again after every change; only an exception ends it.

    Args:
        look: the state of all files that matter, by name.
        act: gets the names of what changed, sorted; none at the first call. What changes
            while it works is noticed by the next look. It returns the state of files that
            matter only from then on, so that they are not taken for new ones.
        interval_s: seconds between two looks.
        pause: waits for some seconds.
        clock: seconds that only grow.
    """
    before = look()
    seen: Snapshot = {**act(()), **before}
    while True:
        started_s = clock()
        found = look()
        took_s = clock() - started_s
        if found == seen:
            pause(max(interval_s, _BUSY * took_s))
            continue
        found = _settled(look, found, pause, interval_s)
        changed = changes(seen, found)
        seen = {**act(changed), **found} if changed else found


def changes(before: Snapshot, after: Snapshot) -> tuple[str, ...]:
    """The names that are new, gone or not what they were, sorted."""
    names = before.keys() | after.keys()
    return tuple(sorted(name for name in names if before.get(name) != after.get(name)))


def stamp_files(files: Iterable[Path]) -> dict[str, Stamp]:
    """The present state of each file; one that is not there has none."""
    stamps: dict[str, Stamp] = {}
    for file in files:
        name = os.fspath(file)
        try:
            facts = os.stat(name)  # noqa: PTH116 - for thousands of files, twice a second
        except (OSError, ValueError):
            continue
        # A pipe's time moves while somebody reads it; that it is there is all that matters.
        moving = stat.S_ISREG(facts.st_mode)
        stamps[name] = (
            (facts.st_ino, facts.st_size, facts.st_mtime_ns) if moving else (facts.st_ino,)
        )
    return stamps


def _settled(
    look: Callable[[], Snapshot],
    found: Snapshot,
    pause: Callable[[float], None],
    interval_s: float,
) -> Snapshot:
    """The state once nothing changes from one look to the next: an editor's save takes a while.

    A file that never rests is not waited for.
    """
    for _ in range(_MOST_SETTLING):
        pause(interval_s / 10)
        again = look()
        if again == found:
            break
        found = again
    return found
