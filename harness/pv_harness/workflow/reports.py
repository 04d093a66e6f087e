"""The report files of a project, written whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.atomic_file import write_atomically
from pv_harness.board.html.check_source import cut_out
from pv_harness.board.html.page import render_html
from pv_harness.board.json_document import render_json
from pv_harness.board.markdown import render_markdown
from pv_harness.errors import InfrastructureError
from pv_harness.project import read_configuration
from pv_harness.regular_file import is_regular, read_regular, reason
from pv_harness.workflow.places import find_lines
from pv_harness.workflow.since_release import since_last_release


if TYPE_CHECKING:
    from pathlib import Path

    from pv_harness.board.html.check_source import CheckSource
    from pv_harness.board.scoreboard import Scoreboard
    from pv_harness.contracts.bindings import Check
    from pv_harness.project import Project

REPORTS = ("scoreboard.md", "scoreboard.json", "index.html")
_MAX_CHECK_BYTES = 4 << 20


def write_reports(project: Project, board: Scoreboard, now_s: float) -> None:
    """Write `REPORTS` into the folder of reports, each whole or not at all.

    The page tells what changed since the last release, as far as that takes no time.

    Raises:
        InfrastructureError: the folder can't be written.
    """
    lines = find_lines(project.root, board.rows)
    sources = read_check_sources(project.root, board)
    since = since_last_release(project, board)
    title = page_title(project.root)
    documents = (
        render_markdown(board, now_s=now_s),
        render_json(board, now_s=now_s, lines=lines),
        render_html(board, now_s=now_s, sources=sources, since=since, title=title),
    )
    for name, text in zip(REPORTS, documents, strict=True):
        write_document(project.reports / name, text)


def page_title(root: Path) -> str:
    """What the page of the project at `root` is called: by the name in its pyproject.toml."""
    table = read_configuration(root).get("project")
    name = table.get("name") if isinstance(table, dict) else None
    return f"Scoreboard of {name}" if isinstance(name, str) and name else "Scoreboard"


def write_document(path: Path, text: str) -> None:
    """Write one document whole or not at all; folders on the way are made.

    Raises:
        InfrastructureError: it can't be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise InfrastructureError(
            f"{path}: the report can't be written ({_why_not(path, error)})"
        ) from error


def _why_not(path: Path, error: OSError) -> str:
    """Why a file could not be written; where a file is in the place of its folder, that."""
    for folder in reversed(path.parents):
        if is_regular(folder):
            return f"{folder} is a file; it should be a folder"
    return reason(error)


def read_check_sources(root: Path, board: Scoreboard) -> dict[str, CheckSource]:
    """Node ID -> the source of the check, for all checks of the board that can be read."""
    files: dict[str, list[Check]] = {}
    for row in board.rows:
        for check in row.checks:
            files.setdefault(check.path, []).append(check)
    found: dict[str, CheckSource] = {}
    for name, checks in files.items():
        try:
            data = read_regular(root / name, _MAX_CHECK_BYTES)
        except OSError:
            continue
        found.update((source.node_id, source) for source in cut_out(data, checks))
    return found
