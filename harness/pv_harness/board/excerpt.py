"""A line of a source with a caret under one of its characters, safe for any terminal."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pv_harness.board.lines import cells


_LINE_END = re.compile(r"\r\n|\r|\n")
"""What YAML 1.2 and editors end a line with; `str.splitlines` knows eight more."""
_TAB = "    "
_FIRST_PICTURE = 0x2400
"""U+2400 to U+241F are pictures of the control characters U+0000 to U+001F."""
_WORD = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^\s,:\[\]{}#\"']+")
_LEAST = 20
"""Columns that a line gets, however narrow the terminal is."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """One line as it is shown.

    Attributes:
        indent: how many cells of it stand left of the caret.
        length: how many cells the word at the caret takes, 1 at least.
    """

    text: str
    indent: int
    length: int


def split_lines(text: str) -> list[str]:
    """The lines as problems number them, without their ends."""
    return _LINE_END.split(text)


def excerpt(line: str, column: int, width: int) -> Excerpt:
    """The line in at most `width` cells, and where the caret for `column` (from 1) belongs.

    Tabs become four blanks, control characters their pictures. Of a longer line the part
    around the column is shown; an ellipsis stands for what is left out at either side.
    """
    room = max(_LEAST, width)
    at = max(0, min(column - 1, len(line)))
    # A line can be a megabyte long, and each character that is shown has at least a cell.
    start, end = max(0, at - room), at + room
    before = [_shown(character) for character in line[start:at]]
    behind = [_shown(character) for character in line[at:end]]
    right = _fitting(behind, room - 2 - min(sum(map(cells, before)), room // 2))
    cut_right = right < len(behind) or end < len(line)
    tail = "".join(behind[:right]) + ("…" if cut_right else "")
    left = _fitting(before[::-1], room - 1 - max(1, cells(tail)))
    cut_left = left < len(before) or start > 0
    head = ("…" if cut_left else "") + "".join(before[len(before) - left :])
    word = _WORD.match(line[at:end])
    count = min(len(word[0]) if word else 1, right)
    return Excerpt((head + tail).rstrip(), cells(head), max(1, cells("".join(behind[:count]))))


def _fitting(shown: list[str], room: int) -> int:
    """How many of the texts, from the first on, take at most `room` cells together."""
    used = 0
    for count, text in enumerate(shown):
        used += cells(text)
        if used > room:
            return count
    return len(shown)


def _shown(character: str) -> str:
    if character == "\t":
        return _TAB
    if character.isprintable():
        return character
    if ord(character) < 0x20:
        return chr(_FIRST_PICTURE + ord(character))
    return "\N{REPLACEMENT CHARACTER}"
