"""`pv new ID`: add a falsifier to a contract, and a check that fails until it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.commands.asking import find_project
from pv_harness.commands.paths import given_path
from pv_harness.exit_code import ExitCode


if TYPE_CHECKING:
    import argparse


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """The options of `pv new`."""
    verb.add_argument("id", metavar="ID", help="permanent, such as FALSIFY-MY-TRAINER-002")
    verb.add_argument(
        "--contract",
        type=given_path,
        metavar="FILE",
        help="where it is declared; made if it does not exist (default: the one contract "
        "that declares IDs with the same beginning)",
    )
    verb.add_argument(
        "--covers",
        action="append",
        default=[],
        metavar="MODULE",
        help="module that the claim is about; repeatable (default: as the claim before it)",
    )
    verb.add_argument(
        "--dry-run", action="store_true", help="say what would be changed, and change nothing"
    )


def run(args: argparse.Namespace) -> ExitCode:
    """Add both, and say what is left for the author to do."""
    from pv_harness.scaffold.changes import render_changes, write_changes
    from pv_harness.scaffold.falsifier import Request, plan_falsifier

    project = find_project(args)
    request = Request(args.id, args.contract, tuple(args.covers))
    added = plan_falsifier(project, request)
    changes = (added.contract, added.check)
    if not args.dry_run:
        # The contract first: a claim without a check is a warning, the reverse an error.
        write_changes(project.root, changes)
    print(render_changes(changes, dry_run=args.dry_run))
    if not args.dry_run:
        places = [
            f"{added.contract.name}:{added.contract_line}",
            f"{added.check.name}:{added.check_line}",
            f"pv run {args.id}",
        ]
        width = max(map(len, places))
        works = ("say what must hold, and plant defects", "measure it", "red until then")
        print("\nnext:")
        print("\n".join(f"  {p:<{width}}  {w}" for p, w in zip(places, works, strict=True)))
    return ExitCode.SATISFIED
