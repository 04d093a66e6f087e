"""Documents out of files: text, folders of it, JSON Lines and Parquet, one at a time."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pv_trainer.data.refusal import unreadable
from pv_trainer.plain_files import open_plain, read_plain


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    Progress = Callable[[int], None]

MAX_DOCUMENT: Final = 64 << 20
"""Bytes of one document: encoding takes some thirty times as much memory."""
_MAX_LINE: Final = 6 * MAX_DOCUMENT
"""JSON may spell a character as six bytes."""


@dataclass(frozen=True, slots=True)
class Document:
    """One text, and the sha256 of its UTF-8 bytes."""

    text: str
    sha256: str


def make_document(text: str) -> Document:
    """The document of a text."""
    return Document(text, hashlib.sha256(text.encode()).hexdigest())


def read_documents(
    inputs: Sequence[Path], *, text_field: str = "text", consumed: Progress = lambda _: None
) -> Iterator[Document]:
    """Every document of the inputs, one in memory at a time.

    Files in order, folders by path, .jsonl by line, .parquet by row. No file is ever skipped.

    Args:
        inputs: files and folders.
        text_field: the member of a JSON object, or the column of a table, that holds the text.
        consumed: told of the bytes of input that were read since it was last called.

    Raises:
        DataInvalid: a file is missing, is not UTF-8, is too large for one document, or is of a
            kind that is not read.
    """
    for path in list_files(inputs):
        for text in _read_file(path, text_field, consumed):
            yield make_document(text)


def list_files(inputs: Sequence[Path]) -> Iterator[Path]:
    """The files of the inputs, in the order of reading.

    Raises:
        DataInvalid: something is neither a file nor a folder, or a folder contains itself.
    """
    for path in inputs:
        yield from _walk(path, frozenset())


def total_size(inputs: Sequence[Path]) -> int:
    """The bytes of all files of the inputs.

    Raises:
        DataInvalid: as `list_files`, or a file is missing.
    """
    return sum(_stat(path).st_size for path in list_files(inputs))


def _walk(path: Path, above: frozenset[tuple[int, int]]) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    facts = _stat(path)
    here = (facts.st_dev, facts.st_ino)
    if here in above:
        raise unreadable(path, "the folder contains itself, by a link", "remove the link")
    try:
        names = sorted(os.listdir(path))  # noqa: PTH208 - names, of which there may be millions
    except OSError as error:
        raise unreadable(path, error.strerror or str(error)) from error
    for name in names:
        yield from _walk(path / name, above | {here})


def _stat(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise unreadable(path, error.strerror or str(error)) from error


def _read_file(path: Path, text_field: str, consumed: Progress) -> Iterator[str]:
    try:
        if path.suffix == ".parquet":
            from pv_trainer.data.parquet import read_column  # noqa: PLC0415 - an extra

            yield from read_column(path, text_field, MAX_DOCUMENT, consumed)
        elif path.suffix == ".jsonl":
            yield from _read_lines(path, text_field, consumed)
        else:
            data = read_plain(path, MAX_DOCUMENT)
            consumed(len(data))
            yield _decode(path, "", data)
    except OSError as error:
        remedy = (
            "split it into documents, for example as .jsonl"
            if error.errno == errno.EFBIG
            else None
        )
        raise unreadable(path, error.strerror or str(error), remedy) from error


def _read_lines(path: Path, field: str, consumed: Progress) -> Iterator[str]:
    with open_plain(path) as file:
        number = 0
        # A line ends at a line feed alone: JSON strings may hold U+2028 and others as they are.
        while line := file.readline(_MAX_LINE + 1):
            number += 1
            if len(line) > _MAX_LINE:
                raise unreadable(path, f"line {number} is longer than {_MAX_LINE:,} bytes")
            consumed(len(line))
            if line.strip():
                yield _line_text(path, number, _decode(path, f"line {number}: ", line), field)


def _decode(path: Path, place: str, data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise unreadable(path, f"{place}byte {error.start} is not UTF-8") from error


def _line_text(path: Path, number: int, line: str, field: str) -> str:
    try:
        text = json.loads(line)[field]
        if isinstance(text, str):
            # A lone surrogate is JSON, and no text.
            if len(text.encode()) > MAX_DOCUMENT:
                raise unreadable(
                    path, f"line {number}: {field} is larger than {MAX_DOCUMENT:,} bytes"
                )
            return text
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
        what = f"line {number} is not " + json.dumps({field: "..."}, ensure_ascii=False)
        raise unreadable(
            path, what, "name the member that is the text with --text-field"
        ) from (error)
    raise unreadable(path, f"line {number}: {field} is not a string")
