"""A scoreboard in the format that a command line asks for."""

from __future__ import annotations

import argparse
import difflib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pv_harness.commands.paths import written_file
from pv_harness.errors import UsageError


if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pv_harness.board.html.comparison import NotCompared, Since
    from pv_harness.board.scoreboard import Scoreboard

FORMATS = (
    "text",
    "markdown",
    "json",
    "junit",
    "sarif",
    "github",
    "badge",
    "badge-svg",
    "html",
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One document that was asked for; without a file it goes to standard output."""

    format: str
    file: Path | None = None


def wanted(text: str) -> Wanted:
    """The value of `--format`: FORMAT, or FORMAT=FILE."""
    name, equals, file = text.partition("=")
    if name not in FORMATS:
        close = difflib.get_close_matches(name, FORMATS, 1)
        hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(FORMATS)}"
        raise argparse.ArgumentTypeError(f"{name!r} is no format; {hint}")
    if equals and not file:
        raise argparse.ArgumentTypeError(f"{text!r} names no file behind the =")
    return Wanted(name, written_file(file) if file else None)


def resolve_documents(formats: Sequence[Wanted], output: Path | None) -> tuple[Wanted, ...]:
    """All documents to make, each with its place; text on standard output if none is asked for.

    Raises:
        UsageError: two of them have one place, or `--output` is left without a document.
    """
    asked = tuple(formats) or (Wanted("text"),)
    loose = [item for item in asked if item.file is None]
    if len(loose) > 1:
        names = " and ".join(item.format for item in loose)
        raise UsageError(
            f"--format {names}: one document goes to standard output or --output; "
            f"give the others as FORMAT=FILE"
        )
    if output is not None and not loose:
        raise UsageError(f"--output {output}: every --format has a file of its own already")
    placed = tuple(Wanted(i.format, i.file or output) for i in asked)
    files = [item.file for item in placed if item.file is not None]
    for file in files:
        if files.count(file) > 1:
            raise UsageError(f"{file}: two formats would be written there; name two files")
    return placed


def render(
    name: str,
    board: Scoreboard,
    root: Path,
    *,
    width: int,
    color: bool,
    since: Since | NotCompared | None = None,
) -> str:
    """The board as one document; every format but `text` ends with a newline.

    `since` is what changed; the HTML page alone has room for it.
    """
    now_s = time.time()
    match name:
        case "text":
            from pv_harness.board.terminal import render_scoreboard

            return render_scoreboard(board, width=width, now_s=now_s, color=color) + "\n"
        case "markdown":
            from pv_harness.board.markdown import render_markdown

            return render_markdown(board, now_s=now_s)
        case "html":
            from pv_harness.board.html.page import render_html
            from pv_harness.workflow.reports import page_title, read_check_sources

            sources, title = read_check_sources(root, board), page_title(root)
            return render_html(board, now_s=now_s, sources=sources, since=since, title=title)
        case "badge":
            from pv_harness.board.badge import render_badge

            return render_badge(board)
        case "badge-svg":
            from pv_harness.board.badge import render_badge_svg

            return render_badge_svg(board)
        case _:
            return _render_with_places(name, board, root, now_s)


def _render_with_places(name: str, board: Scoreboard, root: Path, now_s: float) -> str:
    """The formats that point into the files of contracts."""
    from pv_harness.workflow.places import find_lines

    lines = find_lines(root, board.rows)
    match name:
        case "json":
            from pv_harness.board.json_document import render_json

            return render_json(board, now_s=now_s, lines=lines)
        case "junit":
            from pv_harness.board.junit import render_junit

            return render_junit(board, now_s=now_s, lines=lines)
        case "sarif":
            from pv_harness.board.sarif import render_sarif

            return render_sarif(board, lines=lines)
        case _:
            from pv_harness.board.github import render_github

            return render_github(board, lines=lines)
