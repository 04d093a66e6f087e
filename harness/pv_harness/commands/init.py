"""`pv init [DIR]`: make a repository ready: contract, check, defects, policy, CI."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pv_harness.commands.asking import width
from pv_harness.commands.paths import given_path
from pv_harness.exit_code import ExitCode
from pv_harness.wording import printable


if TYPE_CHECKING:
    import argparse

_SHOWN = 3
_NEXT = """
next:
  pv validate               judge the contract itself
  pv run --prove            measure, plant the defects, show the scoreboard
  pv gate --policy merge    decide, as CI will
  pv new ID                 add a claim of your own"""


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """The options of `pv init`."""
    verb.add_argument(
        "folder",
        nargs="?",
        type=given_path,
        metavar="DIR",
        help="the repository (default: here)",
    )
    verb.add_argument(
        "--name", metavar="NAME", help="what contract and IDs are called (default: the project)"
    )
    verb.add_argument(
        "--dry-run", action="store_true", help="say what would be made, and make nothing"
    )


def run(args: argparse.Namespace) -> ExitCode:
    """Make what is missing, and say of every file what became of it."""
    from pv_harness.board.lines import wrap
    from pv_harness.scaffold.changes import render_changes, write_changes
    from pv_harness.scaffold.repository import plan_repository, survey_repository

    root = args.folder or args.root or Path.cwd()
    found = survey_repository(root, args.name)
    changes = plan_repository(found)
    if not args.dry_run:
        write_changes(found.root, changes)
    print(render_changes(changes, dry_run=args.dry_run))
    for unfit in found.unfit[:_SHOWN]:
        name = printable(found.project.relative(unfit.path))
        text = f"{name} was seen, but no claim is about it: {unfit.why}"
        print("\n" + "\n".join(wrap(text, width(), "", "    ")))
    if not args.dry_run:
        print(_NEXT)
    return ExitCode.SATISFIED
