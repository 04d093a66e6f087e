from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st
from tests.harness.board.conftest import boards, hostile_text, make_board

from pv_harness.board.github import Annotation, render_github, render_github_problems
from pv_harness.documents.problem import Problem, Severity


if TYPE_CHECKING:
    from pv_harness.board.scoreboard import Scoreboard


COMMAND = re.compile(r"::(error|warning|notice) (.*?)::(.*)")


def read(line: str) -> tuple[str, dict[str, str], str]:
    """A workflow command as GitHub's runner reads it: split first, unescaped then."""
    found = COMMAND.fullmatch(line)
    assert found is not None, line
    properties = dict(part.split("=", 1) for part in found[2].split(","))
    return found[1], {k: unescape(v) for k, v in properties.items()}, unescape(found[3])


def unescape(text: str) -> str:
    for code, char in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(code, char)
    return text


@given(path=hostile_text, title=hostile_text, text=hostile_text, line=st.integers(1, 9_999))
def test_any_text_stays_in_its_own_property(
    path: str, title: str, text: str, line: int
) -> None:
    shown = str(Annotation("error", title, text, path, line, 3))
    assert "\n" not in shown
    assert "\r" not in shown
    level, properties, _ = read(shown)
    assert level == "error"
    assert list(properties) == ["file", "line", "col", "title"]
    assert (properties["file"], properties["line"]) == (path, str(line))


@given(board=boards())
def test_no_row_can_write_a_command_of_its_own(board: Scoreboard) -> None:
    lines = render_github(board).split("\n")
    commands = [line for line in lines if line.lstrip().startswith("::")]
    assert len(commands) == sum(not row.status.at_ceiling for row in board.rows)
    for line in commands:
        read(line)
    assert not any("##[" in line for line in lines if line not in commands)


@pytest.mark.parametrize(
    ("kind", "level"),
    [
        ("FAILED", "error"),
        ("FLAKY", "error"),
        ("VACUOUS", "error"),
        ("ERROR", "error"),
        ("STALE", "warning"),
        ("NOT_RUN", "warning"),
        ("UNBOUND", "warning"),
        ("BELOW", "notice"),
        ("BLOCKED", "notice"),
        ("WAIVED", "notice"),
    ],
)
def test_a_row_is_annotated_at_its_contract(kind: str, level: str) -> None:
    first = render_github(make_board((kind,)), lines={"FALSIFY-TOY-001": 6}).split("\n")[0]
    shown, properties, text = read(first)
    assert shown == level
    assert properties["file"] == "contracts/toy-v1.yaml"
    assert properties["line"] == "6"
    assert properties["title"].startswith("FALSIFY-TOY-001: ")
    assert text.startswith("adding adds\n")


def test_the_most_urgent_comes_first_and_the_counts_last() -> None:
    lines = render_github(make_board(("GOOD", "STALE", "FAILED"))).splitlines()
    assert [line.split(" ")[0] for line in lines[:2]] == ["::error", "::warning"]
    assert lines[2] == "2 of 3 falsifiers judged · 1 of 3 at their ceiling"


def test_a_good_board_annotates_nothing() -> None:
    assert "::" not in render_github(make_board(("GOOD",)))


def test_problems_are_annotated_at_their_column() -> None:
    problems = [
        Problem("contracts/a.yaml", 4, 7, "PV010", "50% of: this, that"),
        Problem("contracts/b.yaml", 1, 1, "PV014", "foreign", Severity.WARNING),
    ]
    assert render_github_problems(problems).splitlines() == [
        "::error file=contracts/a.yaml,line=4,col=7,title=PV010::50%25 of: this, that",
        "::warning file=contracts/b.yaml,line=1,col=1,title=PV014::foreign",
    ]
    assert render_github_problems([]) == ""
