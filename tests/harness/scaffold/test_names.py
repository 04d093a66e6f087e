"""Names that fit, made of any project's name."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, strategies as st

from pv_harness.documents.schema_check import read_schema
from pv_harness.scaffold.names import Names, has_letters, is_free, make_names


@pytest.mark.parametrize(
    ("project", "names"),
    [
        ("nano-gpt", Names("nano_gpt", "nano-gpt-v1", "FALSIFY-NANO-GPT-001")),
        ("My.Trainer", Names("my_trainer", "my-trainer-v1", "FALSIFY-MY-TRAINER-001")),
        ("json", Names("my_json", "my-json-v1", "FALSIFY-MY-JSON-001")),
        ("torch", Names("my_torch", "my-torch-v1", "FALSIFY-MY-TORCH-001")),
        ("3d", Names("my_3d", "my-3d-v1", "FALSIFY-MY-3D-001")),
        ("", Names("project", "project-v1", "FALSIFY-PROJECT-001")),
    ],
)
def test_names_follow_from_the_project(project: str, names: Names) -> None:
    assert make_names(project) == names


@given(st.text())
def test_names_fit_whatever_the_project_is_called(project: str) -> None:
    names = make_names(project)
    schema = read_schema()["properties"]
    falsifier = read_schema()["definitions"]["falsifier"]["properties"]["id"]
    assert names.package.isidentifier()
    assert is_free(names.package)
    assert re.search(schema["id"]["pattern"], names.contract)
    assert re.search(falsifier["pattern"], names.falsifier)


@pytest.mark.parametrize(("name", "expected"), [("a", True), ("7", True), ("--", False)])
def test_a_name_needs_a_letter_or_digit(name: str, *, expected: bool) -> None:
    assert has_letters(name) is expected
