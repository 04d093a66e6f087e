from __future__ import annotations

from html import unescape

import pytest
from hypothesis import given, strategies as st

from pv_harness.board.html.markup import Markup, join, tag, visible


ANY_TEXT = st.text(st.characters())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain <b> & 'quoted' \N{INCREMENT} \N{GRINNING FACE}",) * 2,
        ("a\tb\nc\u00a0d",) * 2,
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",) * 2,
        ("nul\x00", "nul\u2039U+0000\u203a"),
        ("esc\x1b[31m", "esc\u2039U+001B\u203a[31m"),
        ("\u202egnp.exe", "\u2039U+202E\u203agnp.exe"),
        ("a\u2066b\u2069", "a\u2039U+2066\u203ab\u2039U+2069\u203a"),
        ("line\u2028line\u2029", "line\u2039U+2028\u203aline\u2039U+2029\u203a"),
        ("\ud800 alone", "\u2039U+D800\u203a alone"),
        ("zero\u200bwidth\ufeff", "zero\u2039U+200B\u203awidth\u2039U+FEFF\u203a"),
        ("a\r\nb\rc", "a\nb\u2039U+000D\u203ac"),
    ],
)
def test_what_would_not_show_is_spelled_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(ANY_TEXT)
def test_what_is_visible_can_be_written_as_utf_8_and_reorders_nothing(text: str) -> None:
    shown = visible(text)
    assert shown.encode("utf-8").decode("utf-8") == shown
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\x00\r")
    assert visible(shown) == shown


@given(ANY_TEXT)
def test_text_in_an_element_comes_back_as_text(text: str) -> None:
    html = tag("p", text).html
    inside = html.removeprefix("<p>").removesuffix("</p>")
    assert "<" not in inside
    assert unescape(inside) == visible(text)


@given(ANY_TEXT)
def test_text_in_an_attribute_comes_back_as_text(text: str) -> None:
    inside = tag("p", title=text).html.removeprefix('<p title="').removesuffix('"></p>')
    assert not set(inside) & set("<>\"'")
    assert unescape(inside) == visible(text)


def test_attributes_that_are_none_or_false_are_left_out() -> None:
    made = tag("input", type="checkbox", disabled=True, checked=False, value=None, data_n=3)
    assert made == Markup('<input type="checkbox" disabled data-n="3">')


def test_markup_is_joined_as_it_is_and_text_is_escaped() -> None:
    assert join([tag("b", "<"), None, "&"], ", ") == Markup("<b>&lt;</b>, &amp;")
