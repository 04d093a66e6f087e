from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings, strategies as st

from pv_harness.documents.loading import load
from pv_harness.validating.foreign.native_text import write_comment, write_entry, write_word


TEXTS = st.text(max_size=80) | st.text(
    alphabet="ab :#-'\"\\\n\t|>[]{}&*!%@`,~0.1\u2028\ufeff\x00"
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=20), inner),
    max_leaves=12,
)


def lines(value: object) -> list[str]:
    return list(write_entry("key", value))


def file_of(value: object) -> str:
    return "".join(f"{line}\n" for line in lines(value))


@settings(max_examples=400)
@given(VALUES)
def test_what_is_written_is_read_back_the_same(value: object) -> None:
    document = load(file_of(value).encode(), "x.yaml")
    assert document.problems == ()
    assert repr(document.value) == repr({"key": value})  # NaN is not equal to itself


@settings(max_examples=200)
@given(TEXTS)
def test_other_readers_of_yaml_take_a_text_for_the_same_text(text: str) -> None:
    assert yaml.safe_load(file_of(text)) == {"key": text}


@given(st.lists(st.text(), max_size=4), st.integers(0, 3))
def test_a_comment_is_a_comment_whatever_is_in_it(texts: list[str], depth: int) -> None:
    written = list(write_comment(texts, depth))
    assert len(written) == len(texts)
    document = load("\n".join(["a: 1", *written]).encode(), "x.yaml")
    assert (document.problems, document.value) == ((), {"a": 1})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain words (and more)", ["key: plain words (and more)"]),
        ("yes", ['key: "yes"']),
        ("1.0", ['key: "1.0"']),
        ("1.0.0", ["key: 1.0.0"]),
        ("2027-01-02", ['key: "2027-01-02"']),
        ("a: b", ['key: "a: b"']),
        ('say "so"\\', ['key: "say \\"so\\"\\\\"']),
        ("two\nlines", ["key: |-", "  two", "  lines"]),
        ("two\n\nlines\n", ["key: |", "  two", "", "  lines"]),
        (" indented\nlines", ['key: " indented\\nlines"']),
        ("\x00\x7f\u2028", ['key: "\\x00\\x7f\\u2028"']),
        (1e-6, ["key: 1e-06"]),
        (float("inf"), ["key: .inf"]),
        ([], ["key: []"]),
        ({}, ["key: {}"]),
        (["a", ["b"], {"c": 1, "d": 2}],
         ["key:", "- a", "-", "  - b", "- c: 1", "  d: 2"]),
    ],
)  # fmt: skip
def test_values_are_written_as_a_person_would(value: object, expected: list[str]) -> None:
    assert lines(value) == expected


def test_a_long_text_is_folded_where_single_blanks_are() -> None:
    text = " ".join(["seven w"] * 40)
    written = lines(text)
    assert written[0] == "key: >-"
    assert all(len(line) <= 96 for line in written)
    assert " ".join(line.strip() for line in written[1:]) == text


def test_a_word_is_on_one_line() -> None:
    assert (write_word("a b"), write_word("a\nb")) == ("a b", '"a\\nb"')
