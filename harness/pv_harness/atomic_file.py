"""Files that are written whole or not at all, and are on disk afterwards."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from pathlib import Path


def write_atomically(target: Path, data: bytes) -> None:
    """Put bytes at a path so that a reader sees all of them or what was there before.

    A process that is killed meanwhile leaves a file with the target's name behind a dot.

    Raises:
        OSError: the folder can't be written; then nothing is left behind.
    """
    import tempfile  # noqa: PLC0415 - 5 ms that only who writes need pay

    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            # mkstemp makes files that only their owner reads; ours are there to be read.
            os.fchmod(stream.fileno(), 0o644)
            os.fsync(stream.fileno())
        os.replace(name, target)  # noqa: PTH105 - a Path of `name` would say no more
    except BaseException:
        os.unlink(name)  # noqa: PTH108
        raise
    sync_folder(target.parent)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, each on disk before anything is put into it.

    Raises:
        OSError: it can't be made, or is a file.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in reversed(missing):
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk: new ones, and that others are gone.

    Raises:
        OSError: it can't be read.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
