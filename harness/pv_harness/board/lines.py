"""Lines for a terminal: cut and wrapped by the cells that they take, harmless, in 16 colours.

A cell is a column of the terminal: most characters take one, those of East Asian scripts two,
accents none. Everything here is one line and has no escape in it until it is painted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.board.phrases import Tone, harmless


if TYPE_CHECKING:
    from collections.abc import Iterator

_SGR = {
    "bold": "1",
    "dim": "2",
    Tone.GOOD: "32",
    Tone.BELOW: "36",
    Tone.EXCUSED: "35",
    Tone.AWAY: "36",
    Tone.OPEN: "33",
    Tone.BROKEN: "1;35",
    Tone.BAD: "1;31",
}
"""Select Graphic Rendition: 3x are the eight colours that every colour terminal has."""
_LEAST = 20
"""Columns that wrapped text gets, however narrow the terminal is."""

Style = str | Tone | None


class Painter:
    """Puts escapes around text, or leaves it alone where there are no colours."""

    def __init__(self, *, color: bool) -> None:
        self._color = color

    def paint(self, text: str, style: Style) -> str:
        """The text in a style; empty and unstyled text is returned as it is."""
        if not self._color or style is None or not text:
            return text
        return f"\x1b[{_SGR[style]}m{text}\x1b[0m"


def cells(text: str) -> int:
    """How many columns a line takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def pad(text: str, width: int) -> str:
    """The text with blanks behind it, up to `width` columns."""
    return text + " " * (width - cells(text))


def cut(text: str, width: int) -> str:
    """The text in at most `width` columns; an ellipsis stands for what was cut off."""
    if cells(text) <= width:
        return text
    return _first_cells(text, width - 1) + "…" if width > 0 else ""


def cut_middle(text: str, width: int) -> str:
    """As `cut`, but both ends stay: those of two long IDs tell them apart."""
    if cells(text) <= width:
        return text
    tail = _first_cells(text[::-1], (width - 1) // 2)[::-1]
    return cut(text, width - cells(tail)) + tail if width > 1 else cut(text, width)


def wrap(text: str, width: int, first: str = "", rest: str | None = None) -> Iterator[str]:
    """The text over as many lines as it takes, harmless; `first` and `rest` begin the lines.

    A word that no line holds is broken; an empty text is one empty line.
    """
    rest = " " * cells(first) if rest is None else rest
    room = max(_LEAST, width - max(cells(first), cells(rest)))
    line, used, start = "", 0, first
    for word in _words(text, room):
        size = cells(word)
        if line and used + 1 + size > room:
            yield start + line
            line, used, start = "", 0, rest
        line, used = (f"{line} {word}", used + 1 + size) if line else (word, size)
    yield (start + line).rstrip()


def wrap_parts(text: str, width: int, separator: str = " · ") -> Iterator[str]:
    """As `wrap`, but lines break between parts alone, as long as each of them has room."""
    parts = text.split(separator)
    line = ""
    for place, part in enumerate(parts, 1):
        longer = f"{line}{separator}{part}" if line else part
        room = width if place == len(parts) else width - len(separator.rstrip())
        if line and cells(harmless(longer)) > room:
            yield from wrap(line + separator, width)
            longer = part
        line = longer
    yield from wrap(line, width)


def _words(text: str, room: int) -> Iterator[str]:
    for word in harmless(text).split(" "):
        left = word
        while cells(left) > room:
            part = _first_cells(left, room)
            # A path is best broken behind a folder: then its file's name can be copied.
            part = part[: part.rfind("/") + 1] or part
            yield part
            left = left[len(part) :]
        yield left


def _first_cells(text: str, width: int) -> str:
    """As much of the beginning as takes at most `width` columns."""
    if text.isascii():
        return text[: max(0, width)]
    used = end = 0
    while end < len(text) and used <= width:
        used += cells(text[end])
        end += 1
    # Some characters make the one before them wider, so that a sum is only nearly right.
    while end and cells(text[:end]) > width:
        end -= 1
    return text[:end]
