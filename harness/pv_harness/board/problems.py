"""What a validation found, as JSON: every problem with its code's title and remedy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pv_harness.contracts.rule_codes import RULE_CODES


if TYPE_CHECKING:
    from pv_harness.contracts.validation import Report
    from pv_harness.documents.problem import Problem

FORMAT = "pv-problems/1"


def render_json_problems(report: Report, with_evidence: int) -> str:
    """The problems, sorted by place, and the denominators that the text form ends with."""
    document = {
        "format": FORMAT,
        "counts": _counts(report, with_evidence),
        "problems": [_problem(problem) for problem in report.problems],
    }
    return json.dumps(document, indent=1) + "\n"


def _counts(report: Report, with_evidence: int) -> dict[str, int]:
    falsifiers = report.falsifiers
    return {
        "files": report.files,
        "native": report.native,
        "foreign": report.foreign,
        "unreadable": report.unreadable,
        "falsifiers": len(falsifiers),
        "counted": sum(falsifier.counted for falsifier in falsifiers),
        "unread_falsifiers": report.unread,
        "bound": report.bound,
        "checks": report.bound_checks,
        "with_evidence": with_evidence,
        "defects": sum(len(falsifier.defects) for falsifier in falsifiers),
        "controls": sum(len(falsifier.controls) for falsifier in falsifiers),
        "errors": report.errors,
        "warnings": report.warnings,
    }


def _problem(problem: Problem) -> dict[str, Any]:
    known = RULE_CODES.get(problem.code)
    return {
        "path": problem.path,
        "line": problem.line,
        "column": problem.column,
        "code": problem.code,
        "severity": problem.severity.value,
        "message": problem.message,
        "title": known.title if known else "",
        "remedy": known.remedy if known else "",
    }
