"""Writing shards: a stream of tokens cut into files, nothing of it kept in memory."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import numpy as np

from pv_trainer import error_ids
from pv_trainer.data.manifest import MAX_SHARDS, Shard
from pv_trainer.errors import UsageError


if TYPE_CHECKING:
    from pathlib import Path

DTYPE: Final = np.dtype("<u4")


class ShardWriter:
    """Cuts a stream of tokens into shard files of `shard_tokens` tokens, the last of fewer.

    The files are written in place: their folder is one that nobody reads yet.
    """

    def __init__(self, folder: Path, shard_tokens: int) -> None:
        self.total = 0
        self._folder, self._limit = folder, shard_tokens
        self._shards: list[Shard] = []
        self._file: BinaryIO | None = None
        self._digest = hashlib.sha256()
        self._held = 0

    def add(self, tokens: np.ndarray[Any, np.dtype[np.uint32]]) -> None:
        """Append tokens to the stream.

        Raises:
            UsageError: the stream needs more shards than there are names for.
            OSError: the disk is full, or the folder can't be written.
        """
        self.total += len(tokens)
        while len(tokens):
            part = tokens[: self._limit - self._held].tobytes()
            self._open().write(part)
            self._digest.update(part)
            self._held += len(part) // DTYPE.itemsize
            tokens = tokens[len(part) // DTYPE.itemsize :]
            if self._held == self._limit:
                self._finish()

    def close(self) -> tuple[Shard, ...]:
        """Make all shards durable, and list them; together they hold every token."""
        if self._held:
            self._finish()
        return tuple(self._shards)

    def abandon(self) -> None:
        """Let go of the file that is being written."""
        if self._file is not None:
            self._file.close()

    def _open(self) -> BinaryIO:
        if self._file is None:
            if len(self._shards) >= MAX_SHARDS:
                raise UsageError(
                    error_ids.USAGE,
                    f"shards of {self._limit} tokens: more than {MAX_SHARDS} would be needed",
                    "raise --shard-tokens",
                )
            self._file = (self._folder / self._name()).open("xb")
        return self._file

    def _finish(self) -> None:
        assert self._file is not None  # something was held
        with self._file as file:
            file.flush()
            os.fsync(file.fileno())
        self._shards.append(Shard(self._name(), self._digest.hexdigest(), self._held))
        self._file, self._digest, self._held = None, hashlib.sha256(), 0

    def _name(self) -> str:
        return f"shard-{len(self._shards):05d}.bin"
