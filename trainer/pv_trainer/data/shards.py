"""Token shards: what a folder of tokens is, and the proof that it still is.

A folder holds `shard-00000.bin` and so on (little-endian u32, no framing, lexical order),
`manifest.json`, `documents.sha256` (one digest per line, in the order of encoding),
`samples.json` (windows of the source text) and a copy of the tokenizer.
"""

from __future__ import annotations

import hashlib
import os
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pv_trainer import error_ids
from pv_trainer.data.manifest import (
    Manifest,
    Shard,
    checked,
    read_manifest,
)
from pv_trainer.data.mapped_shards import CheckedFile, MappedShards
from pv_trainer.data.shard_writer import DTYPE
from pv_trainer.errors import DataInvalid
from pv_trainer.json_files import parse_json
from pv_trainer.plain_files import identify, open_plain, read_plain


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Ids = np.ndarray[Any, np.dtype[np.uint32]]

DOCUMENTS: Final = "documents.sha256"
SAMPLES: Final = "samples.json"
_MAX_SAMPLES: Final = 16 << 20
"""Bytes of samples.json."""
_MOST_SAMPLES: Final = 1024
_MOST_SAMPLE_TOKENS: Final = 4096
"""Far above what is written: a hostile list must not keep the tokenizer busy for hours."""
_DIGEST_LINE: Final = 65
_DIGEST_LINES: Final = re.compile(rb"(?:[0-9a-f]{64}\n)*")
_BLOCK: Final = 8 << 20
"""Bytes per read: large reads, since a network disk makes many small ones slow."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A window of the source text, and the tokens that must decode to it."""

    offset: int
    """The first token's place in the whole stream."""
    tokens: int
    text: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """A folder of shards whose manifest was read and whose bytes were compared with it."""

    path: Path
    manifest: Manifest
    digest: str
    """sha256 of manifest.json, which names everything else by digest."""
    samples: tuple[Sample, ...]
    shards: MappedShards
    ends: tuple[int, ...] = field(init=False, repr=False)
    """Where each shard ends in the whole stream."""

    def __post_init__(self) -> None:
        ends = tuple(accumulate(shard.tokens for shard in self.manifest.shards))
        object.__setattr__(self, "ends", ends)

    @property
    def tokenizer_path(self) -> Path:
        """The folder with the tokenizer that made the tokens."""
        return self.path

    def read(self, start: int, stop: int) -> Ids:
        """The tokens from `start` to `stop` of the stream, across the borders of shards.

        Raises:
            DataInvalid: CORPUS-008 a shard changed since the dataset was read.
        """
        number = bisect_right(self.ends, start)
        parts = []
        while number < len(self.shards) and start < stop:
            shard, end = self.shards[number], self.ends[number]
            begin = end - len(shard)
            parts.append(shard[start - begin : min(stop, end) - begin])
            start, number = end, number + 1
        return parts[0] if len(parts) == 1 else np.concatenate([*parts, self.shards[0][:0]])

    def document_digests(self) -> Iterator[list[bytes]]:
        """The sha256 of each document in hex, in order, a block at a time.

        Raises:
            OSError: the file that lists them can't be read any more.
        """
        with open_plain(self.path / DOCUMENTS) as file:
            while block := file.read(_DIGEST_LINE << 14):
                yield block.split()


def read_dataset(path: Path) -> Dataset:
    """The dataset at `path`, every byte of it compared with its manifest.

    Raises:
        DataInvalid: the folder, the manifest or a file is missing, malformed, or not what the
            manifest says; or a token is not below the vocabulary size.
    """
    manifest, digest = read_manifest(path)
    if not manifest.total_tokens:
        raise DataInvalid(error_ids.CORPUS_DISTINCT, f"{path}: the dataset holds no token")
    present = {file.name for file in path.glob("shard-*.bin")}
    if extra := sorted(present - {shard.file for shard in manifest.shards}):
        raise _mismatch(path, f"{extra[0]} is not in the manifest")
    _check_documents(path, manifest)
    return Dataset(
        path=path,
        manifest=manifest,
        digest=digest,
        samples=_read_samples(path, manifest),
        shards=MappedShards(
            [_check_shard(path, shard, manifest.vocab_size) for shard in manifest.shards]
        ),
    )


def _check_documents(path: Path, manifest: Manifest) -> None:
    digest, size, sound = hashlib.sha256(), 0, True
    most = manifest.documents * _DIGEST_LINE
    try:
        with open_plain(path / DOCUMENTS) as file:
            # A file without end is another one long before that.
            while size <= most and (block := file.read(_DIGEST_LINE << 14)):
                digest.update(block)
                size += len(block)
                sound = sound and _DIGEST_LINES.fullmatch(block) is not None
    except OSError as error:
        raise _mismatch(path, f"{DOCUMENTS}: {error.strerror}") from error
    _compare(path, DOCUMENTS, digest.hexdigest(), manifest.documents_sha256)
    if not sound:
        raise _mismatch(path, f"{DOCUMENTS} is not one digest of 64 hex digits per line")
    if (count := size // _DIGEST_LINE) != manifest.documents:
        raise _mismatch(
            path, f"{DOCUMENTS} lists {count} documents, the manifest {manifest.documents}"
        )


def _check_shard(path: Path, shard: Shard, vocab_size: int) -> CheckedFile:
    try:
        with open_plain(path / shard.file) as file:
            identity = identify(os.fstat(file.fileno()))
            size = identity[2]
            if size != shard.tokens * DTYPE.itemsize:
                raise _mismatch(
                    path,
                    f"{shard.file} has {size} bytes, the manifest's {shard.tokens} tokens "
                    f"take {shard.tokens * DTYPE.itemsize}",
                )
            digest, largest = hashlib.sha256(), 0
            while block := file.read(_BLOCK):
                digest.update(block)
                largest = max(largest, int(np.frombuffer(block, DTYPE).max()))
            _compare(path, shard.file, digest.hexdigest(), shard.sha256)
    except OSError as error:
        raise _mismatch(path, f"{shard.file}: {error.strerror}") from error
    except ValueError as error:  # the size is another by now
        raise _mismatch(path, f"{shard.file} changed while it was read") from error
    if largest >= vocab_size:
        raise DataInvalid(
            error_ids.CORPUS_ID_RANGE,
            f"{path / shard.file}: token id {largest} is not below the vocabulary size "
            f"{vocab_size}",
        )
    return CheckedFile(path / shard.file, identity)


def _read_samples(path: Path, manifest: Manifest) -> tuple[Sample, ...]:
    try:
        data = read_plain(path / SAMPLES, _MAX_SAMPLES)
    except OSError as error:
        raise _mismatch(path, f"{SAMPLES}: {error.strerror}") from error
    _compare(path, SAMPLES, hashlib.sha256(data).hexdigest(), manifest.samples_sha256)
    try:
        return tuple(_parse_sample(entry, manifest) for entry in _listed(parse_json(data)))
    except ValueError as error:
        raise _mismatch(path, f"{SAMPLES}: {error}") from error


def _listed(value: object) -> list[object]:
    if not isinstance(value, list) or len(value) > _MOST_SAMPLES:
        raise ValueError(f"it is not a list of at most {_MOST_SAMPLES} samples")
    return value


def _parse_sample(entry: object, manifest: Manifest) -> Sample:
    if not isinstance(entry, dict) or entry.keys() != {"offset", "tokens", "text"}:
        raise ValueError("an entry is not {offset, tokens, text}")
    for name, kind in (("offset", int), ("tokens", int), ("text", str)):
        checked(name, entry[name], kind)
    sample = Sample(**entry)
    if not 0 < sample.tokens <= _MOST_SAMPLE_TOKENS:
        raise ValueError(f"a sample of {sample.tokens} tokens, not 1 to {_MOST_SAMPLE_TOKENS}")
    if sample.offset + sample.tokens > manifest.total_tokens:
        raise ValueError(
            f"tokens {sample.offset} to {sample.offset + sample.tokens} of "
            f"{manifest.total_tokens} are sampled"
        )
    return sample


def _compare(path: Path, name: str, found: str, wanted: str) -> None:
    if found != wanted:
        raise _mismatch(path, f"{name} has sha256 {found}, the manifest {wanted}")


def _mismatch(path: Path, what: str) -> DataInvalid:
    return DataInvalid(error_ids.CORPUS_MANIFEST, f"{path}: {what}", "encode the corpus again")
