"""Words that lines don't break within: a number and its unit, a sign and its number, an ID."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pv_harness.board.html.markup import Markup, join, tag


if TYPE_CHECKING:
    from collections.abc import Iterator

    from pv_harness.board.html.markup import Child

LONGEST = 26
"""Letters that surely have room on a line; what is longer may be broken."""
_PIECE = re.compile(
    r"(?:[\u2264\u2265\u2260=<>]|[<>=!]=) [^\s,;]+(?: [A-Za-z%]{1,6}(?![\w-]))?"  # ≤ 30 s
    r"|(?<![\w-])--?[A-Za-z][\w-]*"  # an option of a command
    r"|\b[A-Z][A-Z0-9]*(?:-[A-Z0-9]+){2,}\b"  # an ID
)


def whole(text: str, shown: Markup | None = None) -> Child:
    """The text, or what shows it, on one line; one that is too long for that as it is."""
    if len(text) > LONGEST:
        return shown or text
    return tag("span", shown or text, class_="whole")


def in_pieces(text: str) -> Markup:
    """Running text in which signs keep their numbers, and IDs and options are not split.

    A piece goes to the next line first; only one that is longer than a line is broken.
    """
    return join(_pieces(text))


def _pieces(text: str) -> Iterator[Child]:
    done = 0
    for match in _PIECE.finditer(text):
        yield text[done : match.start()]
        yield tag("span", match[0], class_="piece")
        done = match.end()
    yield text[done:]
