"""What a validation found, as JSON: every problem with its code's title and remedy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pv_harness.contracts.rule_codes import RULE_CODES


if TYPE_CHECKING:
    from pv_harness.documents.problem import Problem
    from pv_harness.validating.foreign.judging import ForeignCounts
    from pv_harness.validating.report import Report

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
    claims = report.claims
    return {
        "files": report.files,
        "native": report.native,
        "foreign": report.foreign,
        "unreadable": report.unreadable,
        "falsifiers": len(claims),
        "counted": sum(claim.counted for claim in claims),
        "unread_falsifiers": report.unread,
        "bound": report.bound,
        "checks": report.bound_checks,
        "with_evidence": with_evidence,
        "defects": sum(claim.defects for claim in claims),
        "controls": sum(claim.controls for claim in claims),
        **_foreign_counts(report.foreign_counts),
        "errors": report.errors,
        "warnings": report.warnings,
    }


def _foreign_counts(counts: ForeignCounts) -> dict[str, int]:
    if not counts.files:
        return {}
    tests = {kind.replace(" ", "_").replace("-", "_"): n for kind, n in counts.tests.items()}
    return {
        "foreign_judged": counts.judged,
        "foreign_falsifiers": sum(counts.falsifiers.values()),
        "foreign_inert": counts.inert,
        "foreign_invariants": counts.invariants,
        "foreign_invariants_without_falsifier": counts.unnamed,
        "foreign_references": counts.references,
        "foreign_dangling_references": counts.dangling,
        "foreign_typed_statuses": counts.statuses,
        "foreign_typed_statuses_without_evidence": counts.unsupported,
        **{f"foreign_tests_{kind}": number for kind, number in tests.items()},
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
