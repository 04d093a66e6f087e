"""Output in an encoding that has no form for our marks."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from pv_harness.board.terminal import MARKS
from pv_harness.plain_characters import HANDLER, register_handler


register_handler()


def test_no_two_marks_look_the_same() -> None:
    plain = [mark.encode("ascii", HANDLER) for mark in MARKS.values()]
    assert len(set(plain)) == len(MARKS)
    assert all(len(mark) == 1 for mark in plain)


def test_a_comparison_stays_one() -> None:
    assert "loss 2.1 (≤ 2.5) → pv run …".encode("ascii", HANDLER) == (
        b"loss 2.1 (<= 2.5) > pv run ..."
    )


@given(text=st.text(), encoding=st.sampled_from(["ascii", "latin-1", "cp1252", "utf-8"]))
def test_any_text_can_be_written_and_what_the_encoding_has_stays(
    text: str, encoding: str
) -> None:
    written = text.encode(encoding, HANDLER).decode(encoding)
    assert text.isascii() <= (written == text)


def test_it_is_no_handler_for_reading() -> None:
    with pytest.raises(UnicodeDecodeError):
        b"\xff".decode("utf-8", HANDLER)
