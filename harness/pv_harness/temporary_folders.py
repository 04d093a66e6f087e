"""Temporary folders that go with their owner, however the owner ends.

A folder is removed when its block ends. A process that is killed can't do that: the next one
that sweeps does it. Who owns a folder is told by a lock on the folder itself, which the system
lets go of with the process that holds it; a process ID would be given to another in time.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterator

_MARK = ".pv-owned"


@contextlib.contextmanager
def owned_folder(prefix: str) -> Iterator[Path]:
    """A fresh folder, links resolved, that is this process's until the block ends.

    Whatever stands in it is removed then. What abandoned folders of this prefix there are is
    removed first.

    Raises:
        OSError: the system's temporary folder can't be written.
    """
    sweep_abandoned(prefix)
    # The system's temporary folder may be a link; recorded module paths never are. The folder
    # gets the name that a sweep looks for only once it is locked.
    fresh = Path(tempfile.mkdtemp(prefix=f".{prefix}")).resolve()
    lock = os.open(fresh, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _take(lock)
        (fresh / _MARK).touch()
        folder = fresh.rename(fresh.with_name(fresh.name.removeprefix(".")))
        try:
            yield folder
        finally:
            _remove(folder)
    finally:
        os.close(lock)


def sweep_abandoned(prefix: str) -> tuple[Path, ...]:
    """Remove the folders of this prefix whose owner is dead, and return which they were.

    Only what `owned_folder` made for this user is touched, and no link is followed. What can't
    be removed stays: nobody waits for it.
    """
    swept = []
    with contextlib.suppress(OSError):
        for folder in sorted(Path(tempfile.gettempdir()).resolve().glob(f"{prefix}*")):
            with contextlib.suppress(OSError):
                if _sweep(folder):
                    swept.append(folder)
    return tuple(swept)


def _sweep(folder: Path) -> bool:
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(lock).st_uid != os.geteuid() or not _take(lock):
            return False
        if not (folder / _MARK).is_file():
            return False
        # The lock stays on the folder itself: another one may stand under this name by now.
        if os.fstat(lock).st_ino != folder.lstat().st_ino:
            return False
        _remove(folder)
        return True
    finally:
        os.close(lock)


def _take(lock: int) -> bool:
    """Lock an open folder; False if another process holds it, or locks don't work there."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        # A check may leave folders behind that even their owner can't list.
        for parent, names, _files in os.walk(folder):
            for path in (Path(parent), *(Path(parent) / name for name in names)):
                if not path.is_symlink():
                    with contextlib.suppress(OSError):
                        path.chmod(path.stat().st_mode | stat.S_IRWXU)
        shutil.rmtree(folder, ignore_errors=True)
