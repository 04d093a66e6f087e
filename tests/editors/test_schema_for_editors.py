"""What an editor shows: every key that people write has a title, a description, an example."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft7Validator

from pv_harness.cli import main
from pv_harness.documents.schema_check import SCHEMA_FOLDER, read_schema


if TYPE_CHECKING:
    from collections.abc import Iterator

WRITTEN = ("contract-v1", "policy-v1", "release-v1", "ratchet-v1")
"""The schemas of files that people write, or edit."""


def properties_of(node: Any, way: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(node, dict):
        for name, rule in node.get("properties", {}).items():
            yield f"{way}/{name}", rule
        for key, child in node.items():
            if key not in {"examples", "default"}:
                yield from properties_of(child, f"{way}/{key}")


PROPERTIES = {
    f"{name}:{way}": rule for name in WRITTEN for way, rule in properties_of(read_schema(name))
}


def test_all_properties_are_found() -> None:
    assert len(PROPERTIES) > 90
    assert "contract-v1:/definitions/falsifier/properties/levels/PARTIAL" in PROPERTIES
    assert "policy-v1:/definitions/waiver/expires" in PROPERTIES
    assert "release-v1:/properties/steps/items/needs" in PROPERTIES


@pytest.mark.parametrize("way", PROPERTIES)
def test_a_property_has_a_title_a_description_and_valid_examples(way: str) -> None:
    rule = PROPERTIES[way]
    assert rule["title"]
    assert len(rule["description"]) > 5
    assert rule["examples"]
    definitions = read_schema(way.partition(":")[0]).get("definitions", {})
    target = definitions[rule["$ref"].rpartition("/")[2]] if "$ref" in rule else rule
    validator = Draft7Validator({**target, "definitions": definitions})
    for example in rule["examples"]:
        assert [error.message for error in validator.iter_errors(example)] == []


@pytest.mark.parametrize("name", WRITTEN)
def test_a_schema_stays_flat(name: str) -> None:
    # Both cost a quarter of the time, and report a second, false error beside the true one.
    text = (SCHEMA_FOLDER / f"{name}.json").read_text(encoding="utf-8")
    assert '"allOf"' not in text
    assert '"unevaluatedProperties"' not in text


@pytest.mark.parametrize("name", WRITTEN)
def test_pv_schema_prints_the_shipped_file(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert main(["schema", name.partition("-")[0]]) == 0
    shipped = (SCHEMA_FOLDER / f"{name}.json").read_text(encoding="utf-8")
    assert capsys.readouterr().out == shipped
