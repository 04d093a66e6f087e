"""HTML that is safe by construction: text becomes markup only through here, and escaped.

A `str` is always text. Only `tag` and `join` make `Markup`, from names that stand in this
package and from escaped text: a page cannot hold an element that a contract or a log wrote.
Beside them stand only the page's own style and script, which are files of this package.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Markup:
    """A piece of HTML that goes on the page as it is."""

    html: str


Child = Markup | str | None
Attribute = str | int | float | bool | None

_JOINERS = "\u200c\u200d"
"""Invisible, and needed to spell Persian and Hindi words and joined emoji."""
_VOID = frozenset({"meta", "link", "input"})
_SELF_CLOSED = frozenset({"path", "rect", "circle", "use"})


def tag(element: str, /, *children: Child, **attributes: Attribute) -> Markup:
    """One element. `class_` and `for_` lose their underscore, others become dashes.

    An attribute that is None or False is left out; one that is True stands without a value.
    """
    written = [element]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        spelled = key.rstrip("_").replace("_", "-")
        written.append(
            spelled if value is True else f'{spelled}="{_escaped(str(value), quote=True)}"'
        )
    opening = f"<{' '.join(written)}>"
    if element in _VOID:
        return Markup(opening)
    if element in _SELF_CLOSED:
        return Markup(f"{opening[:-1]}/>")
    return Markup(f"{opening}{join(children).html}</{element}>")


def join(children: Iterable[Child], separator: Child = None) -> Markup:
    """The children one after another; text among them is escaped, None is nothing."""
    between = "" if separator is None else _html_of(separator)
    return Markup(between.join(_html_of(child) for child in children if child is not None))


def visible(text: str) -> str:
    """The text with every character that would not show, or would reorder others, spelled out.

    Controls, bidi controls, line separators, lone surrogates and the like become their
    number, `U+202E`, in angle quotes; tabs, line feeds and every kind of space stay.
    """
    text = text.replace("\r\n", "\n")
    return text if text.isprintable() else _NOT_LETTERS.sub(_spell_out, text)


_NOT_LETTERS = re.compile(r"[^\w\n\t !-~]")
"""A quick superset of what may have to be spelled out."""


def _spell_out(match: re.Match[str]) -> str:
    char = match[0]
    shows = char.isprintable() or char in _JOINERS or unicodedata.category(char) == "Zs"
    return (
        char
        if shows
        else f"\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}U+{ord(char):04X}"
        "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}"
    )


def _html_of(child: Markup | str) -> str:
    return child.html if isinstance(child, Markup) else _escaped(child)


def _escaped(text: str, *, quote: bool = False) -> str:
    if text.isalnum() and text.isascii():
        return text
    return escape(visible(text), quote=quote)
