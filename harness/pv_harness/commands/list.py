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
    from pv_harness.deriving.status import StatusKind

    add_names(verb)
    verb.add_argument(
        "--format",
        choices=("text", "json"),
        default="text",
        help="text for people (default), json for programs",
    )
    levels = [level.value for level in Level]
    others = [kind.value for kind in StatusKind if kind is not StatusKind.LEVEL]
    verb.add_argument(
        "--level",
        action="append",
        type=str.upper,
        choices=levels,
        default=[],
        help="those with this ceiling, whatever their status; may be given several times",
    )
    verb.add_argument(
        "--status",
        action="append",
        type=str.upper,
        choices=[*levels, StatusKind.LEVEL.value, *others],
        metavar="STATUS",
        default=[],
        help=f"those with such a status: a level, {', '.join(levels)}, that holds now, LEVEL "
        f"for any of them, or {', '.join(others)}; may be given several times",
    )
    verb.add_argument(
        "--below", action="store_true", help="those that are not at their ceiling"
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
    from pv_harness.deriving.status import StatusKind
    from pv_harness.insight.listing import Wanted, choose, render_json, render_text

    declared, _ = read_selected(args)
    rows = select_board(declared, args).rows
    levels = {level.value for level in Level}
    wanted = Wanted(
        levels=tuple(map(Level, args.level)),
        kinds=tuple(StatusKind(name) for name in args.status if name not in levels),
        held=tuple(Level(name) for name in args.status if name in levels),
        below=args.below,
        covers=args.covers,
        contract=args.contract,
    )
    chosen = choose(rows, wanted)
    if args.format == "json":
        print(render_json(chosen, len(rows)), end="")
    else:
        print(render_text(chosen, len(rows), width=width(), color=color(sys.stdout)))
    return ExitCode.SATISFIED if chosen else ExitCode.CANNOT_JUDGE
