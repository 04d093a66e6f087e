"""What stands for a character that an output's encoding has no form for.

The usual `?` is also our mark for a status that is not known, and would stand for `✓` and `✗`
alike.
"""

from __future__ import annotations

import codecs


HANDLER = "pv-plain"
"""The name of the error handler, as streams and `str.encode` take it."""

_PLAIN = {
    "✓": "+",
    "✗": "x",
    "↑": "^",
    "→": ">",
    "↳": ">",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "±": "+/-",
    "\N{MULTIPLICATION SIGN}": "x",
    "·": "|",
    "…": "...",
    "¹": "*",
    "µ": "u",
    "\N{MINUS SIGN}": "-",
    "\N{EN DASH}": "-",
    "\N{EM DASH}": "-",
    "\N{NO-BREAK SPACE}": " ",
}


def register_handler() -> None:
    """Make `HANDLER` known to Python; doing so again changes nothing."""
    codecs.register_error(HANDLER, _replace)


def _replace(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    part = error.object[error.start : error.end]
    return "".join(_PLAIN.get(character, "?") for character in part), error.end
