"""CRC-32, by the processor's own instructions where a library has them.

zlib takes about a second for a gigabyte, as long as everything else that loading does; isal
takes a tenth of that. It is optional: the sums are equal.
"""

from __future__ import annotations


__all__ = ["crc32"]

try:
    from isal.isal_zlib import crc32
except ImportError:
    from zlib import crc32
