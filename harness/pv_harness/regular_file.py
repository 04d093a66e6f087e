"""The bytes of a regular file, read without hanging."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import TYPE_CHECKING

from pv_harness.wording import show


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}
# A pipe without a writer would block open() itself. Windows has neither flag, nor such pipes.
OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


class FileTooLargeError(OSError):
    """A file of more bytes than its reader allows."""


class FileChangedError(OSError):
    """A file that somebody wrote to while it was read: its bytes may be of two versions."""


def kind_of(mode: int) -> str:
    """What a file is that is no regular one, in words: `a named pipe`."""
    return _KINDS.get(stat.S_IFMT(mode), "no regular file")


def is_regular(path: Path) -> bool:
    """Whether a regular file is there; False for any name that no file can have.

    `Path.is_file` raises where a name is too long.
    """
    try:
        return stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116
    except (OSError, ValueError):
        return False


def read_regular(path: Path, limit_bytes: int) -> bytes:
    """The bytes of the regular file at `path`, at most `limit_bytes` of them.

    Raises:
        FileTooLargeError: the file is longer than `limit_bytes`.
        FileChangedError: its size or its time was another after reading than before.
        OSError: the file is missing, unreadable, or not a regular file.
    """
    with open_regular(path) as (descriptor, before):
        data = _read_at_most(descriptor, limit_bytes)
        if not is_unchanged(descriptor, before):
            raise FileChangedError(errno.EAGAIN, "changed while it was read; try again")
        return data


def is_unchanged(descriptor: int, before: os.stat_result) -> bool:
    """Whether an open file still has the size and the time that it had `before`."""
    after = os.fstat(descriptor)
    return (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def read_growing(path: Path, limit_bytes: int) -> bytes:
    """As `read_regular`, for a file that others only append to: what is there by now.

    Raises:
        FileTooLargeError: the file is longer than `limit_bytes`.
        OSError: the file is missing, unreadable, or not a regular file.
    """
    with open_regular(path) as (descriptor, _):
        return _read_at_most(descriptor, limit_bytes)


@contextlib.contextmanager
def open_regular(path: Path) -> Iterator[tuple[int, os.stat_result]]:
    """A descriptor to read the regular file at `path` with, and what the system says of it.

    The kind of the file is taken from the open descriptor, so that nothing can be swapped in
    between the check and the read.

    Raises:
        OSError: the file is missing, unreadable, or not a regular file.
    """
    try:
        descriptor = os.open(path, OPEN_FLAGS)
    except ValueError as error:
        raise OSError(errno.EINVAL, f"not a file name: {error}") from error
    except OSError as error:
        raise _of_link(path, error) from error
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            what = kind_of(facts.st_mode)
            raise OSError(errno.EINVAL, f"is {what}, it should be a regular file")
        yield descriptor, facts
    finally:
        os.close(descriptor)


def reason(error: OSError) -> str:
    """Why a file can't be read, without its name, which the caller prints as the place."""
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]


def _of_link(path: Path, error: OSError) -> OSError:
    """The same error; of a link without an end it says so, since the link itself is there."""
    ends = {errno.ENOENT: "leads nowhere", errno.ELOOP: "leads in a circle"}
    end = ends.get(error.errno or 0)
    if end is None:
        return error
    try:
        target = os.readlink(path)  # noqa: PTH115 - a Path would reword it
    except OSError:  # no link at all: there is no such file
        return error
    return OSError(error.errno, f"is a link to {show(target)}, which {end}")


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
