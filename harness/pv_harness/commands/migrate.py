"""`pv migrate FILE`: a contract of another tool in the native form, and what is left to do."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pv_harness.commands.asking import find_project
from pv_harness.commands.paths import given_path, written_file
from pv_harness.errors import UsageError
from pv_harness.exit_code import ExitCode


if TYPE_CHECKING:
    import argparse

    from pv_harness.workflow.migrate import Migrated


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """The options of `pv migrate`."""
    verb.add_argument(
        "file", type=given_path, metavar="FILE", help="a contract without apiVersion"
    )
    verb.add_argument(
        "--output",
        type=written_file,
        metavar="FILE",
        help="write to this file, whose stem becomes the ID (default: standard output)",
    )
    verb.add_argument("--force", action="store_true", help="replace an --output that is there")
    verb.add_argument(
        "--covers",
        action="append",
        default=[],
        metavar="MODULE",
        help="module that the claims are about; repeatable (default: left to do)",
    )


def run(args: argparse.Namespace) -> ExitCode:
    """Print the native form, or write it; say on standard error what a person has to do."""
    from pv_harness.workflow.migrate import migrate_file, write_migrated

    if args.force and args.output is None:
        raise UsageError("--force replaces a file; say which with --output FILE")
    migrated = migrate_file(find_project(args), args.file, args.output, args.covers)
    if args.output is None:
        print(migrated.migration.text, end="")
    else:
        write_migrated(migrated, args.output, force=args.force)
    print("\n".join(_report(migrated, written=args.output is not None)), file=sys.stderr)
    return ExitCode.SATISFIED


def _report(migrated: Migrated, *, written: bool) -> list[str]:
    source, name = migrated.source, migrated.name
    lines = [f"{source.path} -> {name}" if written else f"{source.path}: save this as {name}"]
    left_out = [
        (f"{source.path}:{source.position(item.way)[0]}", item.what)
        for item in migrated.migration.left_out
    ]
    to_do = [(f"{name}:{item.line}", item.what) for item in migrated.migration.to_do]
    for heading, rows in (
        ("left out, since only evidence can say it:", left_out),
        (f"left to do, {len(to_do)} in all:", to_do),
    ):
        if rows:
            width = max(len(place) for place, _ in rows)
            lines += ["", heading, *(f"  {p:<{width}}  {what}" for p, what in rows)]
    return lines
