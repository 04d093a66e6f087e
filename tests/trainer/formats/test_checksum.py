from __future__ import annotations

import hashlib
import zlib
from typing import TYPE_CHECKING

from hypothesis import given, strategies as st

from pv_trainer.formats.checksum import crc32, sha256_of


if TYPE_CHECKING:
    from pathlib import Path


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_the_sum_is_that_of_zlib_and_goes_on_where_it_stopped(
    first: bytes, rest: bytes
) -> None:
    assert crc32(memoryview(rest), crc32(first)) == zlib.crc32(first + rest)


def test_the_sum_is_the_one_of_the_standard() -> None:
    assert crc32(b"123456789") == 0xCBF43926


def test_a_digest_is_that_of_the_whole_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc" * 100_000)
    assert sha256_of(tmp_path / "file") == hashlib.sha256(b"abc" * 100_000).hexdigest()
