"""manifest.json: what the producer of a folder of shards says of it, field by field."""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Final, Literal

from pv_trainer import error_ids
from pv_trainer.errors import DataInvalid
from pv_trainer.json_files import parse_json, write_json
from pv_trainer.plain_files import read_plain
from pv_trainer.wording import brief


if TYPE_CHECKING:
    from pathlib import Path

EosPolicy = Literal["none", "between", "after"]
MANIFEST: Final = "manifest.json"
MAX_SHARDS: Final = 100_000
"""`shard-99999.bin` is the last name whose lexical order is that of the numbers."""
_MAX_BYTES: Final = 64 << 20
_MAX_COUNT: Final = 2**60
"""No disk holds as many tokens; sums of counts stay within 64 bits."""
MAX_VOCABULARY: Final = 2**24
"""Some sixty times the largest that are published: each id is counted, in memory."""
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_SHARD_NAME: Final = re.compile(r"shard-[0-9]{5}\.bin")


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
    """Decides, with its digest, to which split a document belongs."""
    split: str


def read_manifest(path: Path) -> tuple[Manifest, str]:
    """The manifest of the folder `path` and the sha256 of its file; no token is read.

    Raises:
        DataInvalid: it is missing, is not JSON, lacks or adds a field, or contradicts itself.
    """
    file = path / MANIFEST
    try:
        data = read_plain(file, _MAX_BYTES)
    except OSError as error:
        raise DataInvalid(
            error_ids.CORPUS_MANIFEST,
            f"{file}: {error.strerror}",
            "make a dataset with apr tokenize encode",
        ) from error
    try:
        manifest = parse_manifest(parse_json(data))
    except ValueError as error:
        raise DataInvalid(error_ids.CORPUS_MANIFEST, f"{file}: {error}") from error
    return manifest, hashlib.sha256(data).hexdigest()


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write manifest.json into the folder `path`, whole or not at all."""
    write_json(path / MANIFEST, asdict(manifest))


def parse_manifest(value: object) -> Manifest:
    """The manifest that a JSON value spells.

    Raises:
        ValueError: a field is missing, unknown, of the wrong type or out of range, or two
            contradict each other; the message names it.
    """
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 - one family: bad content
    wanted = {field.name: str(field.type) for field in fields(Manifest)}
    if missing := sorted(wanted.keys() - value.keys()):
        raise ValueError(f"the field {missing[0]} is missing")
    if unknown := sorted(value.keys() - wanted.keys()):
        raise ValueError(f"the field {brief(unknown[0])} is unknown")
    shards = tuple(_parse_shard(entry) for entry in checked("shards", value["shards"], list))
    for name, kind in wanted.items():
        if name.endswith("_sha256"):
            _checked_digest(name, value[name])
        elif name not in {"shards", "eos_token_id"}:
            given = checked(name, value[name], int if kind == "int" else str)
            if isinstance(given, str) and not given.isprintable():
                raise ValueError(f"the field {name} is {given[:40]!a}, no plain text")
    if value["eos_token_id"] is not None:
        checked("eos_token_id", value["eos_token_id"], int)
    if value["eos_policy"] not in {"none", "between", "after"}:
        raise ValueError(
            f"eos_policy {brief(value['eos_policy'])} is none of none, between, after"
        )
    manifest = Manifest(**{**value, "shards": shards})
    _check_agreement(manifest)
    return manifest


def checked(name: str, value: Any, kind: type) -> Any:
    """The value of a field, of the kind that is wanted.

    Raises:
        ValueError: it is of another, or a number below 0 or beyond any count.
    """
    if type(value) is not kind or (type(value) is int and not 0 <= value < _MAX_COUNT):
        word = {int: f"a whole number from 0 to {_MAX_COUNT - 1}", str: "a string"}
        shown = brief(value)
        raise ValueError(f"the field {name} is {shown}, not {word.get(kind, 'a list')}")
    return value


def _check_agreement(manifest: Manifest) -> None:
    names = [shard.file for shard in manifest.shards]
    if names != sorted(set(names)):
        raise ValueError("its shards are not in lexical order, each once")
    counted = sum(shard.tokens for shard in manifest.shards)
    if counted != manifest.total_tokens:
        raise ValueError(
            f"its shards hold {counted} tokens, total_tokens is {manifest.total_tokens}"
        )
    if not 0 < manifest.vocab_size <= MAX_VOCABULARY:
        raise ValueError(f"vocab_size is {manifest.vocab_size}, not from 1 to 2^24")
    eos = manifest.eos_token_id
    if eos is not None and eos >= manifest.vocab_size:
        raise ValueError(f"eos_token_id {eos} is not below vocab_size {manifest.vocab_size}")
    if eos is None and manifest.eos_policy != "none":
        raise ValueError(f"eos_policy is {manifest.eos_policy}, and there is no eos_token_id")


def _parse_shard(entry: object) -> Shard:
    if not isinstance(entry, dict) or entry.keys() != {"file", "sha256", "tokens"}:
        raise ValueError("an entry of shards is not {file, sha256, tokens}")
    name = checked("shards.file", entry["file"], str)
    if not _SHARD_NAME.fullmatch(name):
        raise ValueError(f"shards.file {brief(name)} is not shard-00000.bin or the like")
    tokens = checked("shards.tokens", entry["tokens"], int)
    if not tokens:
        raise ValueError(f"shards.tokens of {name} is 0")
    return Shard(name, _checked_digest("shards.sha256", entry["sha256"]), tokens)


def _checked_digest(name: str, value: object) -> str:
    text: str = checked(name, value, str)
    if not _SHA256.fullmatch(text):
        raise ValueError(f"the field {name} is {brief(text)}, not 64 hex digits")
    return text
