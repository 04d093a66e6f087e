"""`pv validate PATH...`: every problem of contracts, and what they declare."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.commands.asking import find_project


if TYPE_CHECKING:
    import argparse

    from pv_harness.exit_code import ExitCode


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """The options of `pv validate`."""
    verb.add_argument("paths", nargs="+", metavar="PATH", help="files, folders or patterns")


def run(args: argparse.Namespace) -> ExitCode:
    """Print problems sorted by place, then the denominators."""
    from pv_harness.contracts.validation import render_report, validate
    from pv_harness.evidence.store import read_statements

    project = find_project(args)
    report = validate(args.paths, project)
    recorded = {r.falsifier_id for s in read_statements(project.evidence) for r in s.runs}
    print(render_report(report, sum(f.id in recorded for f in report.falsifiers)))
    return report.exit_code
