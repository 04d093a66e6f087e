"""`pv diff OLD [NEW]`: what rose, what fell, and which claims ask for less than they did."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pv_harness.commands.asking import color, find_project, width
from pv_harness.exit_code import ExitCode


if TYPE_CHECKING:
    import argparse

    from pv_harness.comparing.comparison import Comparison

_EPILOG = """\
A side is `.` (the tree as it is), a git revision, or a file that `pv scoreboard --format json`
wrote. Statuses of a revision are derived from the evidence that is there now.
"""


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """The options of `pv diff`."""
    verb.epilog = f"{_EPILOG}\n{verb.epilog or ''}"
    verb.add_argument("old", metavar="OLD", help="revision or file to compare with")
    verb.add_argument("new", metavar="NEW", nargs="?", default=".", help="default: the tree")
    verb.add_argument(
        "--format",
        choices=("text", "markdown", "json"),
        default="text",
        help="text for people (default), markdown for a page, json for programs",
    )
    verb.add_argument(
        "--fail-on",
        action="append",
        choices=("regression", "loosened", "version", "any"),
        default=[],
        help="exit 1 on: a status that fell; a claim that asks for less or is gone; "
        "a version that was not raised; any difference; may be given several times",
    )


def run(args: argparse.Namespace) -> ExitCode:
    """Print the comparison; denied if it holds what `--fail-on` names."""
    from pv_harness.workflow.compare import compare_references

    comparison = compare_references(args.old, args.new, find_project(args))
    _show(comparison, args)
    if not max(comparison.claims):
        print("pv: neither side has a falsifier: nothing was compared", file=sys.stderr)
        return ExitCode.CANNOT_JUDGE
    found = {name: _found(comparison, name) for name in dict.fromkeys(args.fail_on)}
    for name, number in found.items():
        if number:
            print(f"pv: --fail-on {name}: {number} found", file=sys.stderr)
    return ExitCode.DENIED if any(found.values()) else ExitCode.SATISFIED


def _show(comparison: Comparison, args: argparse.Namespace) -> None:
    old, new = (name if name not in {"", "."} else "this tree" for name in (args.old, args.new))
    match args.format:
        case "markdown":
            from pv_harness.board.comparison_markdown import render_markdown

            print(render_markdown(comparison, old=old, new=new), end="")
        case "json":
            from pv_harness.comparing.json_document import render_json

            print(render_json(comparison, old=old, new=new), end="")
        case _:
            from pv_harness.board.comparison_text import render_text

            painted = color(sys.stdout)
            print(render_text(comparison, old=old, new=new, width=width(), color=painted))


def _found(comparison: Comparison, name: str) -> int:
    """How much of what `--fail-on` names the comparison holds."""
    match name:
        case "regression":
            # A claim that was taken away can't be seen to fall.
            return len(comparison.regressions) + len(comparison.removed)
        case "loosened":
            return len(comparison.loosened) + len(comparison.removed)
        case "version":
            return len(comparison.versions_too_low)
        case _:
            return len(comparison.moves) + len(comparison.changes)
