"""Our schemas in an editor: completion, hover and diagnostics of the YAML server.

The server is a program of the npm registry: `npm install yaml-language-server`. Its path is in
PV_YAML_LANGUAGE_SERVER; without it these tests are skipped.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
SCHEMAS = {
    (SCHEMA_FOLDER / f"{name}.json").as_uri(): pattern
    for name, pattern in {
        "contract-v1": "contracts/*.yaml",
        "policy-v1": "pv-policy.yaml",
        "release-v1": "releases/*.yaml",
    }.items()
}
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
    with YamlServer(PROGRAM, folder, SCHEMAS) as running:
        yield running


@pytest.fixture(scope="module")
def draft(server: YamlServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.getbasetemp() / "contracts" / "sums-v1.yaml"
    server.diagnose(path, UNFINISHED)
    return path


def column_of(line: int, text: str) -> int:
    return LINES[line].index(text)


@pytest.mark.parametrize(
    "contract", [*CONTRACTS, ROOT / "pv-policy.yaml"], ids=lambda path: path.stem
)
def test_our_files_have_no_diagnostics(server: YamlServer, contract: Path) -> None:
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


POLICY = """\
apiVersion: pv/v1
kind: policy
policies:
  merge:
    require:
    - pattern: "*"
      level: ceiling
    stale: deny
    blocked: \n    \nwaivers:
- id: WAIVE-001
  owner: the keeper of sums
  \n  expires: 2027-01-01
"""
RELEASE = """\
apiVersion: pv/v1
kind: release
requires:
- falsifier: sums-v1
  level: \nsteps:
- id: train
  title: sums are known
  \n  needs: []
"""
"""Each with lines on which a person is about to write one more key, or a value."""


@pytest.fixture(scope="module")
def drafts(server: YamlServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Schema -> file that is being written."""
    folder = tmp_path_factory.getbasetemp()
    places = {
        "policy-v1": folder / "pv-policy.yaml",
        "release-v1": folder / "releases" / "sums.yaml",
    }
    for text, place in zip((POLICY, RELEASE), places.values(), strict=True):
        server.diagnose(place, text)
    return places


POLICY_PARTS = read_schema("policy-v1")["definitions"]
RELEASE_PARTS = read_schema("release-v1")["properties"]
STEP = RELEASE_PARTS["steps"]["items"]


@pytest.mark.parametrize(
    ("name", "place", "part", "given"),
    [
        ("policy-v1", (9, 4), POLICY_PARTS["policy"], {"require", "stale", "blocked"}),
        ("policy-v1", (13, 2), POLICY_PARTS["waiver"], {"id", "owner", "expires"}),
        ("release-v1", (8, 2), STEP, {"id", "title", "needs"}),
    ],
)
def test_completion_lists_the_keys_that_are_left(
    server: YamlServer,
    drafts: dict[str, Path],
    name: str,
    place: tuple[int, int],
    part: dict[str, Any],
    given: set[str],
) -> None:
    proposed = server.complete(drafts[name], *place)
    left = {key: rule for key, rule in part["properties"].items() if key not in given}
    assert set(proposed) >= set(left)
    assert not set(proposed) & given
    for key, rule in left.items():
        assert rule["description"] in json.dumps(proposed[key], ensure_ascii=False)


@pytest.mark.parametrize(
    ("name", "line", "column", "values"),
    [
        ("policy-v1", 8, 13, {"deny", "leave-out"}),
        ("release-v1", 4, 9, {"PARTIAL", "INTEGRATION", "DISCHARGED", "ceiling"}),
    ],
)
def test_completion_lists_the_words_that_a_key_takes(
    server: YamlServer,
    drafts: dict[str, Path],
    name: str,
    line: int,
    column: int,
    values: set[str],
) -> None:
    assert set(server.complete(drafts[name], line, column)) == values


@pytest.mark.parametrize(
    ("name", "line", "text", "rule"),
    [
        ("policy-v1", 2, "policies", read_schema("policy-v1")["properties"]["policies"]),
        ("policy-v1", 4, "require", POLICY_PARTS["policy"]["properties"]["require"]),
        ("policy-v1", 6, "level", POLICY_PARTS["requirement"]["properties"]["level"]),
        ("policy-v1", 7, "stale", POLICY_PARTS["policy"]["properties"]["stale"]),
        ("policy-v1", 12, "owner", POLICY_PARTS["waiver"]["properties"]["owner"]),
        # A description beside a $ref is not lost.
        ("policy-v1", 14, "expires", POLICY_PARTS["waiver"]["properties"]["expires"]),
        ("release-v1", 1, "kind", RELEASE_PARTS["kind"]),
        ("release-v1", 2, "requires", RELEASE_PARTS["requires"]),
        ("release-v1", 9, "needs", STEP["properties"]["needs"]),
    ],
)
def test_hover_explains_a_key_of_a_policy_or_a_release(
    server: YamlServer,
    drafts: dict[str, Path],
    name: str,
    line: int,
    text: str,
    rule: dict[str, str],
) -> None:
    written = {"policy-v1": POLICY, "release-v1": RELEASE}[name].split("\n")
    shown = server.hover(drafts[name], line, written[line].index(text) + 1)
    plain = shown.replace("\\", "").replace("&nbsp;", " ")
    assert rule["title"] in plain
    assert rule["description"] in plain, shown
    assert "Example" in plain


def test_a_wrong_word_in_a_policy_and_in_a_release_is_told(
    server: YamlServer, drafts: dict[str, Path]
) -> None:
    for name, text in (("policy-v1", POLICY), ("release-v1", RELEASE)):
        wrong = drafts[name].with_name(f"wrong-{drafts[name].name}")
        first = f"# yaml-language-server: $schema={(SCHEMA_FOLDER / name).as_uri()}.json\n"
        found = server.diagnose(wrong, first + text.replace("kind: ", "kidn: "))
        messages = [item["message"] for item in found]
        assert any("Property kidn is not allowed" in message for message in messages)
        assert any('Missing property "kind"' in message for message in messages)
