"""Reading .apr version 2 files: header, metadata and index always; every byte on request."""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn

from pv_trainer import error_ids
from pv_trainer.errors import InitInvalid
from pv_trainer.formats import apr_layout as layout


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CHUNK: Final = 8 * 2**20
"""Bytes per read: a memory map is many times slower on network disks."""


@dataclass(frozen=True, slots=True)
class AprFile:
    """A file whose header, metadata and index have been checked; its data has not."""

    path: Path
    header: layout.Header
    metadata: Mapping[str, Any]
    entries: Mapping[str, layout.TensorEntry]
    warnings: tuple[str, ...]
    identity: tuple[int, int, int, int]
    """Device, inode, size and time of change: what was checked is what is read later."""


def read_header(path: Path) -> AprFile:
    """The header, metadata and index of a file, each checked; no tensor byte is read.

    Raises:
        InitInvalid: INIT-003 there is no such file; INIT-004 not an .apr file of version 2, or
            one that uses something not implemented; INIT-005 the metadata is no JSON object;
            INIT-011 the file is truncated, altered or cannot be read.
    """
    descriptor = _open(path)
    try:
        return _read_header(path, descriptor)
    except OSError as error:
        raise _unreadable(path, error) from error
    finally:
        os.close(descriptor)


def verify(path: Path) -> AprFile:
    """The same, after the checksum over the whole file was found right; reads every byte.

    Raises:
        InitInvalid: as `read_header`, and INIT-011 if the footer's checksum is wrong.
    """
    file = read_header(path)
    descriptor = _reopen(file)
    try:
        crc, position = 0, 0
        body = file.identity[2] - layout.FOOTER_SIZE
        while position < body:
            chunk = _pread(path, descriptor, min(CHUNK, body - position), position)
            crc = zlib.crc32(chunk, crc)
            position += len(chunk)
        stored = int.from_bytes(_pread(path, descriptor, layout.FOOTER_SIZE, body), "little")
    finally:
        os.close(descriptor)
    if stored != crc:
        _corrupt(path, f"the footer says checksum {stored:#010x}, the bytes give {crc:#010x}")
    return file


def check_unchanged(file: AprFile) -> None:
    """Establish that the file is still the one whose header was read.

    Raises:
        InitInvalid: INIT-011 it is another one, or was written to.
    """
    os.close(_reopen(file))


def read_into(file: AprFile, name: str, buffer: memoryview) -> None:
    """Fill `buffer` with the bytes of one tensor, little-endian, row-major.

    Args:
        file: from `read_header` or `verify`.
        name: one of `file.entries`.
        buffer: writable, of exactly the entry's size, in bytes.

    Raises:
        InitInvalid: INIT-011 the file changed since `read_header`, or cannot be read.
        KeyError: there is no such tensor.
    """
    entry = file.entries[name]
    assert len(buffer) == entry.size
    at = file.header.data_offset + entry.offset
    descriptor = _reopen(file)
    try:
        filled = 0
        while filled < entry.size:
            count = os.preadv(descriptor, [buffer[filled : filled + CHUNK]], at + filled)
            if not count:
                _corrupt(file.path, f"the file ends inside {name}")
            filled += count
    except OSError as error:
        raise _unreadable(file.path, error) from error
    finally:
        os.close(descriptor)


def _read_header(path: Path, descriptor: int) -> AprFile:
    stat = os.fstat(descriptor)
    start = os.pread(descriptor, layout.HEADER_SIZE, 0)
    _check_magic(path, start)
    if len(start) < layout.HEADER_SIZE:
        _corrupt(path, f"{len(start)} bytes are too few for a header")
    try:
        header = layout.parse_header(start)
        _check_flags(path, header.flags)
        if header.data_offset + layout.FOOTER_SIZE > stat.st_size:
            _corrupt(path, f"{stat.st_size} bytes end before the tensor data; it is truncated")
        metadata, warnings = _read_metadata(path, descriptor, header)
        raw = _pread(path, descriptor, header.index_size, header.tensor_index_offset)
        entries = layout.parse_index(raw, header.tensor_count)
        size = header.data_offset + layout.data_size(entries) + layout.FOOTER_SIZE
    except layout.LayoutError as error:
        _corrupt(path, str(error))
    if size != stat.st_size:
        _corrupt(path, f"{stat.st_size} bytes, but header and index describe {size}")
    return AprFile(
        path,
        header,
        metadata,
        {entry.name: entry for entry in entries},
        tuple(warnings),
        _identity(stat),
    )


def _check_magic(path: Path, start: bytes) -> None:
    magic, version = start[:4], tuple(start[4:6])
    if magic == layout.MAGIC_V1:
        raise InitInvalid(
            error_ids.INIT_FORMAT,
            f"{path}: version 1 of .apr (magic APRN) is not read; version 2 is",
            "convert it to version 2, or to safetensors, with the tool that wrote it",
        )
    if magic != layout.MAGIC:
        found = "the file is empty" if not start else f"it starts with {magic!r}"
        raise InitInvalid(
            error_ids.INIT_FORMAT, f"{path}: not an .apr file: {found}, not {layout.MAGIC!r}"
        )
    if len(version) == len(layout.VERSION) and version != layout.VERSION:
        is_, wanted = (".".join(map(str, v)) for v in (version, layout.VERSION))
        raise InitInvalid(error_ids.INIT_FORMAT, f"{path}: .apr version {is_}, not {wanted}")


def _check_flags(path: Path, flags: int) -> None:
    refused = layout.refused_flags(flags)
    if refused:
        raise InitInvalid(
            error_ids.INIT_FORMAT,
            f"{path}: the header sets {', '.join(refused)}, which is not implemented",
        )


def _read_metadata(
    path: Path, descriptor: int, header: layout.Header
) -> tuple[dict[str, Any], list[str]]:
    length = header.tensor_index_offset - layout.HEADER_SIZE
    raw = _pread(path, descriptor, length, layout.HEADER_SIZE)
    if any(raw[header.metadata_size :]):
        raise layout.LayoutError("the padding after the metadata is not zero")
    try:
        return layout.parse_metadata(raw[: header.metadata_size])
    except layout.LayoutError as error:
        raise InitInvalid(error_ids.INIT_METADATA, f"{path}: {error}") from None


def _open(path: Path) -> int:
    try:
        # A pipe or a terminal in the place of a file must not make the command wait.
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        raise InitInvalid(error_ids.INIT_MISSING, f"{path}: no such file") from None
    except OSError as error:
        raise _unreadable(path, error) from error


def _reopen(file: AprFile) -> int:
    descriptor = _open(file.path)
    if _identity(os.fstat(descriptor)) != file.identity:
        os.close(descriptor)
        _corrupt(file.path, "the file changed while it was being read")
    return descriptor


def _identity(stat: os.stat_result) -> tuple[int, int, int, int]:
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns


def _pread(path: Path, descriptor: int, length: int, offset: int) -> bytes:
    """Exactly `length` bytes: one read may return fewer than were asked for."""
    parts = []
    try:
        while length:
            part = os.pread(descriptor, min(length, CHUNK), offset)
            if not part:
                _corrupt(path, f"the file ends at byte {offset}, {length} bytes early")
            parts.append(part)
            length -= len(part)
            offset += len(part)
    except OSError as error:
        raise _unreadable(path, error) from error
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _unreadable(path: Path, error: OSError) -> InitInvalid:
    return InitInvalid(error_ids.INIT_READ, f"{path}: cannot be read: {error.strerror}")


def _corrupt(path: Path, what: str) -> NoReturn:
    raise InitInvalid(
        error_ids.INIT_READ, f"{path}: {what}", "copy the file again from where it came from"
    )
