"""`pv gate [ID...]`: one line per falsifier that stands in the way, then the decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.commands.asking import add_names, read_selected, select_board
from pv_harness.exit_code import ExitCode


if TYPE_CHECKING:
    import argparse


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """The options of `pv gate`."""
    add_names(verb)
    verb.add_argument(
        "--require",
        choices=("ceiling", "PARTIAL", "INTEGRATION", "DISCHARGED"),
        default="ceiling",
        help="the level asked for; a claim that can't show it has to be at its ceiling",
    )
    verb.add_argument(
        "--allow-blocked",
        action="store_true",
        help="leave out falsifiers whose device is absent, and say so",
    )


def run(args: argparse.Namespace) -> ExitCode:
    """Decide, and say what would cure what stands in the way."""
    from pv_harness.contracts.contract import Level
    from pv_harness.policy.gate import decide_gate

    declared, _ = read_selected(args)
    required = None if args.require == "ceiling" else Level(args.require)
    rows = select_board(declared, args).rows
    decision = decide_gate(rows, required, allow_blocked=args.allow_blocked)
    for result in decision.results:
        if not result.passed:
            status = result.row.status
            print(f"{result.row.falsifier.id}: {status}, {result.required.value} is required")
            print(f"  why   {result.why}")
            print(f"  cure  {status.cure}")
    passed = sum(result.passed for result in decision.results)
    blocked = f", {len(decision.left_out)} blocked and left out" if decision.left_out else ""
    word = "passed" if decision.exit_code is ExitCode.SATISFIED else "not passed"
    print(f"gate {word}: {passed} of {len(decision.results)} falsifiers{blocked}")
    return decision.exit_code
