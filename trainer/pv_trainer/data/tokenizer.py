"""The tokenizer: its facts read from its files, and byte-level BPE trained from text."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pv_trainer import error_ids
from pv_trainer.errors import DataInvalid
from pv_trainer.plain_files import read_plain


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from tokenizers import Tokenizer

END_OF_TEXT: Final = "<|endoftext|>"
_MAX_BYTES: Final = 512 << 20


@dataclass(frozen=True, slots=True)
class TokenizerInfo:
    """What training needs to know of a tokenizer, without loading it."""

    files: tuple[Path, ...]
    """tokenizer.json, or vocab.json and merges.txt."""
    vocab_size: int
    """One above the largest id, added tokens included."""
    added: Mapping[str, int]
    eos_token: str | None
    eos_id: int | None
    unk_id: int | None
    normalization: str
    digest: str
    """sha256 over the files."""


def read_tokenizer(path: Path) -> TokenizerInfo:
    """The facts of the tokenizer at `path`: a tokenizer.json, a vocab.json, or their folder.

    The end-of-text token is the one that tokenizer_config.json names; without that file it is
    `<|endoftext|>`, if the tokenizer has added it.

    Raises:
        DataInvalid: the files are missing or make no sense, or a special token is not among
            the added tokens.
    """
    files = _find_files(path)
    documents = [_read(file) for file in files]
    if files[0].name == "vocab.json":
        vocab, added, unk = _json(files[0], documents[0]), _added_tokens(files[0].parent), None
        normalization = "none"
    else:
        whole = _json(files[0], documents[0])
        vocab, added, unk, normalization = _parts(files[0], whole)
    ids = _checked_ids(files[0], {**vocab, **added})
    eos = _eos_token(files[0], added)
    return TokenizerInfo(
        files=files,
        vocab_size=max(ids.values()) + 1,
        added=added,
        eos_token=eos,
        eos_id=None if eos is None else added[eos],
        unk_id=None if unk is None else ids.get(unk),
        normalization=normalization,
        digest=_digest(documents),
    )


def open_tokenizer(info: TokenizerInfo) -> Tokenizer:
    """The tokenizer itself. Text that looks like a special token is encoded as text.

    Raises:
        DataInvalid: the `tokenizers` library refuses the files.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers  # noqa: PLC0415

    try:
        if info.files[0].name == "vocab.json":
            model = models.BPE.from_file(str(info.files[0]), str(info.files[1]))
            tokenizer = Tokenizer(model)
            tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
            tokenizer.decoder = decoders.ByteLevel()
            tokenizer.add_special_tokens(list(info.added))
        else:
            tokenizer = Tokenizer.from_file(str(info.files[0]))
    except BaseException as error:
        # The library's panics are no Exceptions.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise _invalid(info.files[0], f"the tokenizers library refuses it: {error}") from error
    # A document that quotes <|endoftext|> would otherwise end there.
    tokenizer.encode_special_tokens = True
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def train_bpe(texts: Iterable[str], vocab_size: int) -> str:
    """A byte-level BPE as the text of a tokenizer.json, `<|endoftext|>` added as id 0.

    Equal texts give equal bytes, whatever the number of threads.

    Raises:
        DataInvalid: the texts hold too few distinct pairs for `vocab_size` ids.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers  # noqa: PLC0415

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    if tokenizer.get_vocab_size() != vocab_size:
        raise DataInvalid(
            error_ids.CORPUS_DISTINCT,
            f"the texts give {tokenizer.get_vocab_size()} ids, not the {vocab_size} asked for",
            "give more text or a vocabulary size from 257 up to that number",
        )
    return tokenizer.to_str()


def _find_files(path: Path) -> tuple[Path, ...]:
    folder = path if path.is_dir() else path.parent
    if path.is_file() and path.name != "vocab.json":
        return (path,)
    if path.is_dir() and (path / "tokenizer.json").is_file():
        return (path / "tokenizer.json",)
    pair = (folder / "vocab.json", folder / "merges.txt")
    for file in pair if (path.is_dir() or path.name == "vocab.json") else (path,):
        if not file.is_file():
            raise _invalid(
                path,
                f"{file.name} is missing",
                "name a tokenizer.json, or vocab.json + merges.txt",
            )
    return pair


def _parts(
    file: Path, whole: dict[str, Any]
) -> tuple[dict[str, int], dict[str, int], str | None, str]:
    model = whole.get("model")
    vocab = model.get("vocab") if isinstance(model, dict) else None
    if isinstance(vocab, list):  # a Unigram model lists [token, score]
        vocab = {
            str(pair[0]): n for n, pair in enumerate(vocab) if isinstance(pair, list) and pair
        }
    if not isinstance(model, dict) or not isinstance(vocab, dict) or not vocab:
        raise _invalid(file, "it has no model.vocab")
    entries = whole.get("added_tokens") or []
    try:
        added = {entry["content"]: entry["id"] for entry in entries}
    except (TypeError, KeyError) as error:
        raise _invalid(file, "added_tokens is not a list of {id, content}") from error
    unk = model.get("unk_token")
    if unk is None and isinstance(model.get("unk_id"), int):
        unk = next((token for token, n in vocab.items() if n == model["unk_id"]), None)
    normalizer = whole.get("normalizer") or {}
    if not isinstance(unk, str | None) or not isinstance(normalizer, dict):
        raise _invalid(file, "its unk_token is no string, or its normalizer no object")
    return vocab, added, unk, str(normalizer.get("type", "none"))


def _added_tokens(folder: Path) -> dict[str, int]:
    """Added tokens of a vocab.json: added_tokens.json, or added_tokens_decoder."""
    file = folder / "added_tokens.json"
    if file.is_file():
        return _checked_ids(file, _json(file, _read(file)))
    file = folder / "tokenizer_config.json"
    entries = _json(file, _read(file)) if file.is_file() else {}
    try:
        return {
            entry["content"]: int(number)
            for number, entry in entries.get("added_tokens_decoder", {}).items()
        }
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise _invalid(file, "added_tokens_decoder is not a map of id to {content}") from error


def _eos_token(file: Path, added: Mapping[str, int]) -> str | None:
    config = file.parent / "tokenizer_config.json"
    if not config.is_file():
        return END_OF_TEXT if END_OF_TEXT in added else None
    named = _json(config, _read(config)).get("eos_token")
    token = named.get("content") if isinstance(named, dict) else named
    if not isinstance(token, str | None):
        raise _invalid(config, f"eos_token {token!r} is not a string")
    if token is not None and token not in added:
        raise DataInvalid(
            error_ids.CORPUS_SPECIAL_IDS,
            f"{config}: eos_token {token!r} is not among the added tokens of {file.name}",
            "add it as a special token: an ordinary vocabulary string can occur in any text",
        )
    return token


def _checked_ids(file: Path, ids: dict[str, Any]) -> dict[str, int]:
    if not ids or not all(type(n) is int and n >= 0 for n in ids.values()):
        raise _invalid(file, "its ids are not whole numbers from 0")
    return ids


def _read(file: Path) -> bytes:
    try:
        return read_plain(file, _MAX_BYTES)
    except OSError as error:
        raise _invalid(file, f"it cannot be read: {error.strerror}") from error


def _json(file: Path, data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _invalid(file, f"it is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise _invalid(file, "it is not a JSON object")
    return value


def _digest(documents: list[bytes]) -> str:
    if len(documents) == 1:
        return hashlib.sha256(documents[0]).hexdigest()
    return hashlib.sha256(b"".join(hashlib.sha256(d).digest() for d in documents)).hexdigest()


def _invalid(path: Path, what: str, remedy: str | None = None) -> DataInvalid:
    return DataInvalid(error_ids.CORPUS_MANIFEST, f"tokenizer {path}: {what}", remedy)
