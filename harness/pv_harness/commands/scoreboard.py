"""`pv scoreboard [ID...]`: derive what the evidence supports, and print or write it."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pv_harness.commands.asking import (
    add_names,
    color,
    note,
    read_selected,
    select_board,
    width,
)
from pv_harness.commands.documents import FORMATS, render, resolve_documents, wanted
from pv_harness.errors import UsageError


if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from pv_harness.board.html.comparison import Since
    from pv_harness.commands.documents import Wanted
    from pv_harness.exit_code import ExitCode
    from pv_harness.project import Project

_FILE_WIDTH = 100
"""Columns of the text form in a file, which has no terminal."""


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """The options of `pv scoreboard`."""
    add_names(verb)
    verb.add_argument(
        "--format",
        type=wanted,
        action="append",
        default=[],
        metavar="FORMAT[=FILE]",
        help=f"{', '.join(FORMATS)}; again, with a FILE, for more than one",
    )
    verb.add_argument(
        "--output", type=Path, metavar="FILE", help="where the format without a FILE goes"
    )
    verb.add_argument(
        "--since",
        metavar="REF",
        help="html: show what changed since a git revision, or a scoreboard in JSON",
    )


def run(args: argparse.Namespace) -> ExitCode:
    """Print the board, or write it, in the formats that were asked for."""
    from pv_harness.workflow.waiving import waive_board

    documents = resolve_documents(args.format, args.output)
    declared, _ = read_selected(args)
    history = any(document.format == "html" for document in documents)
    board = select_board(declared, args, history=history)
    board = waive_board(board, declared.project, time.time(), note)
    root = declared.project.root
    since = _read_since(args.since, documents, declared.project)
    for document in documents:
        if document.file is None:
            colored = color(sys.stdout)
            text = render(
                document.format, board, root, width=width(), color=colored, since=since
            )
            print(text, end="")
        else:
            from pv_harness.workflow.reports import write_document

            text = render(
                document.format, board, root, width=_FILE_WIDTH, color=False, since=since
            )
            write_document(document.file, text)
            # Standard output may hold another document.
            print(f"written: {document.file}", file=sys.stderr)
    return board.exit_code


def _read_since(
    reference: str | None, documents: Sequence[Wanted], project: Project
) -> Since | None:
    """What changed since `--since`, for a page; None without it.

    Raises:
        UsageError: no format shows it, or the reference means nothing.
    """
    if reference is None:
        return None
    if not any(document.format == "html" for document in documents):
        raise UsageError(f"--since {reference}: only --format html shows it; pv diff prints it")
    from pv_harness.board.html.comparison import Since
    from pv_harness.workflow.compare import WORKING_TREE, compare_references

    return Since(reference, compare_references(reference, WORKING_TREE, project))
