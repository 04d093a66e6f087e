"""What a validation found, as JUnit XML: one case per file.

A file with an error is a failure, whatever else is in it; a warning is output, since it makes
no contract unfit to be judged. Where nothing was judged the suite has an error of its own, so
that a dashboard and the exit code never disagree.

Source: the elements and attributes that pytest's and Jenkins' junit-10.xsd agree on.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from pv_harness.board.junit import xml_text
from pv_harness.documents.problem import Severity
from pv_harness.exit_code import ExitCode
from pv_harness.wording import counted


if TYPE_CHECKING:
    from collections.abc import Sequence

    from pv_harness.documents.problem import Problem
    from pv_harness.validating.report import Report

_CLASS = "pv.validate"


def render_junit_problems(report: Report, counts: str) -> str:
    """The files and their problems as JUnit XML; `counts` ends what the suite says.

    Files that only problems name, those of checks say, are cases too.
    """
    by_file: defaultdict[str, list[Problem]] = defaultdict(list)
    for problem in report.problems:
        by_file[problem.path].append(problem)
    cases = [_case(path, by_file[path]) for path in sorted({*report.paths, *by_file})]
    if report.exit_code is not ExitCode.SATISFIED and not report.errors:
        case = Element("testcase", classname=_CLASS, name="nothing judged", time="0.000")
        SubElement(case, "error", type="NOTHING_JUDGED", message="nothing was judged")
        cases.append(case)
    facts = {
        "tests": str(len(cases)),
        "failures": str(sum(case.find("failure") is not None for case in cases)),
        "errors": str(sum(case.find("error") is not None for case in cases)),
        "skipped": "0",
    }
    root = Element("testsuites", {"name": "pv", **facts})
    suite = SubElement(root, "testsuite", {"name": "pv validate", "time": "0.000", **facts})
    suite.extend(cases)
    SubElement(suite, "system-out").text = xml_text(counts)
    indent(root)
    # ASCII, so that no terminal or shell can damage it on the way to a file.
    data: bytes = tostring(root, encoding="us-ascii", xml_declaration=True)
    return data.decode("ascii") + "\n"


def _case(path: str, problems: Sequence[Problem]) -> Element:
    case = Element(
        "testcase", classname=_CLASS, name=xml_text(path), file=xml_text(path), time="0.000"
    )
    errors = [p for p in problems if p.severity is Severity.ERROR]
    warnings = [p for p in problems if p.severity is not Severity.ERROR]
    if errors:
        first, more = errors[0], len(errors) - 1
        case.set("line", str(first.line))
        message = first.message + (f" (and {counted(more, 'more error')})" if more else "")
        failure = SubElement(case, "failure", type=first.code, message=xml_text(message))
        failure.text = xml_text("\n".join(map(str, errors)))
    if warnings:
        SubElement(case, "system-out").text = xml_text("\n".join(map(str, warnings)))
    return case
