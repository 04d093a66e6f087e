"""The shipped schemas: what editors' YAML servers need of them, and how they are found."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft7Validator

from pv_harness.errors import UsageError
from pv_harness.insight.schemas import Schema, find_schema, list_schemas


if TYPE_CHECKING:
    from pathlib import Path


SHIPPED = list_schemas()


@pytest.mark.parametrize("schema", SHIPPED, ids=lambda s: s.full_name)
def test_a_shipped_schema_is_draft_07_and_says_what_it_is(schema: Schema) -> None:
    document = json.loads(schema.text)
    Draft7Validator.check_schema(document)
    assert document["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert document["$id"].endswith(f"/{schema.full_name}.json")
    assert document["title"] == schema.title != ""
    assert document["description"].strip()


def test_the_schemas_of_all_files_that_people_write_are_shipped() -> None:
    assert {"contract", "scoreboard", "comparison"} <= {schema.name for schema in SHIPPED}
    assert len({json.loads(schema.text)["$id"] for schema in SHIPPED}) == len(SHIPPED)


def folder_of(tmp_path: Path, *names: str) -> tuple[Schema, ...]:
    for name in names:
        (tmp_path / f"{name}.json").write_text(json.dumps({"title": f"the {name}"}))
    return list_schemas(tmp_path)


def test_a_name_without_a_version_is_the_newest(tmp_path: Path) -> None:
    schemas = folder_of(tmp_path, "a-v2", "a-v10", "a-v9", "b-c-v1", "no version")
    assert [schema.full_name for schema in schemas] == ["a-v2", "a-v9", "a-v10", "b-c-v1"]
    assert find_schema("a", schemas).title == "the a-v10"
    assert find_schema("a-v2", schemas).title == "the a-v2"
    assert find_schema("b-c", schemas).version == 1


@pytest.mark.parametrize(
    ("name", "hint"),
    [("aple", "did you mean apple?"), ("zzz", "`pv schema` lists them"), ("apple-v3", "apple")],
)
def test_another_name_is_refused_with_the_nearest(tmp_path: Path, name: str, hint: str) -> None:
    with pytest.raises(
        UsageError, match=f"'{name}' is no schema of this pv; .*{hint}".replace("?", r"\?")
    ):
        find_schema(name, folder_of(tmp_path, "apple-v1"))
