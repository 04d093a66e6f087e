"""One entry more in the text of a contract, and every other byte as it was."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, strategies as st

from pv_harness.documents.loading import load
from pv_harness.errors import UsageError
from pv_harness.scaffold.insertion import insert_falsifier


ENTRY = ("id: NEW-002", "# why", "rule: r")
ADDED = "- id: NEW-002\n  # why\n  rule: r\n"
ADDED_DEEPER = "  -   id: NEW-002\n      # why\n      rule: r\n"


def insert(text: str) -> str:
    return insert_falsifier(text, ENTRY, "c.yaml")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("falsifiers:\n- id: A\n", "falsifiers:\n- id: A\n- id: NEW-002\n  # why\n  rule: r\n"),
        (
            "falsifiers:\n  -   id: A\n      b: 1\n",
            "falsifiers:\n  -   id: A\n      b: 1\n" + ADDED_DEEPER,
        ),
        ("falsifiers:\n- id: A", "falsifiers:\n- id: A\n- id: NEW-002\n  # why\n  rule: r\n"),
        (
            "falsifiers:\r\n- id: A\r\n",
            "falsifiers:\r\n- id: A\r\n- id: NEW-002\r\n  # why\r\n  rule: r\r\n",
        ),
        (
            "falsifiers:\n- id: A  # of A\n  # of A too\n\n# of B\nequations: {}\n",
            "falsifiers:\n- id: A  # of A\n  # of A too\n"
            + ADDED
            + "\n# of B\nequations: {}\n",
        ),
        (
            "falsifiers:\n- id: A\n  note: |\n    text\n    # no comment\nx: 1\n",
            "falsifiers:\n- id: A\n  note: |\n    text\n    # no comment\n" + ADDED + "x: 1\n",
        ),
        (
            "falsifiers:\n- id: A\n  note: >-\n    long\n\n    text\n\n",
            "falsifiers:\n- id: A\n  note: >-\n    long\n\n    text\n" + ADDED + "\n",
        ),
        (
            "falsifiers:\n- id: A\n  b: {x: 1,\n    y: 2}\n",
            "falsifiers:\n- id: A\n  b: {x: 1,\n    y: 2}\n- id: NEW-002\n  # why\n  rule: r\n",
        ),
        (
            "falsifiers:\n- {id: A}\nx: 1\n",
            "falsifiers:\n- {id: A}\n- id: NEW-002\n  # why\n  rule: r\nx: 1\n",
        ),
    ],
)
def test_an_entry_is_added_and_layout_is_kept(before: str, after: str) -> None:
    assert insert(before) == after


@pytest.mark.parametrize(
    "text",
    [
        "falsifiers: []\n",
        "falsifiers: [{id: A}]\n",
        "falsifiers: {a: 1}\n",
        "falsifiers:\n",
        "other: 1\n",
        "- id: A\n",
        "",
    ],
)
def test_a_file_without_a_block_list_is_refused_with_the_remedy(text: str) -> None:
    message = "c.yaml: `falsifiers` should be a list of entries that begin with `- id:`"
    with pytest.raises(UsageError, match=re.escape(message)):
        insert(text)


def test_empty_lines_of_a_block_that_keeps_them_stay_its_own() -> None:
    # `|+` keeps the empty lines behind it: an entry before them would change the text.
    text = "falsifiers:\n- id: A\n  note: |+\n    text\n\n\n"
    changed = insert(text)
    assert load(changed.encode(), "c.yaml").value["falsifiers"][0]["note"] == "text\n\n\n"


@pytest.mark.parametrize(
    "text", ["falsifiers:\n-\n  id: A\n", "falsifiers:\n  -\n     id: A\n"]
)
def test_a_dash_on_a_line_of_its_own_is_left_to_the_author(text: str) -> None:
    message = "c.yaml: an entry can't be added to `falsifiers` without touching what is there"
    with pytest.raises(UsageError, match=re.escape(message)):
        insert(text)


_SCALARS = st.sampled_from(
    ["1", "word", '"quoted # text"', "{a: 1}", "[x, y]", ">-\n    folded"]
)
_ENTRIES = st.lists(st.lists(_SCALARS, min_size=1, max_size=4), min_size=1, max_size=4)
_BETWEEN = st.sampled_from(["", "\n", "# comment\n", "  # deeper\n", "\n# a\n\n"])


@given(
    entries=_ENTRIES,
    between=_BETWEEN,
    after=st.sampled_from(["", "x: 1\n", "x: |\n  text\n"]),
    crlf=st.booleans(),
)
def test_any_list_gets_one_entry_and_nothing_else_changes(
    *, entries: list[list[str]], between: str, after: str, crlf: bool
) -> None:
    text = "id: c\nfalsifiers:\n"
    for values in entries:
        lines = [f"k{number}: {value}\n" for number, value in enumerate(values)]
        text += "- " + "  ".join(lines) + between
    text += after
    if crlf:
        text = text.replace("\n", "\r\n")
    old, new = load(text.encode(), "c").value, load(insert(text).encode(), "c").value
    assert new["falsifiers"][:-1] == old["falsifiers"]
    assert new["falsifiers"][-1] == {"id": "NEW-002", "rule": "r"}
    assert {k: v for k, v in new.items() if k != "falsifiers"} == {
        k: v for k, v in old.items() if k != "falsifiers"
    }
    kept = insert(text).splitlines()
    assert [line for line in text.splitlines() if line not in kept] == []
