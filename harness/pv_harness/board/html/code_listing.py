"""Source text as a listing: numbered lines, and light colours that never hide a character."""

from __future__ import annotations

import io
import keyword
import tokenize
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from pv_harness.board.html.markup import Markup, join, tag


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pv_harness.board.html.markup import Child

MAX_LINES = 400
_MAX_DIFF_LINES = 200


def listing(text: str, *, first_line: int, name: str) -> Markup:
    """Python source with the numbers that its lines have in their file."""
    lines = text.split("\n")
    shown = _colored(lines[:MAX_LINES], "\n".join(lines))
    numbered = (
        tag("span", *parts, "\n", class_="line", data_n=first_line + i)
        for i, parts in enumerate(shown)
    )
    left_out = len(lines) - MAX_LINES
    more = tag("p", f"{left_out} more lines are not shown.", class_="quiet")
    return join([_scroller(numbered, "code", name), more if left_out > 0 else None])


def change_listing(find: str, replace: str, *, name: str) -> Markup:
    """The text that a planted change takes out, and what it puts there, as a diff."""
    old, new = _lines(find), _lines(replace)
    lines: list[Child] = []
    for what, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if what == "equal":
            lines += _changed(" ", old[i:j], "same")
        else:
            lines += [*_changed("-", old[i:j], "out"), *_changed("+", new[k:m], "in")]
    return _scroller(lines, "diff", name)


def _lines(text: str) -> list[str]:
    """The lines of a patch's text; the end of its last line is no line of its own."""
    return text.removesuffix("\n").split("\n")[:_MAX_DIFF_LINES]


def _changed(sign: str, lines: Iterable[str], class_: str) -> Iterator[Markup]:
    for line in lines:
        yield tag("span", f"{sign} {line}\n", class_=class_)


def _scroller(lines: Iterable[Child], class_: str, name: str) -> Markup:
    """Long lines scroll inside; the keyboard has to be able to get there."""
    code = tag("code", *lines)
    return tag("pre", code, class_=class_, tabindex=0, role="group", aria_label=name)


def _colored(lines: Sequence[str], text: str) -> Iterator[list[Child]]:
    """Per line its pieces, the ones with a colour as elements."""
    spans: dict[int, list[tuple[int, int, str]]] = {}
    for first, last, class_ in _tokens(text):
        for number in range(first[0], last[0] + 1):
            start = first[1] if number == first[0] else 0
            end = last[1] if number == last[0] else -1
            spans.setdefault(number, []).append((start, end, class_))
    for number, line in enumerate(lines, 1):
        pieces: list[Child] = []
        done = 0
        for start, end, class_ in spans.get(number, ()):
            stop = len(line) if end == -1 else end
            pieces += [line[done:start], tag("span", line[start:stop], class_=class_)]
            done = stop
        yield [*pieces, line[done:]]


def _tokens(text: str) -> Iterator[tuple[tuple[int, int], tuple[int, int], str]]:
    """Where something with a colour begins and ends; as far as the text can be read."""
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            class_ = _class_of(token)
            if class_ is not None:
                yield token.start, token.end, class_
    except (tokenize.TokenError, SyntaxError):
        return


def _class_of(token: tokenize.TokenInfo) -> str | None:
    if token.type == tokenize.NAME and keyword.iskeyword(token.string):
        return "kw"
    if token.type == tokenize.NUMBER:
        return "num"
    if token.type == tokenize.COMMENT:
        return "com"
    return "str" if token.type in _STRINGS else None


# Python 3.12 gives the parts of an f-string tokens of their own.
_STRINGS = {tokenize.STRING} | {
    getattr(tokenize, name)
    for name in ("FSTRING_START", "FSTRING_MIDDLE", "FSTRING_END")
    if hasattr(tokenize, name)
}
