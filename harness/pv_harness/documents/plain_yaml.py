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

_SIGN_OF: Final = {
    "\0": bytes({*range(32), 127} - {10}),  # of line breaks, LF alone is read by both
    "0": b"0123456789",
    **{chr(sign): bytes([sign]) for sign in b"\n-.%?:[]{}"},
}
_SIGNS: Final = bytes(
    next((ord(sign) for sign, members in _SIGN_OF.items() if byte in members), byte)
    for byte in range(256)
)
_WORDS: Final = bytes({*range(256)} - {*b"".join(_SIGN_OF.values())})
"""What means nothing to most guards: nine bytes of ten. Without them a search costs little."""
_DIGITS: Final = bytes(ord("0") if byte in b"0123456789" else byte for byte in range(256))
_MANY_DIGITS: Final = b"0" * 21
"""Of a number with more than 64 characters, one of three parts has so many digits."""
_BEFORE_A_NODE: Final = b"\n:,[{"
_BEFORE_A_SPACED_NODE: Final = b"\n-?:,[{"
_MAY_BEGIN_A_NODE: Final = rb"%(sign)b(?<![^\n:,\[{ ]%(sign)b)(?<![^\n\-?:,\[{ ] %(sign)b)"
"""What `_begins_a_node` says, where one space or none stands before a sign."""
_PROPERTIES: Final = {
    sign: re.compile(_MAY_BEGIN_A_NODE % {b"sign": re.escape(sign)})
    for sign in (b"&", b"*", b"!")
}
_HEADER: Final = rb"[+-]? *(?:#.*)?\n"
_BLOCK_HEADER = re.compile(_HEADER)
_BLOCKS: Final = {
    sign: re.compile(
        (_MAY_BEGIN_A_NODE + rb"(?!(?<=: %(sign)b)" + _HEADER + rb")")
        % {b"sign": re.escape(sign)}
    )
    for sign in (b"|", b">")
}
"""Blocks of text other than those behind a key, as nearly all are, with a plain header."""
_ODD_COLON = re.compile(rb":(?:[,\]}]|(?<=[\n ]:))")
_BRACKETS: Final = b"[]{}"
_AS_BRACKETS: Final = bytes(ord("(") if byte in _BRACKETS else byte for byte in range(256))
_NO_BRACKETS: Final = bytes({*range(256)} - {*_BRACKETS, *b"\n"})
_BESIDE_A_DIGIT = re.compile(rb"_(?:(?<=[0-9.+-]_)|(?<![A-DF-Za-df-z\x80-\xff]_)[0-9.+-])")
"""An underline behind a digit or in front of one, there except after a letter of no number."""
_NUMERIC: Final = b"0123456789.+-"
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
    signs = data.translate(_SIGNS, _WORDS)
    return not (
        b"\0" in signs
        or signs.count(b"[") + signs.count(b"{") > _MAX_OPENED
        or _may_begin_a_document(data, signs)
        or _may_have_properties(data)
        or _may_nest_in_one_line(data, signs)
        or _may_be_odd_numbers(data, signs)
        or _may_have_odd_blocks(data)
        or _may_span_lines_in_brackets(data, signs)
        or _may_have_odd_colons(data)
        or _may_end_in_an_empty_block(data)
    )


def _may_begin_a_document(data: bytes, signs: bytes) -> bool:
    """A directive, a document's start other than in the first line, or its end."""
    return (
        (b"\n---" in signs and b"\n---" in data)
        or (b"\n..." in signs and b"\n..." in data)
        or (b"%" in signs and b"\n%" in data)
    )


def _may_have_properties(data: bytes) -> bool:
    """An anchor, an alias, a tag, or a merge key: a sign where a node may begin."""
    for sign, candidate in _PROPERTIES.items():
        if sign in data and any(
            _begins_a_node(data, found.start()) for found in candidate.finditer(data)
        ):
            return True
    return b"<" in data and _MERGE_KEY.search(data) is not None


def _may_nest_in_one_line(data: bytes, signs: bytes) -> bool:
    """Sequences in sequences on one line: thirty thousand levels would fit into 64 KiB."""
    dashes = b"----" in signs and b"- - - -" in data
    return dashes or (b"???" in signs and b"? ? ?" in data)


def _may_be_odd_numbers(data: bytes, signs: bytes) -> bool:
    """Numbers to yaml-rs and not to YAML 1.2, 1_000 0b1 0O7 0XF +0x1, and too long ones."""
    for found in _BESIDE_A_DIGIT.finditer(data):
        at = found.start()
        before = data[max(0, at - 80) : at].rstrip(_IN_NUMBERS)[-1:]
        after = data[at : at + 80].lstrip(_IN_NUMBERS)[:1]
        begins = data[at + 1] in _NUMERIC  # _1 is a number, too, whatever follows
        if not _is_in_a_word(before) and (begins or not _is_in_a_word(after)):
            return True
    for found in _RADIX.finditer(data):
        at = found.start()
        if _is_odd_radix(data[at - 1 : at], data[at + 1]):
            return True
    return _MANY_DIGITS in signs and _MANY_DIGITS in data.translate(_DIGITS)


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


def _may_have_odd_blocks(data: bytes) -> bool:
    """A block of text that states its own indentation, `|2`; and in brackets, what is none."""
    for sign, candidate in _BLOCKS.items():
        if sign in data and any(
            _is_odd_block(data, found.start()) for found in candidate.finditer(data)
        ):
            return True
    return False


def _is_odd_block(data: bytes, at: int) -> bool:
    if not _begins_a_node(data, at):
        return False
    before = data[max(0, at - 80) : at].rstrip(b" ")[-1:]
    return before in b",[{" or not _BLOCK_HEADER.match(data, at + 1)


def _may_span_lines_in_brackets(data: bytes, signs: bytes) -> bool:
    """A flow collection over several lines, in which a key may then be, too."""
    return _may_be_unbalanced(signs) and _spans_lines_in_brackets(data)


def _may_be_unbalanced(signs: bytes) -> bool:
    """Whether any line has more brackets of a kind than it closes: mostly none has."""
    left = signs.translate(None, _NO_BRACKETS)
    for _ in range(3):
        left = left.replace(b"[]", b"").replace(b"{}", b"")
    return bool(left.strip(b"\n"))


def _spans_lines_in_brackets(data: bytes) -> bool:
    marked = data.translate(_AS_BRACKETS)
    at = marked.find(b"(")
    while at >= 0:
        end = marked.find(b"\n", at)
        if data.count(b"[", at, end) != data.count(b"]", at, end) or (
            data.count(b"{", at, end) != data.count(b"}", at, end)
        ):
            while at >= 0:
                if _begins_a_node(data, at):
                    return True
                at = marked.find(b"(", at + 1, end)
        at = marked.find(b"(", end)
    return False


def _may_have_odd_colons(data: bytes) -> bool:
    """A line that begins with one, and in brackets a key without a space behind it: `[a:]`."""
    for found in _ODD_COLON.finditer(data):
        at = found.start()
        start = data.rfind(b"\n", 0, at) + 1
        if not data[start:at].strip(b" "):
            return True
        if len(found[0]) > 1 and any(
            data[place] in b"[{" and _begins_a_node(data, place) for place in range(start, at)
        ):
            return True
    return False


def _may_end_in_an_empty_block(data: bytes) -> bool:
    """A block of text without any, at the end: to one of the two it is an empty line."""
    end = data.rstrip(b" \n")
    if b"#" in end[-80:]:
        last = end[end.rfind(b"\n") + 1 :]
        return b"|" in last or b">" in last
    return end.rstrip(b"+-")[-1:] in (b"|", b">")
