"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import shutil
from contextlib import contextmanager, suppress
from glob import escape
from typing import TYPE_CHECKING, BinaryIO

from pv_trainer import error_ids
from pv_trainer.errors import UsageError


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a binary file that becomes `path` when the block ends without an exception.

    The bytes are on disk before the name is: file fsynced, renamed, folder fsynced. A block
    that raises leaves `path` as it was and nothing beside it; what a killed process left of
    writing the same file is removed.

    Raises:
        OSError: the folder is missing or not writable, or the disk is full.
    """
    _remove_killed_tries(path)
    temporary = temporary_sibling(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        with os.fdopen(os.open(temporary, flags, 0o666), "wb") as file:
            with suppress(OSError):  # not every file system has locks
                fcntl.flock(file, fcntl.LOCK_EX)
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder that becomes `path`, its files durable, when the block ends well.

    `path` must not exist, or be an empty folder. A block that raises leaves nothing, and what
    a killed process left of making the same folder is removed.

    Raises:
        OSError: the parent is not writable, the disk is full, or `path` has content.
    """
    final = _resolved(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    _remove_killed_tries(final)
    temporary = temporary_sibling(final)
    temporary.mkdir()
    try:
        with _sole_maker(temporary):
            yield temporary
            for place in [temporary, *temporary.rglob("*")]:
                (sync_folder if place.is_dir() else sync_file)(place)
            temporary.rename(final)
        sync_folder(final.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def refuse_content(folder: Path) -> None:
    """Establish that `atomic_folder` would overwrite nothing at `folder`.

    Raises:
        UsageError: APR-CLI-001 the folder holds something, or is a file.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(
            error_ids.USAGE, f"{folder}: exists and is not empty", "name a folder that is new"
        )


def temporary_sibling(path: Path) -> Path:
    """A hidden name beside `path` that no other process or earlier, killed try has taken."""
    return path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")


def sync_file(path: Path) -> None:
    """Make the bytes of a file durable that something else wrote."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable, after a rename into it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except RuntimeError:  # what Python makes of a link to itself
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path)) from None


@contextmanager
def _sole_maker(temporary: Path) -> Iterator[None]:
    """Hold what is being made; the kernel lets go of what a killed process held.

    Raises:
        BlockingIOError: another process holds it.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(temporary, flags)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _remove_killed_tries(final: Path) -> None:
    # A process id would not do: on a shared disk it may be that of another machine.
    pattern = re.compile(rf"\.{re.escape(final.name)}\.[0-9]+-[0-9a-f]+\.tmp")
    for left_over in final.parent.glob(f".{escape(final.name)}.*.tmp"):
        if pattern.fullmatch(left_over.name) is None:  # of another name with the same start
            continue
        with suppress(OSError), _sole_maker(left_over):
            if left_over.is_dir():
                shutil.rmtree(left_over, ignore_errors=True)
            else:
                left_over.unlink(missing_ok=True)
