"""Texts out of a Parquet file, a few rows in memory at a time. Needs the extra `parquet`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pv_trainer import error_ids
from pv_trainer.data.refusal import unreadable
from pv_trainer.errors import UsageError
from pv_trainer.plain_files import open_plain


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_ROWS: Final = 256


def read_column(
    path: Path, column: str, max_bytes: int, consumed: Callable[[int], None]
) -> Iterator[str]:
    """The strings of a column, in the order of rows.

    Args:
        path: a Parquet file.
        column: its name; top level, of strings.
        max_bytes: of one text, at most.
        consumed: told of the share of the file's bytes that each portion of rows stands for.

    Raises:
        UsageError: pyarrow is not installed.
        DataInvalid: the file is no Parquet file, or lacks the column, or a row has no text.
        OSError: the file can't be read.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        from pyarrow import parquet  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise UsageError(
            error_ids.USAGE,
            f"{path}: reading .parquet needs the extra parquet: there is no {error.name} here",
            'pip install "pv-harness[parquet]"',
        ) from error
    with open_plain(path) as source:
        size = source.seek(0, 2)
        try:
            # Threads would only reorder the reading, and outlive it.
            file = parquet.ParquetFile(source, pre_buffer=False)
            _check_column(path, file.schema_arrow, column, pa)
            row, rows = 0, max(1, file.metadata.num_rows)
            for batch in file.iter_batches(_ROWS, columns=[column], use_threads=False):
                texts = batch.column(0).to_pylist()
                for text in texts:
                    row += 1
                    yield _checked(path, row, column, text, max_bytes)
                consumed(size * row // rows - size * (row - len(texts)) // rows)
        except (pa.ArrowException, UnicodeDecodeError) as error:
            what = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise unreadable(path, f"it is no sound Parquet file: {what[:200]}") from error


def _check_column(path: Path, schema: Any, column: str, pa: Any) -> None:
    names = schema.names
    if names.count(column) != 1:
        listed = ", ".join(names[:12]) or "none"
        count = "no column" if column not in names else "more than one column"
        raise unreadable(
            path,
            f"it has {count} {column}; its columns: {listed}",
            "name the column of texts with --text-field",
        )
    kind = schema.field(column).type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise unreadable(path, f"its column {column} is of type {kind}, not of strings")


def _checked(path: Path, row: int, column: str, text: str | None, max_bytes: int) -> str:
    if text is None:
        raise unreadable(path, f"row {row}: {column} is null", "leave such rows out")
    if len(text) > max_bytes or len(text.encode()) > max_bytes:
        raise unreadable(path, f"row {row}: {column} is larger than {max_bytes:,} bytes")
    return text
