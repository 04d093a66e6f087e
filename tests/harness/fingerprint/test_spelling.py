from __future__ import annotations

import ast

import pytest

from pv_harness.fingerprint.spelling import MODULE_LEVEL, list_definitions, syntax_digest


SOURCE = '''\
"""Doc."""
import os


def f(x, *, y=1):
    """Twice."""
    return x * 2 + y
'''


def digest(text: str) -> str:
    return syntax_digest(ast.parse(text))


def test_comments_blank_lines_and_quotes_do_not_change_the_digest() -> None:
    moved = SOURCE.replace("import os\n", "# why\nimport os  # noqa\n\n\n")
    assert digest(moved) == digest(SOURCE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("x * 2", "x * 3"),
        ("x * 2", "x + 2"),
        ("y=1", "y=1.0"),
        ("y=1", "y=True"),
        ("*, y", "y"),
        ("import os", "import sys"),
        ("Twice", "Thrice"),
        ("return x", "x"),
    ],
)
def test_any_change_of_meaning_changes_the_digest(old: str, new: str) -> None:
    assert SOURCE.count(old) == 1
    assert digest(SOURCE.replace(old, new)) != digest(SOURCE)


@pytest.mark.parametrize(
    ("one", "other"), [(" + x" * 1499, " + x" * 1498 + " - x"), ("[0]" * 1499, "[0]" * 1498)]
)
def test_an_expression_of_many_terms_has_a_digest(one: str, other: str) -> None:
    assert digest(f"y = x{one}\n") == digest(f"y = (x{one})\n")
    assert digest(f"y = x{one}\n") != digest(f"y = x{other}\n")


def test_each_definition_has_a_line_and_what_lies_between_them_one() -> None:
    before = list(list_definitions(ast.parse(SOURCE + "\nclass C: ...\nZ = 1\n")))
    after = list(list_definitions(ast.parse(SOURCE + "\nclass C: ...\nZ = 2\n")))
    names = [line.partition(" ")[2] for line in before]
    assert names == [MODULE_LEVEL, "f", "C", MODULE_LEVEL]
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, True, True, False]
