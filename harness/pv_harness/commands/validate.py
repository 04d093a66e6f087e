"""`pv validate PATH...`: every problem of contracts, and what they declare."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pv_harness.commands.asking import find_project


if TYPE_CHECKING:
    import argparse

    from pv_harness.contracts.validation import Report
    from pv_harness.exit_code import ExitCode


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """The options of `pv validate`."""
    verb.add_argument("paths", nargs="+", metavar="PATH", help="files, folders or patterns")
    verb.add_argument("--format", choices=("text", "json", "sarif", "github"), default="text")


def run(args: argparse.Namespace) -> ExitCode:
    """Print problems sorted by place, then the denominators, as `--format` says."""
    from pv_harness.contracts.validation import validate
    from pv_harness.evidence.store import read_statements

    project = find_project(args)
    report = validate(args.paths, project, datetime.now(UTC).date())
    recorded = {r.falsifier_id for s in read_statements(project.evidence) for r in s.runs}
    with_evidence = sum(f.id in recorded for f in report.falsifiers)
    print(_render(args.format, report, with_evidence))
    return report.exit_code


def _render(name: str, report: Report, with_evidence: int) -> str:
    from pv_harness.contracts.validation import render_report

    match name:
        case "json":
            from pv_harness.board.problems import render_json_problems

            return render_json_problems(report, with_evidence).rstrip("\n")
        case "sarif":
            from pv_harness.board.sarif import render_sarif_problems

            return render_sarif_problems(report.problems).rstrip("\n")
        case "github":
            from pv_harness.board.github import render_github_problems

            denominators = render_report(report, with_evidence).rpartition("\n")[2]
            return render_github_problems(report.problems) + denominators
        case _:
            return render_report(report, with_evidence)
