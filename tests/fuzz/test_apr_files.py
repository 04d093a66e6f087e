"""Whatever stands in an .apr file, the answer is an error with its ID or the whole content.

PV_FUZZ_EXAMPLES is how many files each test tries; a night's worth is a million. The examples
are drawn from the file's own seed, so that a short run is the same every time.
"""

from __future__ import annotations

import os
import random
import struct
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from tests.fuzz.apr_arena import AprArena, resealed

from pv_trainer.formats import apr_reader


if TYPE_CHECKING:
    from collections.abc import Callable

BUDGET = int(os.environ.get("PV_FUZZ_EXAMPLES", "300"))
FUZZING = settings(
    max_examples=BUDGET,
    deadline=None,
    derandomize="PV_FUZZ_EXAMPLES" not in os.environ,
    suppress_health_check=list(HealthCheck),
)
NUMBERS: Final = [0, 1, 2, 63, 64, 65, 255, 256, 2**16 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1]
TOKENS: Final = [
    *(
        b"{",
        b"}",
        b"[",
        b'"',
        b":null,",
        b"NaN",
        b"1e999",
        b"\\ud800",
        b"\xff",
        b"\0",
        b"\x1b[",
    ),
    *(b'"a":1,"a":2,', b'"a":null,"a":2,', b"[" * 3000, b"9" * 5000, b"\xed\xa0\x80"),
]


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> AprArena:
    return AprArena(tmp_path_factory.mktemp("fuzz"))


@pytest.fixture(scope="module")
def whole(arena: AprArena) -> bytes:
    return arena.seed()


def test_the_file_that_the_mutations_begin_with_is_whole(arena: AprArena, whole: bytes) -> None:
    assert arena.judge(whole) is None
    assert resealed(whole) == whole


def test_every_byte_of_header_metadata_and_index_is_guarded(
    arena: AprArena, whole: bytes
) -> None:
    """By the checksums; and with these made right, no flip leads to a crash or a lie."""
    end = struct.unpack_from("<Q", whole, 32)[0]
    for position in range(end):
        bad = bytearray(whole)
        bad[position] ^= 1 << position % 8
        assert arena.judge(bytes(bad)) is not None, position
        arena.judge(resealed(bytes(bad)))


def test_every_truncation_is_refused(arena: AprArena, whole: bytes) -> None:
    data_at = struct.unpack_from("<Q", whole, 32)[0]
    for length in (*range(data_at + 70), *range(data_at + 70, len(whole), 31)):
        assert arena.judge(whole[:length]) is not None, length
        assert arena.judge(resealed(whole[:length])) is not None, length


def mutate(data: bytes, chance: random.Random) -> bytes:
    """One random edit: a number that lies, a cut, a repeat, a swap, a token."""
    at, to = sorted(chance.randrange(len(data) + 1) for _ in range(2))
    match chance.randrange(6):
        case 0:
            code = chance.choice(["<H", "<I", "<Q"])
            number = struct.pack(
                code, chance.choice(NUMBERS) % 2 ** (8 * struct.calcsize(code))
            )
            place = chance.choice([6, 8, 12, 20, 24, 32, at])
            return data[:place] + number + data[place + len(number) :]
        case 1:
            return data[:at] + data[to:]
        case 2:
            return data[:to] + data[at:to] + data[to:]
        case 3:
            return data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
        case 4:
            start = chance.randrange(len(data) + 1)
            part = data[start : start + 80]
            return data[:at] + part + data[at + len(part) :]
        case _:
            token = chance.choice(TOKENS)
            return data[:at] + token + data[at + len(token) * chance.randrange(2) :]


@FUZZING
@given(st.integers(0, 2**32), st.integers(1, 4))
def test_any_edit_is_refused_or_read_whole(
    arena: AprArena, whole: bytes, seed: int, edits: int
) -> None:
    chance, data = random.Random(seed), whole
    for _ in range(edits):
        data = mutate(data, chance)
    arena.judge(data)
    arena.judge(resealed(data))


@FUZZING
@given(st.binary(max_size=300))
def test_noise_is_refused_or_read_whole(arena: AprArena, data: bytes) -> None:
    arena.judge(data)
    arena.judge(resealed(b"APR\0\2\0" + data))


@pytest.mark.parametrize("broken", ["_check_footer", "_read_header"])
def test_the_arena_notices_a_reader_that_lies_or_crashes(
    arena: AprArena, whole: bytes, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def crash(*_: object) -> None:
        if broken == "_read_header":
            raise ZeroDivisionError

    double: Callable[..., None] = crash
    monkeypatch.setattr(apr_reader, broken, double)
    with pytest.raises((AssertionError, ZeroDivisionError)):
        arena.judge(whole[:-1] + bytes([whole[-1] ^ 1]))
