"""Regular files that somebody else wrote, read so that nothing hangs or fills the memory."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader
    from pathlib import Path

Identity = tuple[int, int, int, int]


@contextmanager
def open_plain(path: Path) -> Iterator[BufferedReader]:
    """Yield the regular file at `path`, opened to read; a link to one is one.

    Raises:
        OSError: it is missing, can't be read, or is no regular file.
    """
    # A named pipe without a writer would block open() itself.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "is no regular file", str(path))
        yield file


def read_plain(path: Path, limit_bytes: int) -> bytes:
    """The bytes of the regular file at `path`.

    Raises:
        OSError: as `open_plain`, or it holds more than `limit_bytes`.
    """
    with open_plain(path) as file:
        # Python makes room for all that is asked for, even if the file is short.
        data = file.read(1 + min(limit_bytes, os.fstat(file.fileno()).st_size))
    if len(data) > limit_bytes:
        raise OSError(errno.EFBIG, f"is larger than {limit_bytes:,} bytes", str(path))
    return data


def file_sha256(path: Path) -> str:
    """The sha256 of the bytes of the regular file at `path`, in hexadecimal.

    Raises:
        OSError: as `open_plain`.
    """
    with open_plain(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def name_as_text(path: Path | str) -> str:
    """A path as text that UTF-8 can spell: bytes of a name that are no UTF-8 are escaped."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def identify(stat: os.stat_result) -> Identity:
    """Which file it is and which writing of it: device, inode, size and time of change."""
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns
