"""The .apr version 2 layout as pure functions between bytes and values; no file is touched.

`header 64 B | metadata JSON | tensor index | tensor data | footer u32`, each part zero-padded
to 64 bytes, all integers little-endian.
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAGIC: Final = b"APR\0"
MAGIC_V1: Final = b"APRN"
VERSION: Final = (2, 0)
ALIGNMENT: Final = 64
HEADER_SIZE: Final = 64
FOOTER_SIZE: Final = 4
MAX_METADATA: Final = 16 * 2**20
MAX_INDEX: Final = 16 * 2**20
"""Our own bound, for about 200,000 tensors: a hostile index must not fill the memory."""
MAX_WARNINGS: Final = 20
"""A hostile file may repeat a key a million times."""
MAX_NAME: Final = 256
MAX_DIMS: Final = 8

FLAG_ROW_MAJOR: Final = 1 << 10
FLAG_NAMES: Final = (
    *("LZ4", "Zstd", "encrypted", "signed", "sharded", "quantized"),
    *("filterbank", "model card", "streaming", "has vocabulary", "row-major", "column-major"),
)
REFUSED_FLAGS: Final = {0, 1, 2, 3, 4, 11}
"""Bits that change what the bytes mean in a way that is not implemented."""

_HEADER: Final = struct.Struct("<4sBBHIQIQQ")
_CHECKSUM: Final = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Dtype:
    """A storage type: `block_size` values take `block_bytes`, after `prefix_bytes` once."""

    code: int
    name: str
    block_bytes: int
    block_size: int = 1
    prefix_bytes: int = 0

    @property
    def quantized(self) -> bool:
        """Whether values share a scale."""
        return self.block_size > 1 or self.prefix_bytes > 0

    def size_bytes(self, shape: Iterable[int]) -> int:
        """The bytes that a tensor of this shape takes."""
        blocks = -(-math.prod(shape) // self.block_size)
        return self.prefix_bytes + blocks * self.block_bytes


DTYPES: Final = (
    Dtype(0, "F32", 4),
    Dtype(1, "F16", 2),
    Dtype(30, "BF16", 2),
    Dtype(3, "F64", 8),
    Dtype(4, "I32", 4),
    Dtype(5, "I64", 8),
    Dtype(6, "I8", 1),
    Dtype(7, "U8", 1),
    Dtype(12, "Q4_K", 144, 256),
    Dtype(14, "Q6_K", 210, 256),
    Dtype(128, "APR_Q4", 18, 32),
    Dtype(129, "APR_Q8", 1, 1, 4),
)
DTYPE_BY_NAME: Final[Mapping[str, Dtype]] = {dtype.name: dtype for dtype in DTYPES}
_LEGACY_CODES: Final = {8: 128, 9: 129}
_DTYPE_BY_CODE: Final = {dtype.code: dtype for dtype in DTYPES}


class LayoutError(Exception):
    """Bytes that are not a valid part of an .apr file; the reader adds where and which ID."""


@dataclass(frozen=True, slots=True)
class Header:
    """The fields of the first 64 bytes that vary."""

    flags: int
    tensor_count: int
    metadata_size: int
    tensor_index_offset: int
    data_offset: int

    @property
    def index_size(self) -> int:
        """The bytes of the index with its padding."""
        return self.data_offset - self.tensor_index_offset


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """One line of the index; `offset` counts from the start of the tensor data."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    size: int


def pad(size: int) -> int:
    """The next multiple of 64."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def padded(data: bytes) -> bytes:
    """The bytes followed by zeros up to the next multiple of 64."""
    return data.ljust(pad(len(data)), b"\0")


def pack_header(header: Header) -> bytes:
    """The 64 bytes of a header, checksum included."""
    fields = _HEADER.pack(
        MAGIC,
        *VERSION,
        header.flags,
        header.tensor_count,
        HEADER_SIZE,
        header.metadata_size,
        header.tensor_index_offset,
        header.data_offset,
    )
    reserved = bytes(HEADER_SIZE - len(fields) - _CHECKSUM.size)
    return fields + _CHECKSUM.pack(zlib.crc32(fields + reserved)) + reserved


def parse_header(data: bytes) -> Header:
    """The header in these 64 bytes; magic and version are the caller's to check first.

    Raises:
        LayoutError: the checksum, a reserved byte or an offset is wrong.
    """
    fields = _HEADER.unpack_from(data)
    flags, count, metadata_at, metadata_size, index_at, data_at = fields[3:]
    (stored,) = _CHECKSUM.unpack_from(data, _HEADER.size)
    reserved = data[_HEADER.size + _CHECKSUM.size :]
    computed = zlib.crc32(data[: _HEADER.size] + reserved)
    if stored != computed:
        raise LayoutError(f"header checksum is {stored:#010x}, its bytes give {computed:#010x}")
    if any(reserved):
        raise LayoutError("reserved header bytes are not zero")
    if metadata_at != HEADER_SIZE:
        raise LayoutError(f"metadata_offset is {metadata_at}, not {HEADER_SIZE}")
    if metadata_size > MAX_METADATA:
        raise LayoutError(f"metadata_size is {metadata_size}, more than {MAX_METADATA}")
    if index_at != HEADER_SIZE + pad(metadata_size):
        raise LayoutError(
            f"tensor_index_offset is {index_at}, not {HEADER_SIZE + pad(metadata_size)}"
        )
    if data_at < index_at or data_at % ALIGNMENT:
        raise LayoutError(f"data_offset is {data_at}: before the index, or not on 64 bytes")
    if data_at - index_at > MAX_INDEX:
        raise LayoutError(f"the index takes {data_at - index_at} bytes, more than {MAX_INDEX}")
    return Header(flags, count, metadata_size, index_at, data_at)


def refused_flags(flags: int) -> list[str]:
    """The names of the flags that make a file unreadable to us; empty if there are none."""
    return [
        FLAG_NAMES[bit] if bit < len(FLAG_NAMES) else f"unknown bit {bit}"
        for bit in range(16)
        if flags >> bit & 1 and (bit in REFUSED_FLAGS or bit >= len(FLAG_NAMES))
    ]


def pack_index(entries: Iterable[TensorEntry]) -> bytes:
    """The index, unpadded; the entries must already be sorted by name."""
    parts = []
    for entry in entries:
        name, rank = entry.name.encode(), len(entry.shape)
        parts.append(
            struct.pack(
                f"<H{len(name)}sBB{rank}QQQ",
                *(len(name), name, DTYPE_BY_NAME[entry.dtype].code, rank),
                *(*entry.shape, entry.offset, entry.size),
            )
        )
    return b"".join(parts)


def parse_index(data: bytes, count: int) -> list[TensorEntry]:
    """The `count` entries of a padded index, sorted by name and checked one by one.

    Raises:
        LayoutError: an entry is cut off, malformed, out of order or repeated, or the padding
            after the last one is not zeros up to the next multiple of 64.
    """
    entries: list[TensorEntry] = []
    position, last = 0, b""
    for number in range(count):
        try:
            raw_name, entry, position = _parse_entry(data, position)
        except struct.error:
            raise LayoutError(f"the index ends inside entry {number} of {count}") from None
        if entries and raw_name <= last:
            relation = "repeats" if raw_name == last else "sorts before"
            raise LayoutError(f"index entry {entry.name!r} {relation} the one before it")
        entries.append(entry)
        last = raw_name
    if pad(position) != len(data) or any(data[position:]):
        raise LayoutError(f"the index has bytes after its {count} entries")
    return entries


def _parse_entry(data: bytes, position: int) -> tuple[bytes, TensorEntry, int]:
    (length,) = struct.unpack_from("<H", data, position)
    if not 0 < length <= MAX_NAME:
        raise LayoutError(f"a tensor name has {length} bytes; 1 to {MAX_NAME} are allowed")
    raw_name, code, rank = struct.unpack_from(f"<{length}sBB", data, position + 2)
    name = _decode_name(raw_name)
    if rank > MAX_DIMS:
        raise LayoutError(f"{name}: {rank} dimensions; at most {MAX_DIMS} are allowed")
    dtype = _DTYPE_BY_CODE.get(_LEGACY_CODES.get(code, code))
    if dtype is None:
        raise LayoutError(f"{name}: dtype code {code} is unknown")
    *shape, offset, size = struct.unpack_from(f"<{rank + 2}Q", data, position + 4 + length)
    wanted = dtype.size_bytes(shape)
    if size != wanted:
        raise LayoutError(f"{name}: {size} bytes, but {dtype.name} {shape} takes {wanted}")
    if offset % ALIGNMENT:
        raise LayoutError(f"{name}: offset {offset} is not a multiple of {ALIGNMENT}")
    end = position + 4 + length + 8 * (rank + 2)
    return raw_name, TensorEntry(name, dtype.name, tuple(shape), offset, size), end


def _decode_name(raw: bytes) -> str:
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        raise LayoutError(f"tensor name {raw!r} is not UTF-8") from None
    if not name.isprintable():
        raise LayoutError(f"tensor name {name!r} holds control characters")
    return name


def data_size(entries: Iterable[TensorEntry]) -> int:
    """The bytes of the tensor data with its padding.

    Raises:
        LayoutError: two tensors overlap, or bytes between two tensors belong to neither.
    """
    end, before = 0, ""
    for entry in sorted(entries, key=lambda entry: (entry.offset, entry.size)):
        if entry.offset < end:
            raise LayoutError(f"{entry.name} overlaps {before}")
        if entry.offset > end:
            gap = entry.offset - end
            raise LayoutError(f"{gap} bytes before {entry.name} belong to no tensor")
        end, before = pad(entry.offset + entry.size), entry.name
    return end


def parse_metadata(data: bytes) -> tuple[dict[str, Any], list[str]]:
    """The metadata object and warnings about repeated keys.

    Old files hold a key twice, null and then a value: the last one counts and a warning says
    so. A repeated key whose meaning depends on which one is taken is refused.

    Raises:
        LayoutError: not UTF-8, not one JSON object, or a key with two values.
    """
    warnings: list[str] = []

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                if found[key] not in (None, value):
                    raise LayoutError(f"metadata key {key!r} has two values")
                if len(warnings) < MAX_WARNINGS:
                    warnings.append(f"metadata key {key!r} is repeated; its last value counts")
            found[key] = value
        return found

    try:
        metadata = json.loads(
            data.decode(), object_pairs_hook=unique, parse_constant=_refuse_constant
        )
        # A lone surrogate or 1e999 parses and can then be neither printed nor written again.
        json.dumps(metadata, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise LayoutError(f"metadata is not JSON: {error}") from None
    if not isinstance(metadata, dict):
        raise LayoutError(f"metadata is a JSON {type(metadata).__name__}, not an object")
    return metadata, warnings


def _refuse_constant(name: str) -> None:
    raise LayoutError(f"metadata holds {name}, which is not JSON")
