"""YAML as `pv migrate` writes it: every text as readable as it can be, and read back the same.

One-line texts are plain where nothing else could be meant, long ones are folded, texts of
several lines are literal blocks. What none of these can hold is quoted, with escapes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from pv_harness.documents.scalars import resolve


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

WIDTH: Final = 96

_PLAIN: Final = re.compile(r"[A-Za-z_/(][A-Za-z0-9_ ./()+*^-]*(?<! )|[0-9]+(?:\.[0-9]+){2}")
# What the loader lets stand in a file; tabs and carriage returns are better seen as escapes.
_UNSAFE: Final = re.compile(
    "[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_GAP: Final = re.compile(r"(?<! ) (?! )")
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_TO_ESCAPE: Final = re.compile(_UNSAFE.pattern.replace("[^\n", '["\\\\\n]|[^\n'))
_INDENT: Final = "  "


def write_mapping(value: Mapping[str, Any], depth: int = 0) -> Iterator[str]:
    """A mapping in block form, line by line."""
    for key, item in value.items():
        yield from write_entry(key, item, depth)


def write_entry(key: str, value: object, depth: int = 0) -> Iterator[str]:
    """`key: value`, on as many lines as it takes."""
    margin, name = _INDENT * depth, write_word(key)
    if isinstance(value, dict) and value:
        yield f"{margin}{name}:"
        yield from write_mapping(value, depth + 1)
    elif isinstance(value, list | tuple) and value:
        yield f"{margin}{name}:"
        yield from _items(value, depth)
    else:
        yield from _scalar(f"{margin}{name}: ", value, depth + 1)


def write_word(text: str) -> str:
    """A text on one line, without its surroundings: a key, or an item of a short list."""
    return text if _is_plain(text) else _quoted(text)


def write_comment(lines: Iterable[str], depth: int = 0) -> Iterator[str]:
    """Lines as comments; what may not stand in a file becomes an escape."""
    for line in lines:
        safe = _UNSAFE.sub(lambda found: _escape(found[0]), line.replace("\n", "\\n"))
        yield f"{_INDENT * depth}# {safe}".rstrip()


def _items(values: list[Any] | tuple[Any, ...], depth: int) -> Iterator[str]:
    margin = _INDENT * depth
    for value in values:
        if isinstance(value, dict) and value:
            first, *rest = write_mapping(value, depth + 1)
            yield f"{margin}- {first[len(margin) + 2 :]}"
            yield from rest
        elif isinstance(value, list | tuple) and value:
            yield f"{margin}-"
            yield from _items(value, depth + 1)
        else:
            yield from _scalar(f"{margin}- ", value, depth + 1)


def _scalar(head: str, value: object, depth: int) -> Iterator[str]:
    if not isinstance(value, str):
        yield f"{head}{_single(value)}"
        return
    line = value.removesuffix("\n")
    if "\n" in line or (line != value and not _can_fold(line)):
        yield from _block(head, value, depth)
    elif line != value:
        yield f"{head}>"
        yield from _folded(line, _INDENT * depth)
    elif _is_plain(value) and len(head) + len(value) <= WIDTH:
        yield f"{head}{value}"
    elif len(head) + len(quoted := _quoted(value)) <= WIDTH or not _can_fold(value):
        yield f"{head}{quoted}"
    else:
        yield f"{head}>-"
        yield from _folded(value, _INDENT * depth)


def _single(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}.get(str(value), repr(value))
    return {"[]": "[]", "()": "[]", "{}": "{}"}.get(str(value), str(value))


def _is_plain(text: str) -> bool:
    """True for words that every reader takes for this text."""
    if _PLAIN.fullmatch(text) is None or text.lower() in _OLD_WORDS:
        return False
    return resolve(text) == text


_OLD_WORDS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
"""Words that readers of YAML 1.1 take for something else."""


def _quoted(text: str) -> str:
    return '"' + _TO_ESCAPE.sub(lambda found: _escape(found[0]), text) + '"'


def _escape(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    code = ord(character)
    if code < 1 << 8:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 1 << 16 else f"\\U{code:08x}"


def _can_fold(text: str) -> bool:
    return not (text.startswith(" ") or text.endswith(" ") or not text or _UNSAFE.search(text))


def _folded(text: str, margin: str) -> Iterator[str]:
    """A text of one line over several, broken only where a single blank stands."""
    line = ""
    for word in _GAP.split(text):
        if line and len(margin) + len(line) + 1 + len(word) > WIDTH:
            yield margin + line
            line = word
        else:
            line = f"{line} {word}" if line else word
    yield margin + line


def _block(head: str, text: str, depth: int) -> Iterator[str]:
    """A text of several lines as it is, where YAML can hold it so."""
    body = text.removesuffix("\n")
    lines = body.split("\n")
    starts_well = bool(lines[0]) and not lines[0].startswith(" ")
    blank = any(line.isspace() for line in lines)
    if not starts_well or blank or not lines[-1] or _UNSAFE.search(text):
        yield f"{head}{_quoted(text)}"
        return
    yield f"{head}|" if text.endswith("\n") else f"{head}|-"
    for line in lines:
        yield f"{_INDENT * depth}{line}" if line else ""
