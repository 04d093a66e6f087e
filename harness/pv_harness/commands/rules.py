"""`pv rules [CODE...]`: every code that a problem can have, or what is behind one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.commands.asking import color, width
from pv_harness.exit_code import ExitCode


if TYPE_CHECKING:
    import argparse


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """The options of `pv rules`."""
    verb.add_argument(
        "codes", nargs="*", metavar="CODE", help="PV052 say; without any all are listed"
    )
    verb.add_argument(
        "--format",
        choices=("text", "json"),
        default="text",
        help="text for people (default), json for programs",
    )


def run(args: argparse.Namespace) -> ExitCode:
    """Print the list of all codes, or those asked for with their causes and examples."""
    import sys

    from pv_harness.board.rules import render_rule, render_rule_list, render_rules_json
    from pv_harness.contracts.rule_codes import RULE_CODES, find_rule

    rules = [find_rule(code) for code in args.codes] or list(RULE_CODES.values())
    if args.format == "json":
        print(render_rules_json(rules), end="")
    elif args.codes:
        colored = color(sys.stdout)
        print("\n\n".join(render_rule(rule, width=width(), color=colored) for rule in rules))
    else:
        print(render_rule_list(width=width()))
    return ExitCode.SATISFIED
