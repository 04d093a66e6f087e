"""The bytes of a regular file, read without hanging."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from pathlib import Path

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}
# A pipe without a writer would block open() itself. Windows has neither flag, nor such pipes.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


class FileTooLargeError(OSError):
    """A file of more bytes than its reader allows."""


def read_regular(path: Path, limit_bytes: int) -> bytes:
    """The bytes of the regular file at `path`, at most `limit_bytes` of them.

    The kind of the file is taken from the open descriptor, so that nothing can be swapped in
    between the check and the read.

    Raises:
        FileTooLargeError: the file is longer than `limit_bytes`.
        OSError: the file is missing, unreadable, or not a regular file.
    """
    try:
        descriptor = os.open(path, _FLAGS)
    except ValueError as error:
        raise OSError(errno.EINVAL, f"not a file name: {error}") from error
    try:
        kind = stat.S_IFMT(os.fstat(descriptor).st_mode)
        if kind != stat.S_IFREG:
            what = _KINDS.get(kind, "not a regular file")
            raise OSError(errno.EINVAL, f"is {what}, it should be a regular file")
        return _read_at_most(descriptor, limit_bytes)
    finally:
        os.close(descriptor)


def reason(error: OSError) -> str:
    """Why a file can't be read, without its name, which the caller prints as the place."""
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]


def _read_at_most(descriptor: int, limit_bytes: int) -> bytes:
    blocks: list[bytes] = []
    wanted = limit_bytes + 1
    while wanted and (block := os.read(descriptor, wanted)):
        blocks.append(block)
        wanted -= len(block)
    if not wanted:
        raise FileTooLargeError(
            errno.EFBIG, f"is larger than {limit_bytes:,} bytes, the most that is read"
        )
    return b"".join(blocks)
