"""Reading .apr version 2 files: header, metadata and index always; every byte on request."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Any, Final, NoReturn

from pv_trainer import error_ids
from pv_trainer.errors import InitInvalid
from pv_trainer.formats import apr_layout as layout
from pv_trainer.formats.checksum import crc32
from pv_trainer.plain_files import Identity, identify


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
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
    identity: Identity
    """What was checked is what is read later."""


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
    """The same, after every byte was read: padding is zero, the checksum over all is right.

    Raises:
        InitInvalid: as `read_header` and `stream`.
    """
    file = read_header(path)
    verify_data(file)
    return file


def verify_data(file: AprFile) -> None:
    """Establish that the bytes of a file whose header was read are those that were written.

    Raises:
        InitInvalid: as `stream`.
    """
    for _ in stream(file):
        pass


def stream(file: AprFile, portions: int = 1) -> Iterator[tuple[str, int, memoryview]]:
    """Yield all tensor bytes once, in the order of the file, and check them at the end.

    What was yielded is known to be what was written only when the iteration ends without an
    error: use nothing of it before.

    Args:
        file: from `read_header` or `verify`.
        portions: how many of them last at a time.

    Yields:
        A tensor's name, the position of a portion in the tensor's bytes, and the portion: at
        most `CHUNK` bytes, on a value's boundary, overwritten when `portions` more are asked
        for. A tensor of no bytes is not yielded.

    Raises:
        InitInvalid: INIT-011 the footer's checksum is wrong, padding is not zero, or the file
            changed since `read_header` or cannot be read.
    """
    descriptor = _reopen(file)
    try:
        yield from _stream(file, descriptor, portions)
    except OSError as error:
        raise _unreadable(file.path, error) from error
    finally:
        os.close(descriptor)


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
        for start in range(0, entry.size, CHUNK):
            _fill(file.path, descriptor, buffer[start : start + CHUNK], at + start)
    except OSError as error:
        raise _unreadable(file.path, error) from error
    finally:
        os.close(descriptor)


def _stream(
    file: AprFile, descriptor: int, portions: int
) -> Iterator[tuple[str, int, memoryview]]:
    start = file.header.data_offset
    crc = crc32(_pread(file.path, descriptor, start, 0))
    entries = sorted(file.entries.values(), key=lambda entry: (entry.offset, entry.size))
    largest = max((entry.size for entry in entries), default=0)
    buffers = cycle([memoryview(bytearray(min(CHUNK, largest))) for _ in range(portions)])
    not_zero = []
    for entry in entries:
        at = start + entry.offset
        # A portion ends where a value does.
        step = CHUNK - CHUNK % layout.DTYPE_BY_NAME[entry.dtype].block_bytes
        for position in range(0, entry.size, step):
            portion = next(buffers)[: min(step, entry.size - position)]
            _fill(file.path, descriptor, portion, at + position)
            crc = crc32(portion, crc)
            yield entry.name, position, portion
        padding = layout.pad(entry.size) - entry.size
        zeros = _pread(file.path, descriptor, padding, at + entry.size)
        not_zero += [entry.name] if any(zeros) else []
        crc = crc32(zeros, crc)
    _check_footer(file, descriptor, crc)
    if not_zero:
        _corrupt(file.path, f"the padding after {not_zero[0]} is not zero")


def _check_footer(file: AprFile, descriptor: int, crc: int) -> None:
    size = layout.FOOTER_SIZE
    stored = int.from_bytes(
        _pread(file.path, descriptor, size, file.identity[2] - size), "little"
    )
    if stored != crc:
        _corrupt(
            file.path, f"the footer says checksum {stored:#010x}, the bytes give {crc:#010x}"
        )


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
        identify(stat),
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
    if identify(os.fstat(descriptor)) != file.identity:
        os.close(descriptor)
        _corrupt(file.path, "the file changed while it was being read")
    return descriptor


def _pread(path: Path, descriptor: int, length: int, offset: int) -> bytes:
    """Exactly `length` bytes."""
    data = bytearray(length)
    _fill(path, descriptor, memoryview(data), offset)
    return bytes(data)


def _fill(path: Path, descriptor: int, buffer: memoryview, offset: int) -> None:
    """Fill all of `buffer`: one read may return fewer bytes than were asked for."""
    filled = 0
    while filled < len(buffer):
        count = os.preadv(descriptor, [buffer[filled:]], offset + filled)
        if not count:
            early = len(buffer) - filled
            _corrupt(path, f"the file ends at byte {offset + filled}, {early} bytes early")
        filled += count


def _unreadable(path: Path, error: OSError) -> InitInvalid:
    return InitInvalid(error_ids.INIT_READ, f"{path}: cannot be read: {error.strerror}")


def _corrupt(path: Path, what: str) -> NoReturn:
    raise InitInvalid(
        error_ids.INIT_READ, f"{path}: {what}", "copy the file again from where it came from"
    )
