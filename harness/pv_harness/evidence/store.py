"""The evidence folder: content-addressed, append-only, and whole whenever we are killed.

A statement's file name is the SHA-256 of its bytes, so that writing twice is writing once, two
runs at once can't disturb each other, and an altered file shows.
"""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

from pv_harness.digest import digest_bytes
from pv_harness.errors import EvidenceError, InfrastructureError
from pv_harness.evidence.statement import decode_statement, encode_statement
from pv_harness.regular_file import read_regular, reason


if TYPE_CHECKING:
    from pathlib import Path

    from pv_harness.evidence.statement import RunStatement

SUFFIX = ".intoto.jsonl"
_MAX_SIZE_BYTES = 64 << 20


def append_statement(folder: Path, run: RunStatement) -> str:
    """Store a run and return its digest. Afterwards the file is there, whole and on disk.

    Raises:
        InfrastructureError: the folder can't be written; then nothing was stored.
    """
    data = encode_statement(run)
    digest = digest_bytes(data)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / f"{digest}{SUFFIX}", data)
    except OSError as error:
        raise InfrastructureError(
            f"{folder}: evidence can't be written ({error.strerror}); this run is not stored"
        ) from error
    return digest


def read_statements(folder: Path) -> tuple[RunStatement, ...]:
    """Every statement of the store, oldest first. No folder is an empty store.

    Raises:
        EvidenceError: the folder is none or can't be listed, a file can't be read, its bytes
            are not those that its name promises, or it holds no statement.
    """
    try:
        files = sorted(f for f in folder.iterdir() if f.name.endswith(SUFFIX))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise EvidenceError(
            f"{folder}: can't be listed ({reason(error)}); evidence is kept in a folder"
        ) from error
    statements = [read_statement(file) for file in files]
    return tuple(sorted(statements, key=lambda s: s.started_s))


def read_statement(file: Path) -> RunStatement:
    """One statement, its bytes checked against its name.

    Raises:
        EvidenceError: as for `read_statements`.
    """
    promised = file.name.removesuffix(SUFFIX)
    try:
        data = read_regular(file, _MAX_SIZE_BYTES)
    except OSError as error:
        raise EvidenceError(f"{file}: can't be read ({reason(error)})") from error
    digest = digest_bytes(data)
    if digest != promised:
        raise EvidenceError(
            f"{file}: altered: its bytes have the digest {digest[:12]}…, its name promises "
            f"{promised[:12]}…; remove the file and measure again with `pv run`"
        )
    try:
        return decode_statement(data, digest)
    except EvidenceError as error:
        raise EvidenceError(f"{file}: {error}") from error


def write_atomically(target: Path, data: bytes) -> None:
    """Put bytes at a path so that a reader sees all of them or what was there before.

    Raises:
        OSError: the folder can't be written.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            # mkstemp makes files that only their owner reads; evidence is there to be read.
            os.fchmod(stream.fileno(), 0o644)
            os.fsync(stream.fileno())
        os.replace(name, target)  # noqa: PTH105 - a Path of `name` would say no more
    except BaseException:
        os.unlink(name)  # noqa: PTH108
        raise
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
