"""The tokenizer: its facts read from its files, and byte-level BPE trained from text."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pv_trainer import error_ids
from pv_trainer.data.manifest import MAX_VOCABULARY
from pv_trainer.errors import DataInvalid
from pv_trainer.json_files import parse_json
from pv_trainer.plain_files import read_plain
from pv_trainer.wording import brief


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from tokenizers import Tokenizer

END_OF_TEXT: Final = "<|endoftext|>"
MAX_BYTES: Final = 128 << 20
"""Some four times the largest that are published."""
_MAX_TOLD: Final = 200
_KINDS: Final = "name a tokenizer.json, or vocab.json + merges.txt"


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
    """The tokenizer itself: equal texts give equal tokens, whatever else its files ask for.

    Text that looks like a special token is encoded as text.

    Raises:
        DataInvalid: the `tokenizers` library refuses the files, or gives an added token another
            id than they say.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers  # noqa: PLC0415 - 50 ms

    file = info.files[0]
    with failures_as(lambda told: _invalid(file, f"the tokenizers library refuses it: {told}")):
        if file.name == "vocab.json":
            model = models.BPE.from_file(str(file), str(info.files[1]))
            tokenizer = Tokenizer(model)
            tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
            tokenizer.decoder = decoders.ByteLevel()
            tokenizer.add_special_tokens(list(info.added))
        else:
            tokenizer = Tokenizer.from_file(str(file))
    for token, number in info.added.items():
        # The library believes the vocabulary where the two differ.
        if (found := tokenizer.token_to_id(token)) != number:
            raise _invalid(
                file, f"the added token {brief(token)} is {number} there and {found} in use"
            )
    if getattr(tokenizer.model, "dropout", None) is not None:
        tokenizer.model.dropout = None
    # A document that quotes <|endoftext|> would otherwise end there.
    tokenizer.encode_special_tokens = True
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


@contextmanager
def failures_as(refusal: Callable[[str], DataInvalid]) -> Iterator[None]:
    """Raise what the `tokenizers` library fails with in the block as a refusal that tells it.

    Raises:
        DataInvalid: the block raised an Exception, or the library panicked.
    """
    try:
        yield
    except BaseException as error:
        # The library's panics are no Exceptions.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        told = " ".join(str(error).split())
        raise refusal(told if len(told) <= _MAX_TOLD else f"{told[:_MAX_TOLD]}...") from error


def train_bpe(texts: Iterable[str], vocab_size: int) -> str:
    """A byte-level BPE as the text of a tokenizer.json, `<|endoftext|>` added as id 0.

    Equal texts give equal bytes, whatever the number of threads.

    Raises:
        DataInvalid: the texts hold too few distinct pairs for `vocab_size` ids.
    """
    from tokenizers import (  # noqa: PLC0415 - 50 ms
        Tokenizer,
        decoders,
        models,
        pre_tokenizers,
        trainers,
    )

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
    if not path.is_dir() and path.name != "vocab.json":
        return (path,)
    if path.is_dir() and _is_there(path / "tokenizer.json"):
        return (path / "tokenizer.json",)
    pair = (folder / "vocab.json", folder / "merges.txt")
    for file in pair:
        if not _is_there(file):
            raise _invalid(path, f"{file.name} is missing", _KINDS)
    return pair


def _is_there(file: Path) -> bool:
    """Whether it has to be read: a link to nowhere is to be refused, not passed over."""
    return file.exists() or file.is_symlink()


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
        added = {entry["content"] + "": entry["id"] for entry in entries}
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
    if _is_there(file):
        return _checked_ids(file, _json(file, _read(file)))
    file = folder / "tokenizer_config.json"
    entries = _json(file, _read(file)) if _is_there(file) else {}
    try:
        return {
            entry["content"]: int(number)
            for number, entry in entries.get("added_tokens_decoder", {}).items()
        }
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise _invalid(file, "added_tokens_decoder is not a map of id to {content}") from error


def _eos_token(file: Path, added: Mapping[str, int]) -> str | None:
    config = file.parent / "tokenizer_config.json"
    if not _is_there(config):
        return END_OF_TEXT if END_OF_TEXT in added else None
    named = _json(config, _read(config)).get("eos_token")
    token = named.get("content") if isinstance(named, dict) else named
    if not isinstance(token, str | None):
        raise _invalid(config, f"eos_token {brief(token)} is not a string")
    if token is not None and token not in added:
        raise DataInvalid(
            error_ids.CORPUS_SPECIAL_IDS,
            f"{config}: eos_token {brief(token)} is not among the added tokens of {file.name}",
            "add it as a special token: an ordinary vocabulary string can occur in any text",
        )
    return token


def _checked_ids(file: Path, ids: dict[str, Any]) -> dict[str, int]:
    if not ids or not all(type(n) is int and 0 <= n < MAX_VOCABULARY for n in ids.values()):
        raise _invalid(file, f"its ids are not whole numbers from 0 to {MAX_VOCABULARY - 1}")
    return ids


def _read(file: Path) -> bytes:
    try:
        return read_plain(file, MAX_BYTES)
    except OSError as error:
        raise _invalid(file, f"it cannot be read: {error.strerror}", _KINDS) from error


def _json(file: Path, data: bytes) -> dict[str, Any]:
    try:
        value = parse_json(data)
    except ValueError as error:
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
