"""The report files of a project, written whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.board.documents import render_json, render_markdown
from pv_harness.errors import InfrastructureError
from pv_harness.evidence.store import write_atomically


if TYPE_CHECKING:
    from pv_harness.board.scoreboard import Scoreboard
    from pv_harness.project import Project


def write_reports(project: Project, board: Scoreboard, now_s: float) -> None:
    """Write reports/scoreboard.md and reports/scoreboard.json, each whole or not at all.

    Raises:
        InfrastructureError: the folder can't be written.
    """
    try:
        project.reports.mkdir(parents=True, exist_ok=True)
        for name, text in (
            ("scoreboard.md", render_markdown(board, now_s=now_s)),
            ("scoreboard.json", render_json(board, now_s=now_s)),
        ):
            data = text.encode("utf-8", "backslashreplace")
            write_atomically(project.reports / name, data)
    except OSError as error:
        raise InfrastructureError(
            f"{project.reports}: reports can't be written ({error.strerror})"
        ) from error
