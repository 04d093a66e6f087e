"""`pv explain ID`: one falsifier, its numbers, and why its status is not higher."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from pv_harness.commands.asking import read_selected, select_board, width


if TYPE_CHECKING:
    import argparse

    from pv_harness.exit_code import ExitCode


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """The options of `pv explain`."""
    verb.add_argument("names", nargs=1, metavar="ID")


def run(args: argparse.Namespace) -> ExitCode:
    """Print the explanation of every falsifier that the name means."""
    from pv_harness.board.terminal import render_explanation

    declared, _ = read_selected(args)
    board = select_board(declared, args)
    for row in board.rows:
        print(
            render_explanation(row, width=width(), now_s=time.time(), color=sys.stdout.isatty())
        )
    return board.exit_code
