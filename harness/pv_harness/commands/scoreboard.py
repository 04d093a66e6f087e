"""`pv scoreboard [ID...]`: derive what the evidence supports, and print it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pv_harness.commands.asking import add_names, print_board, read_selected, select_board


if TYPE_CHECKING:
    import argparse

    from pv_harness.exit_code import ExitCode


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """The options of `pv scoreboard`."""
    add_names(verb)
    verb.add_argument("--format", choices=("text", "markdown", "json"), default="text")


def run(args: argparse.Namespace) -> ExitCode:
    """Print the board in the format that was asked for."""
    from pv_harness.board.documents import render_json, render_markdown

    declared, _ = read_selected(args)
    board = select_board(declared, args)
    match args.format:
        case "markdown":
            print(render_markdown(board, now_s=time.time()), end="")
        case "json":
            print(render_json(board, now_s=time.time()), end="")
        case _:
            print_board(board)
    return board.exit_code
