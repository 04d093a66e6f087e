"""Token shards and their manifest: what a folder of tokens is, and the proof that it still is.

A folder holds `shard-00000.bin` and so on (little-endian u32, no framing, lexical order),
`manifest.json`, `documents.sha256` (one digest per line, in the order of encoding),
`samples.json` (windows of the source text) and a copy of the tokenizer.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from pv_trainer import error_ids
from pv_trainer.atomic import atomic_file
from pv_trainer.errors import DataInvalid


if TYPE_CHECKING:
    from collections.abc import Sequence

EosPolicy = Literal["none", "between", "after"]
MANIFEST: Final = "manifest.json"
DOCUMENTS: Final = "documents.sha256"
SAMPLES: Final = "samples.json"
DTYPE: Final = np.dtype("<u4")


@dataclass(frozen=True, slots=True)
class Shard:
    """One file of tokens: its name, the sha256 of its bytes, and how many tokens it holds."""

    file: str
    sha256: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the producer says of a folder of shards; `read_dataset` compares all of it."""

    tokenizer_sha256: str
    corpus_sha256: str
    """sha256 over the UTF-8 text of all documents, in order."""
    documents_sha256: str
    samples_sha256: str
    shards: tuple[Shard, ...]
    total_tokens: int
    vocab_size: int
    eos_policy: EosPolicy
    eos_token_id: int | None
    eos_token_count: int
    documents: int
    normalization: str
    producer: str
    version: str
    seed: int
    split: str


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
    document_digests: frozenset[str]
    samples: tuple[Sample, ...]
    shards: tuple[np.memmap[Any, np.dtype[np.uint32]], ...]

    @property
    def tokenizer_path(self) -> Path:
        """The folder with the tokenizer that made the tokens."""
        return self.path

    def read(self, start: int, stop: int) -> np.ndarray[Any, np.dtype[np.uint32]]:
        """The tokens from `start` to `stop` of the stream, across the borders of shards."""
        parts, offset = [], 0
        for shard in self.shards:
            parts.append(shard[max(0, start - offset) : max(0, stop - offset)])
            offset += len(shard)
        return np.concatenate(parts)


def read_dataset(path: Path) -> Dataset:
    """The dataset at `path`, every byte of it compared with its manifest.

    Raises:
        DataInvalid: the folder, the manifest or a file is missing, malformed, or not what the
            manifest says; or a token is not below the vocabulary size.
    """
    manifest, digest = read_manifest(path)
    _check_totals(path, manifest)
    present = {file.name for file in path.glob("shard-*.bin")}
    if extra := sorted(present - {shard.file for shard in manifest.shards}):
        raise _mismatch(path, f"{extra[0]} is not in the manifest")
    documents = _side_file(path, DOCUMENTS, manifest.documents_sha256).decode(
        "ascii", "replace"
    )
    digests = documents.split()
    if len(digests) != manifest.documents:
        raise _mismatch(
            path,
            f"{DOCUMENTS} lists {len(digests)} documents, the manifest {manifest.documents}",
        )
    return Dataset(
        path=path,
        manifest=manifest,
        digest=digest,
        document_digests=frozenset(digests),
        samples=_read_samples(path, manifest),
        shards=tuple(_map_shard(path, shard, manifest.vocab_size) for shard in manifest.shards),
    )


def read_manifest(path: Path) -> tuple[Manifest, str]:
    """The manifest of the folder `path` and the sha256 of its file; no token is read.

    Raises:
        DataInvalid: it is missing, is not JSON, or lacks or adds a field.
    """
    file = path / MANIFEST
    try:
        data = file.read_bytes()
    except OSError as error:
        raise DataInvalid(
            error_ids.CORPUS_MANIFEST,
            f"{file}: {error.strerror}",
            "make a dataset with apr tokenize encode",
        ) from error
    try:
        return parse_manifest(json.loads(data)), hashlib.sha256(data).hexdigest()
    except (ValueError, RecursionError) as error:
        raise DataInvalid(error_ids.CORPUS_MANIFEST, f"{file}: {error}") from error


def parse_manifest(value: object) -> Manifest:
    """The manifest that a JSON value spells.

    Raises:
        ValueError: a field is missing, unknown, or of the wrong type; the message names it.
    """
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 - one family: bad content
    wanted = {field.name: str(field.type) for field in fields(Manifest)}
    if missing := sorted(wanted.keys() - value.keys()):
        raise ValueError(f"the field {missing[0]} is missing")
    if unknown := sorted(value.keys() - wanted.keys()):
        raise ValueError(f"the field {unknown[0]} is unknown")
    shards = tuple(_parse_shard(entry) for entry in _checked("shards", value["shards"], list))
    for name, kind in wanted.items():
        if name not in {"shards", "eos_token_id"}:
            _checked(name, value[name], int if kind == "int" else str)
    if value["eos_token_id"] is not None:
        _checked("eos_token_id", value["eos_token_id"], int)
    if value["eos_policy"] not in {"none", "between", "after"}:
        raise ValueError(f"eos_policy {value['eos_policy']!r} is none of none, between, after")
    return Manifest(**{**value, "shards": shards})


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write manifest.json into the folder `path`, whole or not at all."""
    with atomic_file(path / MANIFEST) as file:
        file.write(json.dumps(asdict(manifest), indent=1).encode() + b"\n")


class ShardWriter:
    """Cuts a stream of tokens into shard files of at most `shard_tokens` tokens."""

    def __init__(self, folder: Path, shard_tokens: int) -> None:
        self.shards: list[Shard] = []
        self.total = 0
        self._folder = folder
        self._limit = shard_tokens
        self._pending: list[np.ndarray[Any, np.dtype[np.uint32]]] = []
        self._pending_tokens = 0

    def add(self, tokens: Sequence[int]) -> None:
        """Append tokens to the stream; a full shard is written at once."""
        self._pending.append(np.asarray(tokens, dtype=DTYPE))
        self._pending_tokens += len(tokens)
        self.total += len(tokens)
        while self._pending_tokens >= self._limit:
            self._write(self._limit)

    def close(self) -> tuple[Shard, ...]:
        """Write what is left, and list all shards; together they hold every token."""
        if self._pending_tokens:
            self._write(self._pending_tokens)
        return tuple(self.shards)

    def _write(self, count: int) -> None:
        stream = np.concatenate(self._pending)
        data = stream[:count].tobytes()
        name = f"shard-{len(self.shards):05d}.bin"
        with atomic_file(self._folder / name) as file:
            file.write(data)
        self.shards.append(Shard(name, hashlib.sha256(data).hexdigest(), count))
        self._pending = [stream[count:]]
        self._pending_tokens = len(stream) - count


def _map_shard(
    path: Path, shard: Shard, vocab_size: int
) -> np.memmap[Any, np.dtype[np.uint32]]:
    file = path / shard.file
    try:
        size = file.stat().st_size
        digest = file_sha256(file)
    except OSError as error:
        raise _mismatch(path, f"{shard.file}: {error.strerror}") from error
    if size != shard.tokens * DTYPE.itemsize:
        raise _mismatch(
            path,
            f"{shard.file} has {size} bytes, the manifest's {shard.tokens} tokens "
            f"take {shard.tokens * DTYPE.itemsize}",
        )
    if digest != shard.sha256:
        raise _mismatch(path, f"{shard.file} has sha256 {digest}, the manifest {shard.sha256}")
    tokens = np.memmap(file, dtype=DTYPE, mode="r")
    largest = int(tokens.max())
    if largest >= vocab_size:
        raise DataInvalid(
            error_ids.CORPUS_ID_RANGE,
            f"{file}: token id {largest} is not below the vocabulary size {vocab_size}",
        )
    return tokens


def _check_totals(path: Path, manifest: Manifest) -> None:
    counted = sum(shard.tokens for shard in manifest.shards)
    if counted != manifest.total_tokens:
        raise _mismatch(
            path, f"its shards hold {counted} tokens, total_tokens is {manifest.total_tokens}"
        )
    if not counted:
        raise DataInvalid(error_ids.CORPUS_DISTINCT, f"{path}: the dataset holds no token")


def _read_samples(path: Path, manifest: Manifest) -> tuple[Sample, ...]:
    data = _side_file(path, SAMPLES, manifest.samples_sha256)
    try:
        return tuple(_parse_sample(entry) for entry in json.loads(data))
    except (ValueError, TypeError, RecursionError) as error:
        raise _mismatch(path, f"{SAMPLES}: {error}") from error


def _parse_sample(entry: object) -> Sample:
    if not isinstance(entry, dict) or entry.keys() != {"offset", "tokens", "text"}:
        raise ValueError("an entry is not {offset, tokens, text}")
    for name, kind in (("offset", int), ("tokens", int), ("text", str)):
        _checked(name, entry[name], kind)
    return Sample(**entry)


def _side_file(path: Path, name: str, sha256: str) -> bytes:
    try:
        data = (path / name).read_bytes()
    except OSError as error:
        raise _mismatch(path, f"{name}: {error.strerror}") from error
    if (found := hashlib.sha256(data).hexdigest()) != sha256:
        raise _mismatch(path, f"{name} has sha256 {found}, the manifest {sha256}")
    return data


def _parse_shard(entry: object) -> Shard:
    if not isinstance(entry, dict) or entry.keys() != {"file", "sha256", "tokens"}:
        raise ValueError("an entry of shards is not {file, sha256, tokens}")
    name = _checked("shards.file", entry["file"], str)
    if Path(name).name != name:
        raise ValueError(f"shards.file {name!r} is not a plain file name")
    tokens = _checked("shards.tokens", entry["tokens"], int)
    if not tokens:
        raise ValueError(f"shards.tokens of {name} is 0")
    return Shard(name, _checked("shards.sha256", entry["sha256"], str), tokens)


def _checked(name: str, value: Any, kind: type) -> Any:
    if type(value) is not kind or (type(value) is int and value < 0):
        word = {int: "a whole number from 0", str: "a string", list: "a list"}[kind]
        raise ValueError(f"the field {name} is {value!r}, not {word}")
    return value


def file_sha256(file: Path) -> str:
    """The sha256 of a file's bytes, read in blocks."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _mismatch(path: Path, what: str) -> DataInvalid:
    return DataInvalid(error_ids.CORPUS_MANIFEST, f"{path}: {what}", "encode the corpus again")
