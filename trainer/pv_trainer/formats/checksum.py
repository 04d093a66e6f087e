"""CRC-32, by the processor's own instructions where a library has them, and sha256 of files.

zlib takes about a second for a gigabyte, as long as everything else that loading does; isal
takes a tenth of that. It is optional: the sums are equal.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING


__all__ = ["crc32", "sha256_of"]

try:
    from isal.isal_zlib import crc32
except ImportError:
    from zlib import crc32

if TYPE_CHECKING:
    from pathlib import Path


def sha256_of(path: Path) -> str:
    """The sha256 of a file, in hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
