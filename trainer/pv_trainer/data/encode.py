"""From text to shards: `apr tokenize encode`, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import shutil
import unicodedata
from dataclasses import asdict, dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, cast

from pv_trainer import error_ids
from pv_trainer.atomic import sync_folder, temporary_sibling
from pv_trainer.data.corpus_gates import (
    DEFAULT_THRESHOLDS,
    Gate,
    Thresholds,
    check_corpus,
    expected_eos,
)
from pv_trainer.data.shards import (
    DOCUMENTS,
    SAMPLES,
    EosPolicy,
    Manifest,
    Sample,
    ShardWriter,
    read_dataset,
    write_manifest,
)
from pv_trainer.data.splits import split_of
from pv_trainer.data.tokenizer import TokenizerInfo, open_tokenizer, read_tokenizer
from pv_trainer.errors import DataInvalid, UsageError
from pv_trainer.version import installed_version


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from tokenizers import Encoding, Tokenizer

SAMPLE_COUNT: Final = 16
SAMPLE_TOKENS: Final = 64
_BATCH_DOCUMENTS: Final = 64
_NORMAL_FORMS: Final = frozenset({"NFC", "NFD", "NFKC", "NFKD"})


@dataclass(frozen=True, slots=True)
class Document:
    """One text, and the sha256 of its UTF-8 bytes."""

    text: str
    sha256: str


@dataclass(frozen=True, slots=True)
class SplitShare:
    """A part of the documents and the folder, below the output, that it goes to."""

    name: str
    share: float
    folder: str


@dataclass(frozen=True, slots=True)
class EncodeOptions:
    """How text becomes shards."""

    shard_tokens: int = 10_000_000
    eos_policy: EosPolicy = "after"
    seed: int = 0
    thresholds: Thresholds = DEFAULT_THRESHOLDS


@dataclass(frozen=True, slots=True)
class EncodedSplit:
    """One folder that was written, and the gates that it passed."""

    path: Path
    manifest: Manifest
    gates: tuple[Gate, ...]


def make_document(text: str) -> Document:
    """The document of a text."""
    return Document(text, hashlib.sha256(text.encode()).hexdigest())


def read_documents(inputs: Sequence[Path]) -> Iterator[Document]:
    """Every document of the inputs: files in order, folders sorted by path, .jsonl by line.

    Raises:
        DataInvalid: a file is missing, is not UTF-8, or is of a kind that is not read. No file
            is ever skipped.
    """
    for path in inputs:
        if path.is_dir():
            for file in sorted(file for file in path.rglob("*") if file.is_file()):
                yield from _read_file(file)
        else:
            yield from _read_file(path)


def encode_corpus(
    documents: Iterable[Document],
    tokenizer_path: Path,
    output: Path,
    splits: Sequence[SplitShare],
    options: EncodeOptions,
) -> tuple[EncodedSplit, ...]:
    """Encode documents into `output`, one folder of shards per split, and gate each.

    A document belongs to a split by its digest. Nothing appears at `output` unless all of it
    is written and has passed the gates.

    Args:
        documents: in the order of encoding.
        tokenizer_path: its files are copied beside the shards.
        output: must not exist, or be empty.
        splits: their shares sum to 1.
        options: shard size, end-of-text policy, thresholds.

    Raises:
        UsageError: `output` has content.
        DataInvalid: a split got no document, or a gate failed.
    """
    refuse_content(output)
    info = read_tokenizer(tokenizer_path)
    tokenizer = open_tokenizer(info)
    if options.eos_policy != "none" and info.eos_id is None:
        raise DataInvalid(
            error_ids.CORPUS_SPECIAL_IDS,
            f"{info.files[0]}: no end-of-text token is among its added tokens, and "
            f"--eos-policy {options.eos_policy} needs one",
            "add one, or pass --eos-policy none",
        )
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_sibling(output)
    try:
        _write_splits(documents, (info, tokenizer), temporary, splits, options)
        written = []
        for split in splits:
            dataset = read_dataset(temporary / split.folder)
            gates = check_corpus(
                dataset, info, tokenizer, options.thresholds, place=output / split.folder
            )
            written.append(EncodedSplit(output / split.folder, dataset.manifest, gates))
        if output.is_dir():
            output.rmdir()
        temporary.rename(output)
        sync_folder(output.parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return tuple(written)


def refuse_content(output: Path) -> None:
    """Establish that nothing would be overwritten at `output`.

    Raises:
        UsageError: it is a file, or a folder with content.
    """
    if output.is_file() or (output.is_dir() and any(output.iterdir())):
        raise UsageError(
            error_ids.USAGE,
            f"{output} has content",
            "name a folder that does not exist",
        )


def _write_splits(
    documents: Iterable[Document],
    tools: tuple[TokenizerInfo, Tokenizer],
    root: Path,
    splits: Sequence[SplitShare],
    options: EncodeOptions,
) -> None:
    info, tokenizer = tools
    shares = {split.name: split.share for split in splits}
    folders = {split.name: root / split.folder for split in splits}
    for folder in folders.values():
        folder.mkdir(parents=True)
        _copy_tokenizer(info, folder)
    writers = {name: _Split(name, folder, info, options) for name, folder in folders.items()}
    stream = iter(documents)
    while chunk := list(islice(stream, _BATCH_DOCUMENTS)):
        encodings = tokenizer.encode_batch([d.text for d in chunk], add_special_tokens=False)
        for document, encoding in zip(chunk, encodings, strict=True):
            writers[split_of(document.sha256, shares)].add(document, encoding)
    for writer in writers.values():
        writer.close()


class _Split:
    """One folder while its tokens are being written."""

    def __init__(
        self, name: str, folder: Path, info: TokenizerInfo, options: EncodeOptions
    ) -> None:
        self._name, self._folder, self._info, self._options = name, folder, info, options
        self._writer = ShardWriter(folder, options.shard_tokens)
        self._corpus = hashlib.sha256()
        self._digests: list[str] = []
        self._samples: list[Sample] = []

    def add(self, document: Document, encoding: Encoding) -> None:
        policy, eos = self._options.eos_policy, self._info.eos_id
        if policy == "between" and self._digests:
            self._writer.add([cast("int", eos)])
        sample = _make_sample(document, encoding, self._writer.total, self._info.normalization)
        self._keep(sample)
        self._writer.add(encoding.ids)
        if policy == "after":
            self._writer.add([cast("int", eos)])
        self._corpus.update(document.text.encode())
        self._digests.append(document.sha256)

    def _keep(self, sample: Sample | None) -> None:
        """Keep the samples whose documents come first in a fixed pseudo-random order."""
        if sample is None:
            return
        self._samples.append(sample)
        if len(self._samples) > SAMPLE_COUNT:
            self._samples.sort(key=lambda s: hashlib.sha256(s.text.encode()).digest())
            self._samples.pop()

    def close(self) -> None:
        if not self._digests:
            raise DataInvalid(
                error_ids.CORPUS_DISTINCT,
                f"the split {self._name} gets no document",
                "give more documents, or another share",
            )
        shards = self._writer.close()
        documents = "".join(f"{digest}\n" for digest in self._digests).encode()
        (self._folder / DOCUMENTS).write_bytes(documents)
        ordered = sorted(self._samples, key=lambda s: s.offset)
        samples = json.dumps([asdict(s) for s in ordered], indent=1).encode() + b"\n"
        (self._folder / SAMPLES).write_bytes(samples)
        write_manifest(
            self._folder,
            Manifest(
                tokenizer_sha256=self._info.digest,
                corpus_sha256=self._corpus.hexdigest(),
                documents_sha256=hashlib.sha256(documents).hexdigest(),
                samples_sha256=hashlib.sha256(samples).hexdigest(),
                shards=shards,
                total_tokens=self._writer.total,
                vocab_size=self._info.vocab_size,
                eos_policy=self._options.eos_policy,
                eos_token_id=self._info.eos_id,
                eos_token_count=expected_eos(self._options.eos_policy, len(self._digests)),
                documents=len(self._digests),
                normalization=self._info.normalization,
                producer="apr tokenize encode",
                version=installed_version(),
                seed=self._options.seed,
                split=self._name,
            ),
        )


def _make_sample(
    document: Document, encoding: Encoding, offset: int, normalization: str
) -> Sample | None:
    """The start of a document, cut where no character is split between tokens."""
    offsets = encoding.offsets
    count = min(SAMPLE_TOKENS, len(offsets))
    while 0 < count < len(offsets) and offsets[count][0] < offsets[count - 1][1]:
        count -= 1
    if not count:
        return None
    end = len(document.text) if count == len(offsets) else offsets[count - 1][1]
    text = document.text[:end]
    if normalization in _NORMAL_FORMS:
        text = unicodedata.normalize(cast("Any", normalization), text)
    return Sample(offset, count, text)


def _copy_tokenizer(info: TokenizerInfo, folder: Path) -> None:
    extra = ("tokenizer_config.json", "added_tokens.json")
    beside = (info.files[0].with_name(name) for name in extra)
    for file in (*info.files, *(file for file in beside if file.is_file())):
        name = "tokenizer.json" if len(info.files) == 1 and file in info.files else file.name
        shutil.copyfile(file, folder / name)


def _read_file(path: Path) -> Iterator[Document]:
    if path.suffix == ".parquet":
        raise _unreadable(
            path,
            "parquet is not text",
            "convert it to .jsonl with a text field",
        )
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise _unreadable(path, f"byte {error.start} is not UTF-8") from error
    if path.suffix != ".jsonl":
        yield make_document(text)
        return
    # Not splitlines: JSON strings may hold U+2028 and others of the ends that it knows.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield make_document(_jsonl_text(path, number, line))


def _jsonl_text(path: Path, number: int, line: str) -> str:
    try:
        value = json.loads(line)
        text = value["text"]
        if isinstance(text, str):
            text.encode()  # a lone surrogate is JSON, and no text
            return text
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _unreadable(path, f'line {number} is not {{"text": "..."}}') from error
    raise _unreadable(path, f"line {number}: text is not a string")


def _unreadable(path: Path, what: str, remedy: str | None = None) -> DataInvalid:
    return DataInvalid(error_ids.CORPUS_MANIFEST, f"{path}: {what}", remedy)
