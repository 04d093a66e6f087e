"""`pv health [ID...]`: what the evidence says about the checks themselves."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from pv_harness.commands.asking import (
    add_names,
    color,
    positive,
    read_selected,
    select_board,
    width,
)
from pv_harness.exit_code import ExitCode


if TYPE_CHECKING:
    import argparse


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """The options of `pv health`."""
    add_names(verb)
    verb.add_argument(
        "--format",
        choices=("text", "json"),
        default="text",
        help="text for people (default), json for programs",
    )
    verb.add_argument(
        "--older-than",
        type=positive,
        default=30,
        metavar="DAYS",
        help="evidence of this age is a concern (default: 30)",
    )
    verb.add_argument(
        "--slowest", type=positive, default=5, metavar="N", help="show N (default: 5)"
    )
    verb.add_argument(
        "--strict", action="store_true", help="exit 1 if anything but advice is found"
    )


def run(args: argparse.Namespace) -> ExitCode:
    """Print what was found; denied only if `--strict` asks for it."""
    from pv_harness.insight.health import DAY_S, examine
    from pv_harness.insight.health_faces import render_json, render_text

    declared, _ = read_selected(args)
    health = examine(
        select_board(declared, args, history=True).rows,
        now_s=time.time(),
        max_age_s=args.older_than * DAY_S,
        slowest=args.slowest,
    )
    if args.format == "json":
        print(render_json(health), end="")
    elif health.runs:
        print(render_text(health, width=width(), color=color(sys.stdout)))
    if not health.runs:
        noun = "falsifier" if health.falsifiers == 1 else "falsifiers"
        what = f"no evidence about any of {health.falsifiers} {noun}"
        print(f"pv: {what}; `pv run --prove` makes some", file=sys.stderr)
        return ExitCode.CANNOT_JUDGE
    return ExitCode.DENIED if args.strict and health.grave else ExitCode.SATISFIED
