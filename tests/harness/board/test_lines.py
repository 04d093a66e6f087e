from __future__ import annotations

import pytest
from hypothesis import given, strategies as st
from rich.cells import cell_len
from tests.harness.board.conftest import hostile_text

from pv_harness.board.lines import Painter, cells, cut, cut_middle, pad, wrap, wrap_parts
from pv_harness.board.phrases import Tone, harmless


WIDTHS = st.integers(1, 60)


@given(text=hostile_text, width=WIDTHS)
def test_what_is_cut_fits_and_is_a_beginning(text: str, width: int) -> None:
    shown = cut(harmless(text), width)
    assert cell_len(shown) <= width
    assert harmless(text).startswith(shown.removesuffix("…"))


@given(text=hostile_text, width=WIDTHS)
def test_what_is_cut_in_the_middle_fits_and_keeps_both_ends(text: str, width: int) -> None:
    whole = harmless(text)
    shown = cut_middle(whole, width)
    assert cell_len(shown) <= width
    if shown != whole:
        start, _, end = shown.rpartition("…")
        assert whole.startswith(start.partition("…")[0])
        assert whole.endswith(end)


@given(text=hostile_text, width=st.integers(24, 80))
def test_wrapped_lines_fit_and_nothing_is_lost(text: str, width: int) -> None:
    lines = list(wrap(text, width, "  → "))
    assert all(cell_len(line) <= width for line in lines)
    assert lines[0].startswith("  →")
    shown = "".join(line[4:] for line in lines).replace(" ", "")
    assert shown == harmless(text).replace(" ", "")


def test_wrapping_breaks_between_words_and_hangs_the_rest() -> None:
    lines = list(wrap("one two three four five six seven", 26, "- "))
    assert lines == ["- one two three four five", "  six seven"]
    assert list(wrap("", 80, "- ")) == ["-"]


def test_a_word_longer_than_a_line_is_broken() -> None:
    assert list(wrap("a" * 45, 20)) == ["a" * 20, "a" * 20, "a" * 5]
    assert list(wrap("日本" * 11, 20)) == ["日本" * 5, "日本" * 5, "日本"]


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("FALSIFY-001", 11, "FALSIFY-001"),
        ("FALSIFY-001", 8, "FALS…001"),
        ("日本語", 5, "日…語"),
        ("日本語", 4, "日…"),
        ("ab", 1, "…"),
        ("ab", 0, ""),
    ],
)
def test_long_names_are_cut_in_the_middle(text: str, width: int, shown: str) -> None:
    assert cut_middle(text, width) == shown


def test_padding_counts_cells() -> None:
    assert pad("日本", 6) == "日本  "
    assert pad("long", 2) == "long"
    assert cells("e\u0301") == 1


@given(text=hostile_text)
def test_harmless_text_drives_no_terminal(text: str) -> None:
    shown = harmless(text)
    assert shown.isprintable()
    assert harmless(shown) == shown


@pytest.mark.parametrize("style", [*Tone, "bold", "dim"])
def test_painted_text_is_the_text_between_two_escapes_of_sixteen_colours(
    style: Tone | str,
) -> None:
    painted = Painter(color=True).paint("text", style)
    assert painted.startswith("\x1b[")
    assert painted.endswith("mtext\x1b[0m")
    assert Painter(color=False).paint("text", style) == "text"


def test_unstyled_and_empty_text_stays_as_it_is() -> None:
    assert Painter(color=True).paint("text", None) == "text"
    assert Painter(color=True).paint("", "bold") == ""


@given(st.lists(st.text("ab \x1b日", min_size=1), min_size=1), st.integers(20, 60))
def test_wrapped_parts_fit_and_keep_every_word(parts: list[str], width: int) -> None:
    lines = list(wrap_parts(" · ".join(parts), width))
    assert all(cells(line) <= width for line in lines)
    joined = "".join("".join(lines).split())
    assert joined == "".join(harmless(" · ".join(parts)).split())


def test_lines_break_between_parts_and_not_within() -> None:
    text = "BLOCKED 1 · NOT_RUN 12 · PARTIAL 1 · STALE 1"
    assert list(wrap_parts(text, 26)) == ["BLOCKED 1 · NOT_RUN 12 ·", "PARTIAL 1 · STALE 1"]
    assert list(wrap_parts(text, 44)) == [text]
