"""Writing .apr version 2 files: whole, synced and then named."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from pv_trainer.atomic import atomic_file
from pv_trainer.formats import apr_layout as layout
from pv_trainer.formats.checksum import crc32


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Payload:
    """A tensor to write: `data` gives its bytes, little-endian and row-major, when asked."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    data: Callable[[], bytes | bytearray | memoryview]


def write_apr(path: Path, metadata: Mapping[str, Any], tensors: Iterable[Payload]) -> str:
    """Write a file that appears whole or not at all; returns its sha256 in hexadecimal.

    Raises:
        ValueError: a tensor's bytes are not as many as its shape and dtype say, two have one
            name, or the file would pass a limit of the format.
        OSError: the folder is missing or not writable, or the disk is full.
    """
    payloads = sorted(tensors, key=lambda tensor: tensor.name.encode())
    start, entries = _prologue(metadata, payloads)
    crc, digest = 0, hashlib.sha256()
    # sha256 is the slowest of the three; it runs beside the other two.
    with atomic_file(path) as file, ThreadPoolExecutor(1) as beside:
        for part in chain((start,), _padded_data(payloads, entries)):
            summed = beside.submit(digest.update, part)
            crc = crc32(part, crc)
            file.write(part)
            summed.result()
        footer = crc.to_bytes(layout.FOOTER_SIZE, "little")
        digest.update(footer)
        file.write(footer)
    return digest.hexdigest()


def _prologue(
    metadata: Mapping[str, Any], payloads: Sequence[Payload]
) -> tuple[bytes, list[layout.TensorEntry]]:
    """Header, metadata and index, each padded, and the entries of the index."""
    text = json.dumps(metadata, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    raw_metadata = text.encode()
    entries = _place(payloads)
    raw_index = layout.pack_index(entries)
    index_at = layout.HEADER_SIZE + layout.pad(len(raw_metadata))
    header = layout.Header(
        flags=layout.FLAG_ROW_MAJOR,
        tensor_count=len(entries),
        metadata_size=len(raw_metadata),
        tensor_index_offset=index_at,
        data_offset=index_at + layout.pad(len(raw_index)),
    )
    # What the reader would refuse must not be written.
    try:
        layout.parse_header(layout.pack_header(header))
        layout.parse_index(layout.padded(raw_index), len(entries))
    except layout.LayoutError as error:
        raise ValueError(str(error)) from None
    parts = layout.pack_header(header), layout.padded(raw_metadata), layout.padded(raw_index)
    return b"".join(parts), entries


def _place(payloads: Sequence[Payload]) -> list[layout.TensorEntry]:
    entries, offset = [], 0
    for payload in payloads:
        size = layout.DTYPE_BY_NAME[payload.dtype].size_bytes(payload.shape)
        entries.append(
            layout.TensorEntry(payload.name, payload.dtype, payload.shape, offset, size)
        )
        offset += layout.pad(size)
    return entries


def _padded_data(
    payloads: Sequence[Payload], entries: Sequence[layout.TensorEntry]
) -> Iterator[bytes | memoryview]:
    for payload, entry in zip(payloads, entries, strict=True):
        data = memoryview(payload.data()).cast("B")
        if len(data) != entry.size:
            raise ValueError(f"{entry.name}: {len(data)} bytes were given, not {entry.size}")
        yield data
        yield bytes(layout.pad(entry.size) - entry.size)
