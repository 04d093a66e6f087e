"""The token files of a dataset as arrays: few are open at a time, and none may change."""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pv_trainer import error_ids
from pv_trainer.data.shard_writer import DTYPE
from pv_trainer.errors import DataInvalid
from pv_trainer.plain_files import Identity, identify, open_plain


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    Ids = np.ndarray[Any, np.dtype[np.uint32]]

MOST_OPEN: Final = 128
"""A mapping holds an open file, of which a process may have a thousand by default."""


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """A shard whose bytes were compared with the manifest, and which file that was."""

    path: Path
    identity: Identity


class MappedShards:
    """The tokens of each shard, in order; a token is read from the disk when it is looked at.

    Each look first asks whether the file is still the one that was checked: what is written
    into it since was checked by nobody, and looking at what was cut off ends the process
    without a word. A file that is removed stays as it was while it is mapped.
    """

    def __init__(self, files: Sequence[CheckedFile]) -> None:
        self._files = tuple(files)
        self._open: dict[int, Ids] = {}

    def __len__(self) -> int:
        return len(self._files)

    def __iter__(self) -> Iterator[Ids]:
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, number: int) -> Ids:
        """The tokens of one shard.

        Raises:
            DataInvalid: CORPUS-008 it changed since it was checked, or can't be opened again.
            IndexError: there is no such shard.
        """
        file = self._files[number]
        if number not in self._open:
            return self._map(number, file)
        try:
            changed = identify(os.stat(file.path)) != file.identity  # noqa: PTH116 - half the time
        except FileNotFoundError:
            changed = False
        except OSError as error:
            raise _refusal(file, error.strerror or str(error)) from error
        if changed:
            raise _refusal(file, "changed after it was checked")
        return self._open[number]

    def _map(self, number: int, file: CheckedFile) -> Ids:
        try:
            with open_plain(file.path) as opened:
                if identify(os.fstat(opened.fileno())) != file.identity:
                    raise _refusal(file, "changed after it was checked")
                mapped = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:  # ValueError: it is empty by now
            raise _refusal(file, str(error)) from error
        if len(self._open) == MOST_OPEN:
            del self._open[next(iter(self._open))]
        self._open[number] = np.frombuffer(mapped, dtype=DTYPE)
        return self._open[number]


def _refusal(file: CheckedFile, what: str) -> DataInvalid:
    remedy = "leave a dataset as it is while a run reads it; encode the corpus again"
    return DataInvalid(error_ids.CORPUS_MANIFEST, f"{file.path}: {what}", remedy)
