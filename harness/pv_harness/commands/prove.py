"""`pv prove [ID...]`: plant each declared defect, and see whether a check notices.

`--verify-anchors` looks whether each could be planted, and plants none. `--suggest` tries
defects that nobody declared, and prints those that no check notices.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pv_harness.commands.run import add_work_arguments, run as run_and_show


if TYPE_CHECKING:
    import argparse

    from pv_harness.exit_code import ExitCode
    from pv_harness.proving.extreme import Function
    from pv_harness.proving.stubs import Place
    from pv_harness.proving.suggestions import SuggestReport
    from pv_harness.workflow.declared import Declared

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
        metavar="N",
        help=f"functions that --suggest tries (default: {_LIMIT})",
    )


def run(args: argparse.Namespace) -> ExitCode:
    """The same as `pv run --prove`, unless another question is asked.

    Raises:
        UsageError: an option belongs to another question than the one that is asked.
    """
    if args.verify_anchors:
        choosing = ("level", "stale", "failed", "changed")
        _refuse(args, "--verify-anchors", (*choosing, "again", "sign", "limit"))
        return _verify_anchors(args)
    if args.suggest:
        _refuse(args, "--suggest", ("again", "sign"))
        return _suggest(args)
    _refuse(args, "pv prove without --suggest", ("limit",))
    args.prove = True
    return run_and_show(args)


def _refuse(args: argparse.Namespace, question: str, options: tuple[str, ...]) -> None:
    """Say that an option has no meaning here: it would be left out without a word."""
    from pv_harness.errors import UsageError

    given = [f"--{name}" for name in options if getattr(args, name)]
    if given:
        raise UsageError(f"{question} takes no {given[0]}; leave it out")


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
    from pv_harness.commands.progress import Reporter
    from pv_harness.commands.run import require_pytest, select
    from pv_harness.exit_code import ExitCode
    from pv_harness.proving.stubs import render_suggestions
    from pv_harness.workflow.prove import suggest

    declared, selected = select(args)
    require_pytest(args.jobs)
    with Reporter() as reporter:

        def on_function(function: Function, noticed: bool) -> None:  # noqa: FBT001 - a callback
            word = "noticed" if noticed else "not noticed"
            reporter.result(str(function), word, green=noticed)

        report = suggest(
            declared,
            selected,
            jobs=args.jobs,
            limit=args.limit or _LIMIT,
            progress=reporter.progress(),
            on_function=on_function,
        )
    print(render_suggestions(report, _places(declared, report)))
    return ExitCode.SATISFIED if report.tried else ExitCode.CANNOT_JUDGE


def _places(declared: Declared, report: SuggestReport) -> dict[str, Place]:
    """Falsifier ID -> where in its contract a defect is pasted, of those that need one."""
    import contextlib

    from pv_harness.documents.loading import MAX_SIZE_BYTES
    from pv_harness.proving.stubs import find_places
    from pv_harness.regular_file import read_regular

    wanted = {s.falsifiers[0].id for s in report.suggestions}
    places: dict[str, Place] = {}
    for contract in declared.contracts:
        if wanted & {falsifier.id for falsifier in contract.falsifiers}:
            path = declared.project.root / contract.path
            with contextlib.suppress(OSError):  # gone since it was judged
                places |= find_places(read_regular(path, MAX_SIZE_BYTES), str(contract.path))
    return places
