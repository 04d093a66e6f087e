"""SHA-256 of values, in one canonical spelling."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

from pv_harness.regular_file import open_regular


if TYPE_CHECKING:
    import json
    from pathlib import Path

_BLOCK_BYTES = 1 << 20


def canonical_json(value: Any) -> bytes:
    """The one spelling of a JSON value: sorted keys, no spaces, ASCII, no NaN.

    Raises:
        ValueError: the value holds a NaN or an infinity.
        TypeError: the value holds something that JSON has no form for.
    """
    return _encoder().encode(value).encode("ascii")


def digest_of(value: Any) -> str:
    """SHA-256, in hex, of the canonical JSON of a value."""
    return digest_bytes(canonical_json(value))


def digest_bytes(data: bytes) -> str:
    """SHA-256 of bytes, in hex."""
    import hashlib  # noqa: PLC0415 - OpenSSL: 3 ms, and a validation digests nothing

    return hashlib.sha256(data).hexdigest()


def digest_file(path: Path) -> str:
    """SHA-256 of a regular file's bytes, in hex, read in blocks of 1 MiB.

    As many bytes are read as it has when it is opened: what lies below /proc says that it has
    none, and reading on might never end.

    Raises:
        OSError: the file can't be read, or is no regular file.
    """
    import hashlib  # noqa: PLC0415 - see above

    state = hashlib.sha256()
    with open_regular(path) as (descriptor, facts):
        rest = facts.st_size
        while rest and (block := os.read(descriptor, min(rest, _BLOCK_BYTES))):
            state.update(block)
            rest -= len(block)
    return state.hexdigest()


@cache
def _encoder() -> json.JSONEncoder:
    import json  # noqa: PLC0415 - 1 ms, see above

    return json.JSONEncoder(
        sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )
