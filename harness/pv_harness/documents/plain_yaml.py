"""Plain YAML, read fast: text that two parsers are known to read alike, and nothing else.

`yaml_rs` is ten times as fast as the strict loader, and passes over what that one reports. So
it is asked only about text without any construct in which the two differ; all other text is
not plain, and the strict loader's. Without the package, or with another version of it than the
one that was compared, `yaml_values` reads the text. bench/compare_readers.py compares them all.
"""

from __future__ import annotations

import re
from typing import Any, Final

from pv_harness.documents.accelerators import find_accelerator


MAX_SIZE_BYTES: Final = 64 << 10
"""Some thousand keys that collide cost a parser seconds; a file of this size holds too few."""

_MAX_OPENED: Final = 500
"""Brackets: each may be a level of nesting, and a parser's stack ends somewhere."""

_CLASS_OF: Final = {
    "\0": bytes({*range(32), 127} - {10}),  # of line breaks, LF alone is read by both
    "0": b"0123456789.+-",
    "x": b"bBoOxX",
    "&": b"&*!",
    ">": b"|>",
    "(": b"[]{}",
}
_CLASSES: Final = bytes(
    next((ord(name) for name, members in _CLASS_OF.items() if byte in members), byte)
    for byte in range(256)
)
"""One byte for each class, so that few searches find what takes many patterns to say."""
_BEFORE_A_NODE: Final = b"\n:,[{"
_BEFORE_A_SPACED_NODE: Final = b"\n-?:,[{"
_BLOCK_HEADER = re.compile(rb"[+-]? *(?:#.*)?\n")
_LINE_OF_A_VALUE = re.compile(rb"\n *:")
_BRACKETS: Final = b"[]{}"
_NO_BRACKETS: Final = bytes({*range(256)} - {*_BRACKETS, *b"\n"})
_BEFORE_A_DIGIT = re.compile(rb"_(?<![A-DF-Za-df-z\x80-\xff]_)[0-9.+-]")
"""An underline in front of a digit, except after a letter that is part of no number."""
_RADIX = re.compile(rb"0[bBoOxX]")
_MERGE_KEY = re.compile(rb"<< *[:,}\n]")
_IN_NUMBERS: Final = b"0123456789.eE+-_"


def load_plain(data: bytes) -> dict[Any, Any] | None:
    """The mapping that plain YAML spells, or None: then the strict loader has to look.

    What is returned is what the strict loader returns, without any problem, wherever all keys
    are text and all numbers finite. That is left to the caller, who mostly knows already.
    """
    if not _looks_plain(data):
        return None
    try:
        text = data.decode("utf-8")
        if not (text.isascii() or text.replace("\n", "").isprintable()):
            return None
        value = _read(text)
    except (ValueError, TypeError):  # no UTF-8, no YAML to that reader, a list as a key
        return None
    return value if isinstance(value, dict) else None


def _read(text: str) -> Any:
    yaml_rs = find_accelerator("yaml_rs")
    if yaml_rs is not None:
        return yaml_rs.loads(text, parse_datetime=False)
    from pv_harness.documents.yaml_values import load_values  # noqa: PLC0415 - PyYAML: 10 ms

    return load_values(text)


def _looks_plain(data: bytes) -> bool:
    if len(data) > MAX_SIZE_BYTES or not data.endswith(b"\n") or data.startswith(b"%"):
        return False
    classes = data.translate(_CLASSES)
    return not (
        b"\0" in classes
        or data.count(b"[") + data.count(b"{") > _MAX_OPENED
        or _may_begin_a_document(data, classes)
        or _may_have_properties(data, classes)
        or _may_nest_in_one_line(data, classes)
        or _may_be_odd_numbers(data, classes)
        or _may_have_odd_blocks(data, classes)
        or _may_span_lines_in_brackets(data, classes)
        or _may_end_in_an_empty_block(data)
    )


def _may_begin_a_document(data: bytes, classes: bytes) -> bool:
    """A directive, a document's start other than in the first line, or its end."""
    marks = b"\n000" in classes and (b"\n---" in data or b"\n..." in data)
    return marks or (b"%" in data and b"\n%" in data)


def _may_have_properties(data: bytes, classes: bytes) -> bool:
    """An anchor, an alias, a tag, or a merge key: a sign where a node may begin."""
    at = classes.find(b"&")
    while at >= 0:
        if _begins_a_node(data, at):
            return True
        at = classes.find(b"&", at + 1)
    return b"<" in data and _MERGE_KEY.search(data) is not None


def _may_nest_in_one_line(data: bytes, classes: bytes) -> bool:
    """Sequences in sequences on one line: thirty thousand levels would fit into 64 KiB."""
    dashes = b"0 0 0 0" in classes and b"- - - -" in data
    return dashes or (b"?" in data and b"? ? ?" in data)


def _may_be_odd_numbers(data: bytes, classes: bytes) -> bool:
    """Numbers to yaml-rs and not to YAML 1.2, 1_000 0b1 0O7 0XF +0x1, and too long ones."""
    at = classes.find(b"0_")
    while at >= 0:
        before = data[max(0, at - 80) : at + 1].rstrip(_IN_NUMBERS)[-1:]
        after = data[at : at + 80].lstrip(_IN_NUMBERS)[:1]
        if not _is_in_a_word(before) and not _is_in_a_word(after):
            return True
        at = classes.find(b"0_", at + 1)
    at = classes.find(b"_0") if _BEFORE_A_DIGIT.search(data) else -1  # _1 is a number, too
    while at >= 0:
        before = data[max(0, at - 80) : at].rstrip(_IN_NUMBERS)[-1:]
        if not _is_in_a_word(before):
            return True
        at = classes.find(b"_0", at + 1)
    at = classes.find(b"0x") if _RADIX.search(data) else -1
    while at >= 0:
        if data[at : at + 1] == b"0" and _is_odd_radix(data[at - 1 : at], data[at + 1]):
            return True
        at = classes.find(b"0x", at + 1)
    # Of a number with more than 64 characters, one of three parts has so many digits.
    return b"0" * 21 in classes and re.search(rb"[0-9]{21}", data) is not None


def _is_in_a_word(byte: bytes) -> bool:
    return byte.isalpha() or byte >= b"\x80"


def _is_odd_radix(before: bytes, radix: int) -> bool:
    if before in (b"+", b"-"):
        return True
    return radix in b"bBOX" and not (before in _IN_NUMBERS or _is_in_a_word(before))


def _begins_a_node(data: bytes, at: int) -> bool:
    """Whether a sign stands where a node may begin, so that it is no part of a text."""
    before = data[at - 1 : at] or b"\n"
    if before != b" ":
        return before in _BEFORE_A_NODE
    before = data[at - 2 : at - 1]
    if before != b" ":
        return before in _BEFORE_A_SPACED_NODE
    # Nothing but spaces counts, too.
    return data[max(0, at - 80) : at].rstrip(b" ")[-1:] in _BEFORE_A_SPACED_NODE


def _may_have_odd_blocks(data: bytes, classes: bytes) -> bool:
    """A block of text that states its own indentation, `|2`; and in brackets, what is none."""
    at = classes.find(b">")
    while at >= 0:
        if data[at - 2 : at] == b": ":  # as nearly all do
            if not _BLOCK_HEADER.match(data, at + 1):
                return True
        elif _begins_a_node(data, at):
            before = data[max(0, at - 80) : at].rstrip(b" ")[-1:]
            if before in b",[{" or not _BLOCK_HEADER.match(data, at + 1):
                return True
        at = classes.find(b">", at + 1)
    return False


def _may_span_lines_in_brackets(data: bytes, classes: bytes) -> bool:
    """A flow collection over several lines, in which a key may then be, too."""
    at = classes.find(b"(") if _may_be_unbalanced(data) else -1
    while at >= 0:
        end = classes.find(b"\n", at)
        if data.count(b"[", at, end) != data.count(b"]", at, end) or (
            data.count(b"{", at, end) != data.count(b"}", at, end)
        ):
            while at >= 0:
                if _begins_a_node(data, at):
                    return True
                at = classes.find(b"(", at + 1, end)
        at = classes.find(b"(", end)
    return _LINE_OF_A_VALUE.search(data) is not None


def _may_be_unbalanced(data: bytes) -> bool:
    """Whether any line has more brackets of a kind than it closes: mostly none has."""
    left = data.translate(None, _NO_BRACKETS)
    for _ in range(3):
        left = left.replace(b"[]", b"").replace(b"{}", b"")
    return bool(left.strip(b"\n"))


def _may_end_in_an_empty_block(data: bytes) -> bool:
    """A block of text without any, at the end: to one of the two it is an empty line."""
    end = data.rstrip(b" \n")
    if b"#" in end[-80:]:
        last = end[end.rfind(b"\n") + 1 :]
        return b"|" in last or b">" in last
    return end.rstrip(b"+-")[-1:] in (b"|", b">")
