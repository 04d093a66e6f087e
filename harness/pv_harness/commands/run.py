"""`pv run [ID...]`: measure, with --prove also plant, store the evidence, show the board."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pv_harness.commands.asking import (
    add_names,
    positive,
    print_board,
    read_selected,
    select_board,
)
from pv_harness.commands.progress import Reporter


if TYPE_CHECKING:
    import argparse

    from pv_harness.exit_code import ExitCode
    from pv_harness.workflow.declared import Declared
    from pv_harness.workflow.progress import Done


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """The options of `pv run`."""
    add_work_arguments(verb)
    verb.add_argument("--prove", action="store_true", help="then plant the declared defects")


def add_work_arguments(verb: argparse.ArgumentParser) -> None:
    """The options that `pv run` and `pv prove` share."""
    add_names(verb)
    verb.add_argument("--jobs", type=positive, default=1, metavar="N", help="processes")
    verb.add_argument("--again", action="store_true", help="also what has fresh evidence")


def run(args: argparse.Namespace) -> ExitCode:
    """Measure what is due, store it, and show the board of what was asked about."""
    from pv_harness.workflow.measure import measure
    from pv_harness.workflow.prove import prove

    declared, selected = read_selected(args)
    work = prove if args.prove else measure
    done = work(
        declared, selected, jobs=args.jobs, again=args.again, progress=Reporter().progress()
    )
    _say_done(done, len(selected))
    return _show_board(declared, args)


def _say_done(done: Done, asked: int) -> None:
    rest = asked - done.measured
    print(f"measured {done.measured} of {asked} falsifiers, {rest} had fresh evidence")
    if done.planted:
        print(f"planted {done.planted} changes")


def _show_board(declared: Declared, args: argparse.Namespace) -> ExitCode:
    from pv_harness.workflow.declared import read_board
    from pv_harness.workflow.reports import write_reports

    write_reports(declared.project, read_board(declared), time.time())
    board = select_board(declared, args)
    print_board(board)
    print(
        f"written: {declared.project.relative(declared.project.reports)}/scoreboard.md, .json"
    )
    return board.exit_code
