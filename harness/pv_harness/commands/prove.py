"""`pv prove [ID...]`: plant each declared defect, and see whether a check notices.

`--verify-anchors` looks whether each could be planted, and plants none. `--suggest` tries
defects that nobody declared, and prints those that no check notices.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from pv_harness.commands.run import add_work_arguments, run as run_and_show


if TYPE_CHECKING:
    import argparse

    from pv_harness.exit_code import ExitCode
    from pv_harness.proving.extreme import Function

_LIMIT = 50


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """The options of `pv prove`."""
    from pv_harness.commands.asking import positive

    add_work_arguments(verb)
    # Processes share what is slow to import, so that every processor can be used.
    verb.set_defaults(jobs=len(os.sched_getaffinity(0)))
    instead = verb.add_mutually_exclusive_group()
    instead.add_argument(
        "--verify-anchors",
        action="store_true",
        help="plant nothing: only look whether each declared change could be planted",
    )
    instead.add_argument(
        "--suggest",
        action="store_true",
        help="empty covered functions in turn, and print those that no check notices",
    )
    verb.add_argument(
        "--limit",
        type=positive,
        default=_LIMIT,
        metavar="N",
        help=f"functions that --suggest tries (default: {_LIMIT})",
    )


def run(args: argparse.Namespace) -> ExitCode:
    """The same as `pv run --prove`, unless another question is asked."""
    if args.verify_anchors:
        return _verify_anchors(args)
    if args.suggest:
        return _suggest(args)
    args.prove = True
    return run_and_show(args)


def _verify_anchors(args: argparse.Namespace) -> ExitCode:
    from pv_harness.commands.asking import find_project
    from pv_harness.exit_code import ExitCode
    from pv_harness.proving.anchors import render_anchors, verify_anchors

    report = verify_anchors(find_project(args), args.names)
    print(render_anchors(report))
    if not report.defects + report.controls:
        print("nothing is declared, so nothing was looked at")
        return ExitCode.CANNOT_JUDGE
    return ExitCode.CANNOT_JUDGE if report.problems else ExitCode.SATISFIED


def _suggest(args: argparse.Namespace) -> ExitCode:
    from pv_harness.commands.asking import read_selected
    from pv_harness.commands.progress import Reporter
    from pv_harness.exit_code import ExitCode
    from pv_harness.proving.suggestions import render_suggestions
    from pv_harness.workflow.prove import suggest

    declared, selected = read_selected(args)
    progress = Reporter().progress()

    def on_function(function: Function, noticed: bool) -> None:  # noqa: FBT001 - a callback
        word = "noticed" if noticed else "not noticed"
        print(f"{function}: {word}", file=sys.stderr, flush=True)

    report = suggest(
        declared,
        selected,
        jobs=args.jobs,
        limit=args.limit,
        progress=progress,
        on_function=on_function,
    )
    print(render_suggestions(report))
    return ExitCode.SATISFIED if report.tried else ExitCode.CANNOT_JUDGE
