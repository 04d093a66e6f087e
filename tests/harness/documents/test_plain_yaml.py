from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings, strategies as st

from pv_harness.documents import plain_yaml
from pv_harness.documents.accelerators import find_accelerator
from pv_harness.documents.loading import load
from pv_harness.documents.plain_yaml import MAX_SIZE_BYTES, load_plain


if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=["yaml-rs", "PyYAML"], autouse=True, scope="module")
def _reader(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test with the fast reader, and with the one in its place where that is missing."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "PyYAML":
            patch.setattr(plain_yaml, "find_accelerator", lambda _name: None)
        elif find_accelerator("yaml_rs") is None:
            pytest.skip("yaml-rs, of the extra `fast`, is not installed")
        yield


NOT_PLAIN = {
    "an anchor": "a: &x 1\n",
    "an anchor in a flow": "a: [&x 1]\n",
    "an alias": "a: *x\n",
    "an alias behind a comma": "a: [1, *x]\n",
    "a tag": "a: !!str 1\n",
    "the tag of no type": "a: ! 1\n",
    "a tag in the first place": "!!map\na: 1\n",
    "a merge key": "<<: {a: 1}\n",
    "a merge key behind spaces": "b:\n  << : {a: 1}\n",
    "a directive": "%YAML 1.2\n---\na: 1\n",
    "a second document": "a: 1\n---\nb: 2\n",
    "a document's end": "a: 1\n...\n",
    "a tab": "a:\tb\n",
    "a NUL": "a: b\0c\n",
    "a carriage return": "a: 1\r\nb: 2\r\n",
    "a byte order mark": "\ufeffa: 1\n",
    "a line separator": "a: b\u2028c\n",
    "a next line": "a: b\u0085c\n",
    "half a kilobyte of digits": f"a: {'1' * 500}\n",
    "digits with underscores": "a: 1_000\n",
    "a float with underscores": "a: -.8_7\n",
    "a binary number": "a: 0b11\n",
    "an octal number by YAML 1.1": "a: 0O17\n",
    "a hexadecimal number in capitals": "a: 0XFF\n",
    "a sign before a hexadecimal number": "a: +0x1\n",
    "a sign before an octal number": "a: -0o7\n",
    "an indicated block": "a: |2\n    b\n",
    "an indicated and stripped block": "a: >-2\n    b\n",
    "an empty block at the end": "a: |\n\n",
    "brackets that close on another line": "a: [b]]\nc: [[d]\n",
    "a key over two lines in brackets": "a: {b\n : c}\n",
    "a key over two lines in brackets, a closing one in quotes": "a: {b: '}', c\n : '{'}\n",
    "a collection over two lines": "a: [b,\n  c]\n",
    "a key without a space in brackets": "a: {b:}\n",
    "a key without a space in a list": "a: [b c:]\n",
    "a key without a space before a comma": "a: {b:, c: d}\n",
    "a colon alone in brackets": "a: [c, ::]\n",
    "an alias behind a tenth space": "a:          *x\n",
    "a block's sign far behind a comma": "a: [b,   |]\n",
    "a block's sign in brackets": "a: {b: |}\n",
    "a block's sign behind a comma": "a: [b, >-]\n",
    "a block's sign before text": "a: >b\n",
    "sequences in one line": "a:\n- - - - b\n",
    "complex keys in one line": "? ? ? a\n",
    "many brackets": f"a: {'[' * 600}{']' * 600}\n",
    "a key given twice": "a: 1\na: 2\n",
    "no line end at the end": "a: 1",
    "an empty file": "",
    "a comment alone": "# nothing\n",
    "text alone": "a\n",
    "a list": "- a\n",
    "too many bytes": f"a: {'b' * MAX_SIZE_BYTES}\n",
}
PLAIN = {
    "a product in prose": "a: x * y and z*2\n",
    "an inequality in prose": "a: x != y & z\n",
    "a pattern with a star": "a: [INV-TRAIN-*, CKPT-1]\n",
    "a number within a word": "a: part_1_of_2\n",
    "a number behind an e": "a: node_1, 0 bytes\n",
    "a hexadecimal number": "a: 0x1f\n",
    "a date": "a: 2026-07-01\n",
    "a block": "a: |-\n  b\n   c\n",
    "a block with a comment": "a: >  # folded\n  b\n  c\nd: 1\n",
    "an arrow in prose": "a: b -> c, d > 0 | e >= 2\n",
    "collections in one line": "a: {b: [1, {c: d}], e: []}\n",
    "brackets in prose": "a: f(x)[0] = {1, 2}\n",
    "a slice in prose": "a: x[:, 0] and y[1:]\nb: see there:, or not\n",
    "a slice in quotes": 'a: "    y = x[:, None]\\n"\n',
    "dashes that words join": "a:\n- F-A-B-C-D\n- G-H-I-J: 1\n",
    "digits that words join": f"a: {'1a' * 30}\n",
    "a document's start in the first line": "---\na: 1\n",
    "other scripts": "a: ≤ 1 — тест 😀\n",
    "a word of YAML 1.1": "a: no\nb: 010\nc: 1:30\n",
}


@pytest.mark.parametrize("text", NOT_PLAIN.values(), ids=NOT_PLAIN)
def test_what_two_parsers_may_read_differently_is_not_plain(text: str) -> None:
    assert load_plain(text.encode()) is None


@pytest.mark.parametrize("text", PLAIN.values(), ids=PLAIN)
def test_what_contracts_are_made_of_is_plain(text: str) -> None:
    data = text.encode()
    assert load_plain(data) == load(data, "x.yaml").value


def test_bytes_that_are_no_utf_8_are_not_plain() -> None:
    assert load_plain(b"a: \xff\n") is None


def agree(data: bytes) -> bool:
    """Whether the strict loader reads what was read, if anything, and has no problem."""
    value = load_plain(data)
    if value is None or not has_text_keys(value):
        return True
    document = load(data, "x.yaml")
    return not document.problems and repr(document.value) == repr(value)


def has_text_keys(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(k, str) and has_text_keys(v) for k, v in value.items())
    return all(map(has_text_keys, value)) if isinstance(value, list) else True


def test_no_short_scalar_is_read_differently() -> None:
    scalars = (
        "".join(t) for n in (1, 2, 3) for t in itertools.product("01_.e+-xobX~", repeat=n)
    )
    assert [text for text in scalars if not agree(f"a: {text}\n".encode())] == []


PIECES = st.sampled_from(
    [
        *"abAZ019_ :#-?[]{},|>'\"\\&*!%@`~.=+\n",
        "\n  ",
        "\n- ",
        "\n    ",
        ": ",
        " #",
        "- ",
        "? ",
        "a: ",
        "b: ",
        "\\n",
        "\\x41",
        '"\n',
        "'\n",
        "null",
        "true",
        ".inf",
        ".nan",
        "1e-5",
        "0x1",
        "|-\n",
        ">\n",
        "<<",
        "---",
        "...",
        "é",
        "😀",
        "\xa0",
        "\t",
        "\r\n",
    ]
)


@settings(max_examples=1500, deadline=None)
@given(st.lists(PIECES, max_size=30).map("".join))
def test_no_text_is_read_differently(text: str) -> None:
    assert agree(f"a: {text}\n".encode())
    assert agree(f"{text}\n".encode())


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_no_bytes_are_read_differently(data: bytes) -> None:
    assert agree(data)
    assert agree(b"a: " + data + b"\n")
