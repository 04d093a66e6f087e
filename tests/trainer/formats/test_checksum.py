from __future__ import annotations

import zlib

from hypothesis import given, strategies as st

from pv_trainer.formats.checksum import crc32


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_the_sum_is_that_of_zlib_and_goes_on_where_it_stopped(
    first: bytes, rest: bytes
) -> None:
    assert crc32(memoryview(rest), crc32(first)) == zlib.crc32(first + rest)


def test_the_sum_is_the_one_of_the_standard() -> None:
    assert crc32(b"123456789") == 0xCBF43926
