from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from tests.harness.board.conftest import KINDS, NOW_S, boards, make_board, make_row

from pv_harness.board.junit import render_junit
from pv_harness.board.scoreboard import Scoreboard
from pv_harness.exit_code import ExitCode


if TYPE_CHECKING:
    from collections.abc import Mapping
    from xml.etree.ElementTree import Element

# The elements that junit-10.xsd (Jenkins, pytest's own tests) knows: their attributes, those
# that must be there, and their children.
KNOWN: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": (
        {"name", "tests", "failures", "errors", "skipped", "time"},
        set(),
        {"testsuite"},
    ),
    "testsuite": (
        {"name", "tests", "failures", "errors", "skipped", "time", "timestamp"},
        {"name", "tests", "failures", "errors"},
        {"testcase"},
    ),
    "testcase": (
        {"classname", "name", "file", "line", "time"},
        {"name", "classname", "time"},
        {"properties", "failure", "error", "skipped"},
    ),
    "properties": (set(), set(), {"property"}),
    "property": ({"name", "value"}, {"name", "value"}, set()),
    "failure": ({"message", "type"}, {"message"}, set()),
    "error": ({"message", "type"}, {"message"}, set()),
    "skipped": ({"message"}, set(), set()),
}


def read(board: Scoreboard, lines: Mapping[str, int] | None = None) -> Element:
    text = render_junit(board, now_s=NOW_S, lines=lines)
    assert text.isascii()
    return ET.fromstring(text)


def check(element: Element) -> None:
    attributes, needed, children = KNOWN[element.tag]
    assert set(element.keys()) <= attributes
    assert needed <= set(element.keys())
    for child in element:
        assert child.tag in children
        check(child)


@given(board=boards())
def test_it_is_valid_for_any_text_and_keeps_it(board: Scoreboard) -> None:
    root = read(board)
    check(root)
    cases = [case for case in root.iter("testcase") if case.get("classname") != "pv"]
    assert len(cases) == len(board.rows)
    assert sorted(len(case.get("name", "")) for case in cases) == sorted(
        len(row.falsifier.id) for row in board.rows
    )


@given(board=boards())
def test_counts_are_those_of_the_cases(board: Scoreboard) -> None:
    for suite in (root := read(board), *root):
        for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.get(name, "")) == len(list(suite.iter(tag)))
        assert int(suite.get("tests", "")) == len(list(suite.iter("testcase")))


@pytest.mark.parametrize(
    ("kind", "tag"),
    [
        ("GOOD", None),
        ("BELOW", None),
        ("APART", None),
        ("FAILED", "failure"),
        ("FLAKY", "failure"),
        ("VACUOUS", "failure"),
        ("ERROR", "error"),
        ("STALE", "error"),
        ("UNBOUND", "error"),
        ("NOT_RUN", "error"),
        ("BLOCKED", "skipped"),
        ("WAIVED", "skipped"),
    ],
)
def test_what_a_status_is_to_a_reader_of_junit(kind: str, tag: str | None) -> None:
    case = next(read(make_board((kind,))).iter("testcase"))
    outcomes = [child for child in case if child.tag != "properties"]
    assert [child.tag for child in outcomes] == ([tag] if tag else [])
    if tag in {"failure", "error"}:
        assert outcomes[0].get("type") == kind


@pytest.mark.parametrize("others", [(), ("GOOD",), ("BLOCKED", "WAIVED")])
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_green_exactly_where_the_exit_code_is_zero(
    kind: str, others: tuple[str, ...]
) -> None:
    board = make_board((*others, kind))
    root = read(board)
    green = root.get("failures") == root.get("errors") == "0"
    assert green is (board.exit_code is ExitCode.SATISFIED)


def test_skipped_cases_alone_are_an_error() -> None:
    root = read(make_board(("BLOCKED",)))
    assert (root.get("tests"), root.get("errors"), root.get("skipped")) == ("2", "1", "1")
    (error,) = root.iter("error")
    assert error.get("message") == "no counted falsifier was judged"


def test_a_case_says_all_that_is_known() -> None:
    board = make_board(("FAILED",))
    case = next(read(board, {"FALSIFY-TOY-001": 12}).iter("testcase"))
    assert case.attrib == {
        "classname": "toy-v1",
        "name": "FALSIFY-TOY-001",
        "file": "contracts/toy-v1.yaml",
        "line": "12",
        "time": "1.250",
    }
    facts = {p.get("name"): p.get("value") for p in case.iter("property")}
    assert facts == {
        "status": "FAILED(loss)",
        "ceiling": "INTEGRATION",
        "counted": "true",
        "rule": "adding adds",
        "potency": "2/2",
        "fingerprint": board.rows[0].status.record.manifest.fingerprint,  # type: ignore[union-attr]
        "evidence": "ab" * 32,
        "lane": "cpu",
        "attempt": "1",
        "measurement:loss": "2.75",
        "judgement:loss": "loss 2.75 nats (≤ 2.5, margin -0.25)",
        "measurement:rows": "3",
        "judgement:rows": "rows 3 (= 3)",
    }
    failure = next(case.iter("failure"))
    assert failure.get("message") == "FAILED: loss is 2.75, but must be ≤ 2.5"
    assert "adding adds" in (failure.text or "")
    assert "to change that: pv explain FALSIFY-TOY-001" in (failure.text or "")


def test_a_level_is_a_property() -> None:
    case = next(read(make_board(("BELOW",))).iter("testcase"))
    facts = {p.get("name"): p.get("value") for p in case.iter("property")}
    assert (facts["level"], facts["ceiling"]) == ("PARTIAL", "INTEGRATION")


def test_what_xml_has_no_form_for_is_replaced() -> None:
    case = next(read(make_board(("FAILED",), text="a\x00b\ud800c\x1bd\ufffee")).iter("failure"))
    assert "a\ufffdb\ufffdc\ufffdd\ufffde" in (case.text or "")


def test_a_very_long_log_keeps_its_end() -> None:
    case = next(read(make_board(("FAILED",), text="x" * 300_000 + "END")).iter("failure"))
    assert len(case.text or "") == 100_000
    assert (case.text or "").endswith("END")


def test_an_empty_board_is_an_error() -> None:
    root = read(Scoreboard(()))
    assert (root.get("tests"), root.get("errors")) == ("1", "1")


def test_each_contract_is_a_suite() -> None:
    root = read(Scoreboard((make_row("GOOD", "A"), make_row("FAILED", "B"))))
    (suite,) = root
    assert suite.attrib == {
        "name": "toy-v1",
        "tests": "2",
        "failures": "1",
        "errors": "0",
        "skipped": "0",
        "time": "2.500",
        "timestamp": "2027-01-15T08:00:00",
    }
