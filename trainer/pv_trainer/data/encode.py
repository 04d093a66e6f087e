"""From documents to shards: `apr tokenize encode`, whole or not at all."""

from __future__ import annotations

import shutil
from collections import deque
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final

from pv_trainer import error_ids
from pv_trainer.atomic import atomic_folder, refuse_content
from pv_trainer.data.corpus_gates import Gate, check_corpus
from pv_trainer.data.encoding import Task, encode_in_order, signals_held
from pv_trainer.data.shards import read_dataset
from pv_trainer.data.split_writer import EncodeOptions, SplitWriter
from pv_trainer.data.splits import split_of
from pv_trainer.data.tokenizer import TokenizerInfo, open_tokenizer, read_tokenizer
from pv_trainer.errors import DataInvalid


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from pv_trainer.data.documents import Document
    from pv_trainer.data.manifest import Manifest

    Progress = Callable[[int, int], None]

_CHUNK_CHARACTERS: Final = 1 << 18
_CHUNK_DOCUMENTS: Final = 1024


@dataclass(frozen=True, slots=True)
class SplitShare:
    """A part of the documents and the folder, below the output, that it goes to."""

    name: str
    share: float
    folder: str


@dataclass(frozen=True, slots=True)
class EncodedSplit:
    """One folder that was written, and the gates that it passed."""

    path: Path
    manifest: Manifest
    gates: tuple[Gate, ...]


def encode_corpus(
    documents: Iterable[Document],
    tokenizer_path: Path,
    output: Path,
    splits: Sequence[SplitShare],
    options: EncodeOptions,
    *,
    encoded: Progress = lambda _documents, _tokens: None,
) -> tuple[EncodedSplit, ...]:
    """Encode documents into `output`, one folder of shards per split, and gate each.

    A document belongs to a split by its digest. Nothing appears at `output` unless all of it
    is written and has passed the gates. Only some chunks of documents are in memory at a time.

    Args:
        documents: in the order of encoding.
        tokenizer_path: its files are copied beside the shards.
        output: must not exist, or be empty.
        splits: their shares sum to 1.
        options: shard size, end-of-text policy, thresholds, processes.
        encoded: told of the documents and tokens so far, after each document.

    Raises:
        UsageError: `output` has content, or a process was killed.
        DataInvalid: a split got no document, or a gate failed.
        OSError: the disk is full, or `output` can't be written.
    """
    refuse_content(output)
    info = read_tokenizer(tokenizer_path)
    if options.eos_policy != "none" and info.eos_id is None:
        raise DataInvalid(
            error_ids.CORPUS_SPECIAL_IDS,
            f"{info.files[0]}: no end-of-text token is among its added tokens, and "
            f"--eos-policy {options.eos_policy} needs one",
            "add one, or pass --eos-policy none",
        )
    with signals_held():  # the library starts threads
        tokenizer = open_tokenizer(info)
    with atomic_folder(output) as temporary:
        folders = {split.name: temporary / split.folder for split in splits}
        for folder in folders.values():
            folder.mkdir(parents=True, exist_ok=True)
            _copy_tokenizer(info, folder)
        _write_splits(documents, info, folders, splits, options, encoded)
        written = []
        for split in splits:
            dataset = read_dataset(folders[split.name])
            place = output / split.folder
            gates = check_corpus(dataset, info, tokenizer, options.thresholds, place=place)
            written.append(EncodedSplit(place, dataset.manifest, gates))
    return tuple(written)


def _write_splits(
    documents: Iterable[Document],
    info: TokenizerInfo,
    folders: dict[str, Path],
    splits: Sequence[SplitShare],
    options: EncodeOptions,
    encoded: Progress,
) -> None:
    shares = {split.name: split.share for split in splits}
    writers = {
        name: SplitWriter(name, folder, info, options) for name, folder in folders.items()
    }
    waiting: deque[tuple[Document, SplitWriter]] = deque()

    def tasks() -> Iterator[list[Task]]:
        for chunk in _chunked(documents):
            chosen = [writers[split_of(d.sha256, shares, options.seed)] for d in chunk]
            waiting.extend(zip(chunk, chosen, strict=True))
            yield [_task(d, writer) for d, writer in zip(chunk, chosen, strict=True)]

    try:
        copied = next(iter(folders.values()))
        # Closed at once when something fails: it may hold processes.
        with closing(encode_in_order(tasks(), copied, options.workers)) as results:
            for result in results:
                document, writer = waiting.popleft()
                writer.add(document, result)
                written = writers.values()
                encoded(sum(w.documents for w in written), sum(w.tokens for w in written))
        for writer in writers.values():
            writer.close()
    finally:
        for writer in writers.values():
            writer.abandon()


def _task(document: Document, writer: SplitWriter) -> Task:
    if not writer.wants_sample(document):
        return Task(document.text, None)
    return Task(document.text, int(document.sha256[-8:], 16) / 2**32)


def _chunked(documents: Iterable[Document]) -> Iterator[list[Document]]:
    """The documents in lists of limited size; a large one is alone or ends its list."""
    chunk: list[Document] = []
    size = 0
    for document in documents:
        chunk.append(document)
        size += len(document.text)
        if size >= _CHUNK_CHARACTERS or len(chunk) == _CHUNK_DOCUMENTS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _copy_tokenizer(info: TokenizerInfo, folder: Path) -> None:
    extra = ("tokenizer_config.json", "added_tokens.json")
    beside = (info.files[0].with_name(name) for name in extra)
    for file in chain(info.files, (file for file in beside if file.is_file())):
        name = "tokenizer.json" if len(info.files) == 1 and file in info.files else file.name
        shutil.copyfile(file, folder / name)
    if read_tokenizer(folder).digest != info.digest:
        raise DataInvalid(
            error_ids.CORPUS_MANIFEST,
            f"tokenizer {info.files[0]}: it changed while it was read",
        )
