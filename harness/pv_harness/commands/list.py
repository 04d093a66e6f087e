"""`pv list [ID...]`: the falsifiers, chosen by what they claim and how they stand."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pv_harness.commands.asking import add_names, color, read_selected, select_board, width
from pv_harness.exit_code import ExitCode


if TYPE_CHECKING:
    import argparse


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """The options of `pv list`."""
    from pv_harness.contracts.contract import Level
    from pv_harness.judging.status import StatusKind

    add_names(verb)
    verb.add_argument("--format", choices=("text", "json"), default="text")
    verb.add_argument(
        "--level",
        action="append",
        choices=[level.value for level in Level],
        default=[],
        help="those with this ceiling; may be given several times",
    )
    verb.add_argument(
        "--status",
        action="append",
        choices=[kind.value for kind in StatusKind],
        default=[],
        help="those with such a status; may be given several times",
    )
    verb.add_argument(
        "--covers", metavar="MODULE", default="", help="those that cover it, or what is below"
    )
    verb.add_argument(
        "--contract", metavar="ID", default="", help="those of one; a pattern too"
    )


def run(args: argparse.Namespace) -> ExitCode:
    """Print the falsifiers that are asked for; none at all is not a success."""
    from pv_harness.contracts.contract import Level
    from pv_harness.insight.listing import Wanted, choose, render_json, render_text
    from pv_harness.judging.status import StatusKind

    declared, _ = read_selected(args)
    rows = select_board(declared, args).rows
    wanted = Wanted(
        tuple(map(Level, args.level)),
        tuple(map(StatusKind, args.status)),
        args.covers,
        args.contract,
    )
    chosen = choose(rows, wanted)
    if args.format == "json":
        print(render_json(chosen, len(rows)), end="")
    else:
        print(render_text(chosen, len(rows), width=width(), color=color(sys.stdout)))
    return ExitCode.SATISFIED if chosen else ExitCode.CANNOT_JUDGE
