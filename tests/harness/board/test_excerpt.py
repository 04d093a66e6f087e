from __future__ import annotations

import pytest
from hypothesis import given, strategies as st
from rich.cells import cell_len

from pv_harness.board.excerpt import excerpt, split_lines


def shown(line: str, column: int, width: int = 40) -> list[str]:
    found = excerpt(line, column, width)
    return [found.text, " " * found.indent + "^" * found.length]


@pytest.mark.parametrize(
    ("line", "column", "lines"),
    [
        ("a: bc", 4, ["a: bc", "   ^^"]),
        ("a: bc", 6, ["a: bc", "     ^"]),
        ("a: bc", 99, ["a: bc", "     ^"]),
        ("", 1, ["", "^"]),
        ("{id: x, y}", 6, ["{id: x, y}", "     ^"]),
        ("k: 'a b', c", 4, ["k: 'a b', c", "   ^^^^^"]),
        ('k: "a\\"b" c', 4, ['k: "a\\"b" c', "   ^^^^^^"]),
        ("\t\tx: 1", 3, ["        x: 1", "        ^"]),
        ("\tx", 1, ["    x", "^^^^"]),
        ("重み: x", 5, ["重み: x", "      ^"]),
        ("重み: x", 1, ["重み: x", "^^^^"]),
        ("e\u0301: x", 5, ["e\u0301: x", "   ^"]),
        ("a\x1b[31m: b", 9, ["a␛[31m: b", "        ^"]),
        ("a\0b", 2, ["a␀b", " ^^"]),
        ("a\u202eb", 1, ["a\N{REPLACEMENT CHARACTER}b", "^^^"]),
    ],
)
def test_the_caret_stands_under_the_culprit(line: str, column: int, lines: list[str]) -> None:
    assert shown(line, column) == lines


@pytest.mark.parametrize(
    ("column", "lines"),
    [
        (1, ["abcdefghijklmnopqr…", "^^^^^^^^^^^^^^^^^^"]),
        (4, ["abcdefghijklmnopqr…", "   ^^^^^^^^^^^^^^^"]),
        (27, ["…qrstuvwxyzabcdefgh…", "           ^^^^^^^^"]),
        (52, ["…hijklmnopqrstuvwxyz", "                   ^"]),
    ],
)
def test_of_a_long_line_the_part_around_the_culprit_is_shown(
    column: int, lines: list[str]
) -> None:
    assert shown("abcdefghijklmnopqrstuvwxyz" * 2, column, 20) == lines


def test_a_line_of_a_megabyte_costs_no_more_than_what_is_shown() -> None:
    found = excerpt("x" * 1_000_000 + "é", 500_000, 80)
    assert len(found.text) <= 80
    assert found.text.startswith("…")
    assert found.text.endswith("…")


@given(st.text(max_size=120), st.integers(1, 130), st.integers(1, 60))
def test_any_line_is_harmless_and_fits(line: str, column: int, width: int) -> None:
    found = excerpt(line, column, width)
    room = max(20, width)
    assert found.text.isprintable()
    assert cell_len(found.text) <= room
    assert 0 <= found.indent < room
    assert 1 <= found.length <= room


def test_lines_end_where_yaml_ends_them() -> None:
    text = "a\nb\r\nc\rd\x0be\x85f\u2028g"
    assert split_lines(text) == ["a", "b", "c", "d\x0be\x85f\u2028g"]
