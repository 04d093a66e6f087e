"""Writing a large file: its digest, and its way to the disk, beside the writing."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Final


if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

SYNC_EVERY: Final = 64 * 2**20
"""Bytes after which the disk is set to work: the last fsync has less to wait for then."""


class DigestedFile:
    """What `digested` yields."""

    def __init__(self, file: BinaryIO, beside: ThreadPoolExecutor) -> None:
        self._file = file
        self._beside = beside
        self._digest = hashlib.sha256()
        self._hashing: Future[None] | None = None
        self._syncing: Future[None] | None = None
        self._unsynced = 0

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes, which must stay as they are until the next call returns.

        Raises:
            OSError: the disk is full or failed, maybe with what an earlier call was given.
        """
        _result(self._hashing)
        self._hashing = self._beside.submit(self._digest.update, data)
        self._file.write(data)
        self._unsynced += len(data)
        if self._unsynced >= SYNC_EVERY and (self._syncing is None or self._syncing.done()):
            # A failure is told once: the file's own last fsync would not see it again.
            _result(self._syncing)
            self._syncing = self._beside.submit(os.fsync, self._file.fileno())
            self._unsynced = 0

    def sha256(self) -> str:
        """The digest of all that was written, in hexadecimal.

        Raises:
            OSError: as `write`.
        """
        _result(self._hashing)
        _result(self._syncing)
        return self._digest.hexdigest()


@contextmanager
def digested(file: BinaryIO) -> Iterator[DigestedFile]:
    """Yield what writes to a file with two threads beside it, which end with the block.

    The file's last bytes may still be in its buffer, or on their way to the disk.
    """
    with ThreadPoolExecutor(2) as beside:
        yield DigestedFile(file, beside)


def _result(job: Future[None] | None) -> None:
    if job is not None:
        job.result()
