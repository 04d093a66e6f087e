"""`pv explain ID`: one falsifier, its numbers, and why its status is not higher."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from pv_harness.commands.asking import color, note, read_selected, select_board, width


if TYPE_CHECKING:
    import argparse

    from pv_harness.exit_code import ExitCode


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """The options of `pv explain`."""
    verb.add_argument(
        "names", nargs="+", metavar="ID", help="falsifiers or contracts, patterns too"
    )


def run(args: argparse.Namespace) -> ExitCode:
    """Print the explanation of every falsifier that the names mean."""
    from pv_harness.board.explanation import render_explanation
    from pv_harness.workflow.places import find_lines
    from pv_harness.workflow.waiving import waive_board
    from pv_harness.workflow.what_changed import describe_changes

    declared, _ = read_selected(args)
    board = waive_board(select_board(declared, args), declared.project, time.time(), note)
    root = declared.project.root
    lines = find_lines(root, board.rows)
    shown = [
        render_explanation(
            row,
            width=width(),
            now_s=time.time(),
            color=color(sys.stdout),
            line=lines.get(row.falsifier.id),
            changes=describe_changes(root, row),
        )
        for row in board.rows
    ]
    print("\n\n\n".join(shown))
    for finding in board.findings:
        note(str(finding))
    return board.exit_code
