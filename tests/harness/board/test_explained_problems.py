from __future__ import annotations

from hypothesis import given, strategies as st
from tests.harness.board.conftest import hostile_text

from pv_harness.board.explained_problems import render_explained
from pv_harness.documents.problem import Problem, Severity


FILE = {"a.yaml": ["apiVersion: pv/v1", "version: 1.0"]}


def explained(problem: Problem, width: int = 100) -> list[str]:
    return render_explained([problem], lambda p: FILE.get(p, []), width=width).split("\n")


def test_a_problem_has_its_line_its_cause_and_the_remedy() -> None:
    assert explained(Problem("a.yaml", 2, 10, "PV010", "version is 1.0")) == [
        "a.yaml:2:10: PV010 version is 1.0",
        "  |",
        "2 | version: 1.0",
        "  |          ^^^",
        "  = cause: Another type, an unknown word, an empty text or a name of another form.",
        "  = remedy: Write what the message asks for.",
        "",
        "",
    ]


def test_the_margin_is_as_wide_as_the_number_of_the_line() -> None:
    FILE["long.yaml"] = [""] * 99 + ["a: b"]
    lines = explained(Problem("long.yaml", 100, 4, "PV010", "m"))
    assert lines[1:4] == ["    |", "100 | a: b", "    |    ^"]


def test_without_the_file_the_rule_is_explained_all_the_same() -> None:
    lines = explained(Problem("gone.yaml", 3, 1, "PV052", "m"))
    assert lines[0] == "gone.yaml:3:1: PV052 m"
    assert lines[1].startswith("  = cause: ")


def test_a_line_that_the_file_no_longer_has_is_left_out() -> None:
    assert explained(Problem("a.yaml", 3, 1, "PV052", "m"))[1].startswith("  = cause: ")


def test_a_code_of_another_version_has_no_cause() -> None:
    assert explained(Problem("b.yaml", 1, 1, "PV999", "m")) == ["b.yaml:1:1: PV999 m", "", ""]


def test_nothing_is_rendered_without_problems() -> None:
    assert render_explained([], lambda _: [], width=80) == ""


def test_colours_tell_errors_from_warnings() -> None:
    for severity, sgr in ((Severity.ERROR, "1;31"), (Severity.WARNING, "33")):
        problem = Problem("a.yaml", 2, 1, "PV010", "m", severity)
        text = render_explained([problem], lambda p: FILE.get(p, []), width=80, color=True)
        assert text.startswith(f"\x1b[{sgr}ma.yaml:2:1: PV010 ")
        assert f"\x1b[{sgr}m^^^^^^^\x1b[0m" in text


@given(hostile_text, st.integers(1, 50), st.integers(20, 200))
def test_no_line_of_a_file_reaches_a_terminal_raw(line: str, column: int, width: int) -> None:
    problem = Problem("x", 1, column, "PV010", "m")
    text = render_explained([problem], lambda _: [line], width=width)
    assert all(part.isprintable() for part in text.split("\n"))
