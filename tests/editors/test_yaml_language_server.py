"""The contract schema in an editor: completion, hover and diagnostics of the YAML server.

The server is a program of the npm registry: `npm install yaml-language-server`. Its path is in
PV_YAML_LANGUAGE_SERVER; without it these tests are skipped.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.editors.yaml_server import YamlServer

from pv_harness.documents.schema_check import SCHEMA_FOLDER, read_schema


if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("PV_YAML_LANGUAGE_SERVER", "")
pytestmark = pytest.mark.skipif(
    not PROGRAM, reason="PV_YAML_LANGUAGE_SERVER does not name a yaml-language-server"
)
CONTRACTS = sorted((ROOT / "contracts").glob("*.yaml"))
SCHEMA = (SCHEMA_FOLDER / "contract-v1.json").as_uri()
FALSIFIER = read_schema()["definitions"]["falsifier"]

DRAFT = """\
apiVersion: pv/v1
id: sums-v1
version: 1.0.0
metadata:
  title: sums
falsifiers:
- id: SUM-001
  rule: sums are right
  covers: [subject.core]
  levels:
    PARTIAL: {}
"""
LINES = DRAFT.split("\n")
UNFINISHED = DRAFT + " " * 4 + "\n" + " " * 2 + "\n"
"""A person is about to write one more level, or one more key of the falsifier."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[YamlServer]:
    folder = tmp_path_factory.mktemp("editor")
    with YamlServer(PROGRAM, folder, {SCHEMA: "contracts/*.yaml"}) as running:
        yield running


@pytest.fixture(scope="module")
def draft(server: YamlServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.getbasetemp() / "contracts" / "sums-v1.yaml"
    server.diagnose(path, UNFINISHED)
    return path


def column_of(line: int, text: str) -> int:
    return LINES[line].index(text)


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda path: path.stem)
def test_our_contracts_have_no_diagnostics(server: YamlServer, contract: Path) -> None:
    # Their first line names the schema, relative to the file.
    assert server.diagnose(contract, contract.read_text(encoding="utf-8")) == []


def test_a_wrong_key_a_wrong_type_and_a_missing_key_are_told(server: YamlServer) -> None:
    path = ROOT / "contracts" / "unsaved-v1.yaml"
    text = CONTRACTS[0].read_text(encoding="utf-8")
    text = text.replace("  prediction:", "  predicton:", 1).replace(
        "version: ", "version: !", 1
    )
    text = text.replace("version: !", "version: 1 #", 1)
    found = {item["message"] for item in server.diagnose(path, text)}
    assert any("Property predicton is not allowed" in message for message in found)
    assert any('Missing property "prediction"' in message for message in found)
    assert any("Incorrect type" in message for message in found)


def test_completion_lists_the_keys_of_a_falsifier(server: YamlServer, draft: Path) -> None:
    proposed = server.complete(draft, 12, 2)
    given = {"id", "rule", "covers", "levels"}
    assert set(proposed) >= set(FALSIFIER["properties"]) - given
    assert not set(proposed) & given
    for name in ("prediction", "if_fails", "bounds", "defects"):
        assert FALSIFIER["properties"][name]["description"] in json.dumps(proposed[name])


def test_completion_lists_the_levels_that_are_left(server: YamlServer, draft: Path) -> None:
    proposed = server.complete(draft, 11, 4)
    assert set(proposed) == {"INTEGRATION", "DISCHARGED"}


@pytest.mark.parametrize(
    ("line", "text", "description"),
    [
        (0, "apiVersion", read_schema()["properties"]["apiVersion"]["description"]),
        (4, "title", "One line for lists and reports."),
        (6, "id", FALSIFIER["properties"]["id"]["description"]),
        (8, "covers", FALSIFIER["properties"]["covers"]["description"]),
        (9, "levels", FALSIFIER["properties"]["levels"]["description"]),
        # A description beside a $ref is not lost.
        (
            10,
            "PARTIAL",
            FALSIFIER["properties"]["levels"]["properties"]["PARTIAL"]["description"],
        ),
    ],
)
def test_hover_shows_title_description_and_examples(
    server: YamlServer, draft: Path, line: int, text: str, description: str
) -> None:
    shown = server.hover(draft, line, column_of(line, text) + 1)
    plain = shown.replace("\\", "").replace("&nbsp;", " ")
    assert description in plain, shown
    assert "Example" in plain
