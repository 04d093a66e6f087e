"""The .apr format once more, apart from the trainer: bytes from arrays and arrays from bytes.

What the trainer writes is read here and what it reads is written here, so that a fault which
its reader and its writer share can't cancel out.
"""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    Array = np.ndarray[Any, np.dtype[Any]]

MAGIC: Final = b"APR\0"
HEADER: Final = struct.Struct("<4sBBHIQIQQ")
HEADER_SIZE: Final = 64
FOOTER_SIZE: Final = 4
_ROW_MAJOR: Final = 0x0400
_CODES: Final = {"F32": 0, "F16": 1, "BF16": 30}
_STORED: Final[dict[int, np.dtype[Any]]] = {
    0: np.dtype("<f4"),
    1: np.dtype("<f2"),
    30: np.dtype("<u2"),
}


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the parts of a file begin, in bytes from its start."""

    metadata: int
    index: int
    data: int
    footer: int


def pack(
    metadata: Mapping[str, Any] | bytes, tensors: Mapping[str, tuple[str, Array]]
) -> bytes:
    """A file with this metadata, JSON or raw bytes, and tensors: name -> dtype, values."""
    text = metadata if isinstance(metadata, bytes) else json.dumps(metadata).encode()
    index, data = bytearray(), bytearray()
    for name, (dtype, values) in sorted(tensors.items(), key=lambda t: t[0].encode()):
        raw, label = stored_bytes(dtype, values), name.encode()
        index += struct.pack("<H", len(label)) + label
        index += struct.pack(f"<BB{values.ndim}Q", _CODES[dtype], values.ndim, *values.shape)
        index += struct.pack("<QQ", len(data), len(raw))
        data += _padded(raw)
    index_at = HEADER_SIZE + len(_padded(text))
    data_at = index_at + len(_padded(bytes(index)))
    fields = HEADER.pack(
        *(MAGIC, 2, 0, _ROW_MAJOR, len(tensors), HEADER_SIZE, len(text), index_at, data_at)
    )
    return seal(
        fields + bytes(HEADER_SIZE - len(fields)) + _padded(text) + _padded(bytes(index)) + data
    )


def seal(body: bytes) -> bytes:
    """The body with both checksums made right: one in its header, one behind it."""
    at = HEADER.size
    covered = body[:at] + body[at + 4 : HEADER_SIZE]
    body = body[:at] + struct.pack("<I", zlib.crc32(covered)) + body[at + 4 :]
    return body + struct.pack("<I", zlib.crc32(body))


def layout_of(data: bytes) -> Layout:
    """Where the parts of this file begin."""
    fields = HEADER.unpack_from(data)
    return Layout(fields[5], fields[7], fields[8], len(data) - FOOTER_SIZE)


def unpack(data: bytes) -> tuple[dict[str, Any], dict[str, Array]]:
    """The metadata and the tensors, in float32, of a file with both checksums right.

    Raises:
        ValueError: it is no such file; the message says what is wrong.
    """
    if data[:4] != MAGIC or len(data) < HEADER_SIZE + FOOTER_SIZE or not _is_sealed(data):
        raise ValueError(f"{len(data)} bytes starting {data[:4]!r} are no whole .apr file")
    fields, layout = HEADER.unpack_from(data), layout_of(data)
    metadata = json.loads(data[layout.metadata : layout.metadata + fields[6]])
    return metadata, dict(_read_tensors(data, layout, fields[4]))


def read_apr(path: Path) -> tuple[dict[str, Any], dict[str, Array]]:
    """Like `unpack`, of a file; one that is missing or damaged holds nothing."""
    try:
        return unpack(path.read_bytes())
    except (OSError, ValueError):
        return {}, {}


def stored_bytes(dtype: str, values: Array) -> bytes:
    """The bytes of float32 values in a storage type; BF16 keeps the upper half of each."""
    if dtype == "BF16":
        return (values.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
    return values.astype("<f2" if dtype == "F16" else "<f4").tobytes()


def widened(dtype: str, values: Array) -> Array:
    """What float32 holds after the values went through a storage type."""
    return _widen(np.frombuffer(stored_bytes(dtype, values), _STORED[_CODES[dtype]])).reshape(
        values.shape
    )


def count_different(wanted: Mapping[str, Array], found: Mapping[str, Array]) -> int:
    """The tensors of `wanted` that `found` lacks or holds with another shape or another bit."""
    return sum(
        name not in found
        or found[name].shape != values.shape
        or found[name].tobytes() != values.tobytes()
        for name, values in wanted.items()
    )


def _read_tensors(data: bytes, layout: Layout, count: int) -> Iterator[tuple[str, Array]]:
    position = layout.index
    for _ in range(count):
        (length,) = struct.unpack_from("<H", data, position)
        name = data[position + 2 : position + 2 + length].decode()
        code, rank = struct.unpack_from("<BB", data, position + 2 + length)
        *shape, offset, size = struct.unpack_from(f"<{rank + 2}Q", data, position + 4 + length)
        position += 4 + length + 8 * (rank + 2)
        start = layout.data + offset
        stored = np.frombuffer(data[start : start + size], _STORED[code])
        yield name, _widen(stored).reshape(shape)


def _widen(stored: Array) -> Array:
    if stored.dtype == np.dtype("<u2"):
        return (stored.astype("<u4") << 16).view("<f4")
    return stored.astype("<f4")


def _is_sealed(data: bytes) -> bool:
    return seal(data[:-FOOTER_SIZE]) == data


def _padded(data: bytes) -> bytes:
    return data.ljust(-(-len(data) // 64) * 64, b"\0")
