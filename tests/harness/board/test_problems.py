from __future__ import annotations

import json

from hypothesis import given
from tests.harness.board.conftest import hostile_text, make_falsifier

from pv_harness.board.problems import render_json_problems
from pv_harness.contracts.rule_codes import RULE_CODES
from pv_harness.documents.problem import Problem, Severity
from pv_harness.validating.report import Report


def report(*problems: Problem) -> Report:
    return Report(
        problems=problems,
        contracts=(),
        falsifiers=(make_falsifier("F-1"), make_falsifier("F-2", counted=False)),
        unread=1,
        native=2,
        foreign=1,
        unreadable=1,
        checks=(),
    )


def test_a_problem_comes_with_its_place_its_rule_and_the_remedy() -> None:
    problem = Problem("contracts/a.yaml", 4, 7, "PV052", "not there", Severity.WARNING)
    read = json.loads(render_json_problems(report(problem), 1))
    assert read["format"] == "pv-problems/1"
    assert read["problems"] == [
        {
            "path": "contracts/a.yaml",
            "line": 4,
            "column": 7,
            "code": "PV052",
            "severity": "warning",
            "message": "not there",
            "title": RULE_CODES["PV052"].title,
            "remedy": RULE_CODES["PV052"].remedy,
        }
    ]


def test_the_denominators_are_those_of_the_text_form() -> None:
    error = Problem("a", 1, 1, "PV010", "m")
    read = json.loads(render_json_problems(report(error), 1))
    assert read["counts"] == {
        "files": 4,
        "native": 2,
        "foreign": 1,
        "unreadable": 1,
        "falsifiers": 2,
        "counted": 1,
        "unread_falsifiers": 1,
        "bound": 0,
        "checks": 0,
        "with_evidence": 1,
        "defects": 4,
        "controls": 2,
        "errors": 1,
        "warnings": 0,
    }


@given(path=hostile_text, message=hostile_text)
def test_any_text_survives(path: str, message: str) -> None:
    text = render_json_problems(report(Problem(path, 1, 1, "PV999", message)), 0)
    assert text.isascii()
    (read,) = json.loads(text)["problems"]
    assert (read["path"], read["message"], read["title"]) == (path, message, "")
