from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft7Validator
from tests.harness.board.conftest import (
    KINDS,
    NOW_S,
    boards,
    make_board,
    make_falsifier,
    make_record,
    make_row,
)

import pv_harness
from pv_harness.board.json_document import render_json, scoreboard_document
from pv_harness.board.scoreboard import Scoreboard
from pv_harness.contracts.contract import Bound, Comparator, SeedRule, Seeds
from pv_harness.deriving.status import StatusKind
from pv_harness.evidence.measurements import spell
from pv_harness.judging.measurement import Measurement


SCHEMA = json.loads(
    (Path(pv_harness.__file__).parent / "schema" / "scoreboard-v2.json").read_text("utf-8")
)
VALIDATOR = Draft7Validator(SCHEMA)


def document(board: Scoreboard, **options: Any) -> dict[str, Any]:
    text = render_json(board, now_s=NOW_S, **options)
    read: dict[str, Any] = json.loads(text, parse_constant=pytest.fail)
    return read


def test_the_schema_is_one_that_editors_take() -> None:
    Draft7Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert SCHEMA["$id"].endswith("/scoreboard-v2.json")
    assert all(SCHEMA[key] for key in ("title", "description"))
    named = json.dumps(SCHEMA)
    assert all(f"#/definitions/{name}" in named for name in SCHEMA["definitions"])


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_row_is_valid(kind: str) -> None:
    VALIDATOR.validate(document(make_board((kind,))))


def test_every_kind_of_status_is_among_them(every_kind: Scoreboard) -> None:
    kinds = {row["kind"] for row in document(every_kind)["falsifiers"]}
    assert kinds == {kind.value for kind in StatusKind}
    assert kinds == set(SCHEMA["definitions"]["falsifier"]["properties"]["kind"]["enum"])


def test_an_empty_board_is_valid_and_says_nothing() -> None:
    read = document(Scoreboard(()))
    VALIDATOR.validate(read)
    assert read["counts"]["falsifiers"] == 0
    assert (read["contracts"], read["falsifiers"]) == ([], [])


@pytest.mark.parametrize("key", ["status", "measurements", "potency", "line", "seeds"])
def test_a_row_without_one_of_its_keys_is_not_valid(key: str) -> None:
    read = document(make_board(("GOOD",)))
    del read["falsifiers"][0][key]
    assert not VALIDATOR.is_valid(read)


def test_an_unknown_key_is_not_valid() -> None:
    read = document(make_board(("GOOD",)))
    read["falsifiers"][0]["verdict"] = "pass"
    assert not VALIDATOR.is_valid(read)


@given(board=boards())
def test_any_text_survives_the_way_through_json(board: Scoreboard) -> None:
    text = render_json(board, now_s=NOW_S)
    assert text.isascii()
    read = json.loads(text)
    VALIDATOR.validate(read)
    assert read == scoreboard_document(board, now_s=NOW_S)
    assert len(text.splitlines()) == 8 + sum(
        len(rows) + 1 for rows in (read["contracts"], read["falsifiers"]) if rows
    )
    assert [row["rule"] for row in read["falsifiers"]] == [
        row.falsifier.rule for row in board.rows
    ]


def test_counts_are_those_of_the_board(every_kind: Scoreboard) -> None:
    counts = document(every_kind)["counts"]
    assert counts["falsifiers"] == len(KINDS) - 1, "one is reported apart"
    assert counts["judged"] == 5
    assert counts["at_ceiling"] == 1
    assert sum(counts["by_status"].values()) == counts["falsifiers"]
    assert counts["defects"] == {"killed": 11, "planted": 18, "waiting": 2}


def test_a_row_says_what_was_measured_and_against_what() -> None:
    row = document(make_board(("FAILED",)), lines={"FALSIFY-TOY-001": 7})["falsifiers"][0]
    assert row["line"] == 7
    assert row["status"] == "FAILED(loss)"
    assert row["finished"] == "2027-01-15T07:58:20+00:00"
    loss = row["measurements"][0]
    assert loss == {
        "metric": "loss",
        "comparator": "le",
        "threshold": 2.5,
        "value": 2.75,
        "holds": False,
        "margin": -0.25,
        "unit": "nats",
        "samples": None,
        "seed": None,
        "node": "",
        "note": "",
    }


def test_a_stale_row_says_what_changed() -> None:
    row = document(make_board(("STALE",)))["falsifiers"][0]
    assert (row["kind"], row["level"]) == ("STALE", "INTEGRATION")
    assert row["changes"] == ["src/toy/math.py changed"]


def test_planted_changes_come_with_what_they_did() -> None:
    row = document(make_board(("VACUOUS",)))["falsifiers"][0]
    assert [(d["id"], d["outcome"]) for d in row["defects"]] == [
        ("minus", "KILLED"),
        ("late", "SURVIVED"),
    ]
    assert [(c["id"], c["outcome"]) for c in row["controls"]] == [("swapped", "GREEN")]
    assert row["potency"] == {
        "killed": 1,
        "planted": 2,
        "weak": ["late SURVIVED"],
        "missing": [],
        "lanes": {"cpu": 1},
    }


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_not_finite_is_spelled_as_evidence_spells_it(value: float) -> None:
    assert spell(value) == {"float": repr(value)}
    row = make_row("GOOD", "F")
    record = make_record(row.falsifier, measurements=(Measurement("loss", value),))
    status = replace(row.status, record=record)
    read = document(Scoreboard((replace(row, status=status),)))
    VALIDATOR.validate(read)
    assert read["falsifiers"][0]["measurements"][0]["value"] == {"float": repr(value)}


@pytest.mark.parametrize("value", [True, 3, 2.5, "text", 10**40])
def test_any_other_value_is_itself(value: object) -> None:
    assert spell(value) is value  # type: ignore[arg-type]


@pytest.mark.parametrize("finished_s", [float("nan"), 1e300, -1e300])
def test_a_moment_that_no_calendar_holds_is_null(finished_s: float) -> None:
    row = make_row("GOOD", "F")
    record = make_record(row.falsifier, finished_s=finished_s)
    read = document(Scoreboard((replace(row, status=replace(row.status, record=record)),)))
    VALIDATOR.validate(read)
    assert read["falsifiers"][0]["finished"] is None


def test_seeds_and_their_rule_are_told() -> None:
    seeds = Seeds((0, 1, 2), SeedRule.T_TEST, 0.95)
    bounds = (Bound("ok", Comparator.EQ, threshold=True),)
    falsifier = make_falsifier("F", seeds=seeds, bounds=bounds)
    read = document(Scoreboard((replace(make_row("UNBOUND", "F"), falsifier=falsifier),)))
    VALIDATOR.validate(read)
    row = read["falsifiers"][0]
    assert row["seeds"] == {"values": [0, 1, 2], "rule": "t-test", "confidence": 0.95}
    assert row["bounds"][0]["threshold"] is True
