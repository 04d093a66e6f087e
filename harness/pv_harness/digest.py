"""SHA-256 of values, in one canonical spelling."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from pathlib import Path

_BLOCK_BYTES = 1 << 20


def canonical_json(value: Any) -> bytes:
    """The one spelling of a JSON value: sorted keys, no spaces, ASCII, no NaN.

    Raises:
        ValueError: the value holds a NaN or an infinity.
        TypeError: the value holds something that JSON has no form for.
    """
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )
    return text.encode("ascii")


def digest_of(value: Any) -> str:
    """SHA-256, in hex, of the canonical JSON of a value."""
    return digest_bytes(canonical_json(value))


def digest_bytes(data: bytes) -> str:
    """SHA-256 of bytes, in hex."""
    return hashlib.sha256(data).hexdigest()


def digest_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex, read in blocks of 1 MiB.

    Raises:
        OSError: the file can't be read.
    """
    state = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            state.update(block)
    return state.hexdigest()
