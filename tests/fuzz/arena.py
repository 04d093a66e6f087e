"""A small project that judges any bytes as a contract, and what must hold of the answer.

Nothing here needs a test runner, so that a fuzzer of another kind can drive it.
"""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from pv_harness.board.explained_problems import render_explained
from pv_harness.board.github import render_github_problems
from pv_harness.board.junit_problems import render_junit_problems
from pv_harness.board.problems import render_json_problems
from pv_harness.board.sarif import render_sarif_problems
from pv_harness.contracts.rule_codes import RULE_CODES
from pv_harness.documents.problem import MAX_PROBLEMS
from pv_harness.exit_code import ExitCode
from pv_harness.project import load_project
from pv_harness.validating.report import render_counts
from pv_harness.validating.validation import validate
from pv_harness.workflow.source_lines import SourceLines


if TYPE_CHECKING:
    from collections.abc import Sequence

    from pv_harness.documents.problem import Problem
    from pv_harness.validating.report import Report

TESTS = Path(__file__).parents[1]
FIXTURES = TESTS / "harness" / "validating"
TODAY = date(2027, 1, 1)
MAX_SIZE = 64 << 10
"""Larger files are slower and no stranger; the limits have tests of their own."""


def seeds() -> list[bytes]:
    """Files to begin with: those of the rules, and what an earlier run found."""
    folders = (FIXTURES / "bad", FIXTURES / "good", TESTS / "fuzz" / "findings")
    files = [file for folder in folders for file in sorted(folder.glob("*.yaml"))]
    return [file.read_bytes() for file in files]


class Arena:
    """The project; each file is judged in place of the one before."""

    def __init__(self, folder: Path) -> None:
        shutil.copytree(FIXTURES / "project", folder, dirs_exist_ok=True)
        self._project = load_project(folder)
        self._file = folder / "contracts" / "case.yaml"

    def judge(self, data: bytes) -> Report:
        """The report on a file with these bytes, after holding it against what must hold."""
        self._file.write_bytes(data[:MAX_SIZE])
        report = self._validate()
        assert self._validate() == report, "judged twice, and not the same"
        for problem in report.problems:
            self._check_problem(problem)
        self._check_report(report)
        self._check_renderings(report)
        return report

    def _validate(self) -> Report:
        return validate([str(self._file)], self._project, TODAY)

    def _check_problem(self, problem: Problem) -> None:
        assert problem.code in RULE_CODES
        assert str(problem).isprintable()
        assert len(problem.message) < 2_000
        assert problem.line >= 1
        assert problem.column >= 1

    def _check_report(self, report: Report) -> None:
        assert report.files == len(report.paths) == 1
        assert len(report.problems) <= MAX_PROBLEMS + 1 + 10  # those of the checks
        sound = report.exit_code is ExitCode.SATISFIED
        assert sound == (report.errors == 0 and report.judged > 0)
        if report.unreadable:
            assert report.errors
        if report.contracts:
            assert not [p for p in report.problems if p.path.endswith("case.yaml") and _red(p)]

    def _check_renderings(self, report: Report) -> None:
        counts = render_counts(report)
        assert all(line.isprintable() for line in counts.split("\n"))
        assert len(json.loads(render_json_problems(report, 0))["problems"]) == len(
            report.problems
        )
        (run,) = json.loads(render_sarif_problems(report.problems))["runs"]
        assert len(run["results"]) == len(report.problems)
        ET.fromstring(render_junit_problems(report, counts))
        assert _is_one_line_each(render_github_problems(report.problems), report.problems)
        lines = SourceLines(self._project, {})
        explained = render_explained(report.problems, lines, width=80)
        assert all(line.isprintable() for line in explained.split("\n"))


def _red(problem: Problem) -> bool:
    return problem.severity.value == "error"


def _is_one_line_each(text: str, problems: Sequence[Problem]) -> bool:
    return len(text.splitlines()) == len(problems)
