from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from hypothesis import given, strategies as st
from tests.harness.board.conftest import hostile_text
from tests.harness.board.test_problems import report

from pv_harness.board.junit_problems import render_junit_problems
from pv_harness.documents.problem import Problem, Severity
from pv_harness.exit_code import ExitCode


if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from pv_harness.validating.report import Report


def suite_of(found: Report, counts: str = "2 files") -> Element:
    text = render_junit_problems(found, counts)
    assert text.isascii()
    root = ET.fromstring(text)
    (suite,) = root
    assert suite.get("tests") == root.get("tests") == str(len(suite.findall("testcase")))
    return suite


def test_each_file_is_a_case_and_a_file_with_errors_a_failure() -> None:
    first = Problem("contracts/b.yaml", 4, 7, "PV052", "not there")
    second = Problem("contracts/b.yaml", 9, 1, "PV053", "changes nothing")
    mild = Problem("contracts/c.yaml", 1, 1, "PV032", "UNBOUND", Severity.WARNING)
    found = replace(
        report(first, second, mild),
        paths=("contracts/a.yaml", "contracts/b.yaml", "contracts/c.yaml"),
    )
    suite = suite_of(found)
    sound, broken, warned = suite.findall("testcase")
    assert (sound.get("name"), len(sound)) == ("contracts/a.yaml", 0)
    assert (broken.get("file"), broken.get("line")) == ("contracts/b.yaml", "4")
    failure = broken.find("failure")
    assert failure is not None
    assert failure.get("type") == "PV052"
    assert failure.get("message") == "not there (and 1 more error)"
    assert failure.text == f"{first}\n{second}"
    assert warned.find("failure") is None
    assert warned.findtext("system-out") == str(mild)
    assert (suite.get("failures"), suite.get("errors")) == ("1", "0")
    assert suite.findtext("system-out") == "2 files"


def test_a_problem_of_a_file_of_checks_is_a_case_too() -> None:
    found = replace(report(Problem("checks/t.py", 3, 1, "PV031", "m")), paths=("a.yaml",))
    names = [case.get("name") for case in suite_of(found).findall("testcase")]
    assert names == ["a.yaml", "checks/t.py"]


def test_nothing_judged_is_an_error() -> None:
    found = replace(report(), native=0, falsifiers=())
    assert found.exit_code is ExitCode.CANNOT_JUDGE
    suite = suite_of(found)
    assert suite.get("errors") == "1"
    assert suite.find("testcase/error") is not None


ERRORS = st.builds(
    Problem,
    hostile_text,
    st.just(1),
    st.just(1),
    st.just("PV010"),
    hostile_text,
    st.just(Severity.ERROR),
)


@given(ERRORS)
def test_any_text_is_valid_xml_and_the_colour_is_that_of_the_exit_code(
    problem: Problem,
) -> None:
    suite = suite_of(report(problem), problem.message)
    assert suite.get("failures") == "1"
