"""What is wrong with text that is not YAML, in words that say what to change.

libyaml tells what its grammar expected; whoever wrote the line needs to know what to write.
"""

from __future__ import annotations

from typing import Final


_OPEN_QUOTE: Final = ("this quote is not closed, or one before it ends too early", "")
_COMPLAINTS: Final = {
    "mapping values are not allowed in this context": (
        "a colon where no key can be; quote the text around it, or correct the indentation",
        "",
    ),
    "block sequence entries are not allowed in this context": (
        "a list can't begin here; give it a line of its own, or quote a text with a dash",
        "",
    ),
    "did not find expected key": (
        "a key is expected here; correct the indentation, or a quote that ends too early",
        "the mapping",
    ),
    "did not find expected '-' indicator": (
        "a dash is expected here, for the next entry of the list; correct the indentation",
        "the list",
    ),
    "did not find expected ',' or ']'": ("a list in brackets lacks a comma or its ]", "it"),
    "did not find expected ',' or '}'": ("a mapping in braces lacks a comma or its }", "it"),
    "found unexpected end of stream": _OPEN_QUOTE,
    "found unexpected document indicator": _OPEN_QUOTE,
    "could not find expected ':'": ("a key without a colon behind it", ""),
    "found a tab character that violates indentation": ("a tab; indent with spaces", ""),
    "found unknown escape character": (
        "an unknown escape; in single quotes a backslash is a backslash",
        "",
    ),
    "did not find expected comment or line break": (
        "a text below | or > begins on a line of its own",
        "",
    ),
    "did not find expected alphabetic or numeric character": (
        "* and & begin names of other values; quote the text",
        "",
    ),
}
"""The parser's words -> ours, and what it is that begins at an earlier line, if that helps."""


def complain(problem: str, context: str, begins: int | None) -> str:
    """What to say of an error of the parser's; `begins` is an earlier line that it is about.

    An error that is not known here is told in the parser's words.
    """
    if problem in _COMPLAINTS:
        what, it = _COMPLAINTS[problem]
        return f"{what}; {it} begins at line {begins}" if it and begins else what
    what = " ".join(part for part in (problem, context) if part)
    return f"{what} that begins at line {begins}" if begins and context else what


def is_open_quote(problem: str) -> bool:
    """Whether a quote goes on to the end of the document; its context is where it begins."""
    return _COMPLAINTS.get(problem) is _OPEN_QUOTE


def is_no_value(problem: str) -> bool:
    """Whether the parser found what no value begins with, and does not say which character."""
    return problem == "did not find expected node content" or problem.endswith(
        "cannot start any token"
    )
