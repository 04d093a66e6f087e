"""Text that is not YAML is told with what to change, and where what is open begins."""

from __future__ import annotations

import pytest
import yaml

from pv_harness.documents.loading import load
from pv_harness.documents.yaml_complaints import complain


COLON = "a colon where no key can be; quote the text around it, or correct the indentation"
KEY = "a key is expected here; correct the indentation, or a quote that ends too early"
DASH = "a dash is expected here, for the next entry of the list; correct the indentation"
LIST = "a list can't begin here; give it a line of its own, or quote a text with a dash"
QUOTE = "this quote is not closed, or one before it ends too early"


@pytest.mark.skipif(not hasattr(yaml, "CSafeLoader"), reason="these are the words of libyaml")
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: b: c", f"1:5: {COLON}"),
        ("a: 1\n b: 2", f"2:3: {COLON}"),
        ("a: it's\nb: 'it's'", f"2:8: {KEY}; the mapping begins at line 1"),
        ("a: 'b' 'c'", f"1:8: {KEY}"),
        (
            "- a\nb: 1",
            f"2:1: {DASH}; the list begins at line 1",
        ),
        ("a: 'x", f"1:4: {QUOTE}"),
        ('a: "x\nb: c\n', f"1:4: {QUOTE}"),
        ("a: 1\nb: 'x\n---\nc: 1", f"2:4: {QUOTE}"),
        ("a: 'x'\nb: it's\nc: 'y\n", f"3:4: {QUOTE}"),
        (
            "a: [b, c\nd: e",
            "2:2: a list in brackets lacks a comma or its ]; it begins at line 1",
        ),
        ("a: {b: 1", "1:9: a mapping in braces lacks a comma or its }"),
        ("a: b\n\tc: d", "2:1: a tab; indent with spaces"),
        ("a:\n\tc: d", "2:1: a tab; indent with spaces"),
        ("a: *", "1:5: * and & begin names of other values; quote the text"),
        (
            "a: - b",
            f"1:4: {LIST}",
        ),
        ("a: ,b", "1:4: no value begins with ','; quote the text"),
        ("a: @b", "1:4: no value begins with '@'; quote the text"),
        ("a: [b,", "1:7: a value is expected behind ',', and there is none"),
        ("[\n", "2:1: a value should follow, and there is none"),
        ("[", "1:2: a value is expected behind '[', and there is none"),
        ('a: "\\q"', "1:5: an unknown escape; in single quotes a backslash is a backslash"),
        ("a: |2x\n b", "1:6: a text below | or > begins on a line of its own"),
    ],
)
def test_an_error_says_what_to_change(text: str, told: str) -> None:
    (problem,) = load(text.encode(), "x.yaml").problems
    assert str(problem) == "x.yaml:" + told.replace(": ", ": PV004 not YAML: ", 1)


def test_an_error_that_nobody_has_explained_is_told_as_it_is() -> None:
    assert complain("did not find expected tag URI", "while parsing a tag", None) == (
        "did not find expected tag URI while parsing a tag"
    )
    assert complain("a problem", "while scanning a tag", 3) == (
        "a problem while scanning a tag that begins at line 3"
    )
    assert complain("a problem", "", 3) == "a problem"
