"""`pv scoreboard [ID...]`: derive what the evidence supports, and print or write it."""

from __future__ import annotations

import sys
import time
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
from pv_harness.commands.paths import written_file
from pv_harness.errors import UsageError


if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from pv_harness.board.html.comparison import NotCompared, Since
    from pv_harness.board.scoreboard import Scoreboard
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
        "--output",
        type=written_file,
        metavar="FILE",
        help="where the format without a FILE goes",
    )
    verb.add_argument(
        "--since",
        metavar="REF",
        help="html: show what changed since a git revision, or a scoreboard in JSON; "
        "default: since the last release, as far as that takes no time",
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
    since = _read_since(args, documents, declared.project, board)
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
    args: argparse.Namespace,
    documents: Sequence[Wanted],
    project: Project,
    board: Scoreboard,
) -> Since | NotCompared | None:
    """What changed since `--since`, for a page; without it since the last release.

    Raises:
        UsageError: no format shows it, or the reference means nothing.
    """
    reference = args.since
    has_page = any(document.format == "html" for document in documents)
    if reference is None:
        # A page of some falsifiers would call all others removed.
        if not has_page or args.names:
            return None
        from pv_harness.workflow.since_release import since_last_release

        return since_last_release(project, board)
    if not has_page:
        raise UsageError(f"--since {reference}: only --format html shows it; pv diff prints it")
    from pv_harness.board.html.comparison import Since
    from pv_harness.workflow.compare import WORKING_TREE, compare_references

    return Since(reference, compare_references(reference, WORKING_TREE, project))
