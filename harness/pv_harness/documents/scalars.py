"""Plain YAML scalars by the core schema of YAML 1.2: `1e-6` is a number, `no` is a word.

Source: YAML 1.2.2, section 10.3.2.
"""

from __future__ import annotations

import re
from typing import Final


NOT_TEXT: Final[dict[str, bool | float | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
NUMBER_START = frozenset("0123456789+-.")
_DECIMAL = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_MAX_DIGITS = 64
"""Keeps every whole number below the largest float; no measurement has more digits."""


def resolve(text: str) -> str | bool | int | float | None:
    """The value of a plain (unquoted, untagged) scalar.

    Raises:
        ValueError: a number of more than 64 characters.
    """
    if text in NOT_TEXT:
        return NOT_TEXT[text]
    if text[0] not in NUMBER_START:
        return text
    for pattern, base in ((_DECIMAL, 10), (_OCTAL, 8), (_HEXADECIMAL, 16)):
        if pattern.fullmatch(text):
            return int(_short(text), base)
    return float(_short(text)) if _FLOAT.fullmatch(text) else text


def _short(text: str) -> str:
    if len(text) > _MAX_DIGITS:
        raise ValueError(f"a number of {len(text)} characters; the most is {_MAX_DIGITS}")
    return text
