"""What a GitHub workflow shows beside the code: workflow commands, one per finding.

Source: GitHub, "Workflow commands"; what to escape is in actions/toolkit, core/src/command.ts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pv_harness.board.phrases import (
    Tone,
    by_urgency,
    harmless,
    reason_of,
    short_status,
    tone_of,
)
from pv_harness.board.scoreboard import summary_lines
from pv_harness.documents.problem import Severity


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pv_harness.board.scoreboard import Scoreboard
    from pv_harness.documents.problem import Problem

_LEVELS = {
    Tone.BAD: "error",
    Tone.BROKEN: "error",
    Tone.OPEN: "warning",
    Tone.BELOW: "notice",
    Tone.EXCUSED: "notice",
    Tone.AWAY: "notice",
}


@dataclass(frozen=True, slots=True)
class Annotation:
    """One message at one place of one file.

    Attributes:
        level: `error`, `warning` or `notice`.
        path: relative to the root of the repository.
        line: from 1, or None for the file as a whole.
    """

    level: str
    title: str
    text: str
    path: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        """The workflow command, on one line."""
        title = harmless(self.title)
        named = {"file": self.path, "line": self.line, "col": self.column, "title": title}
        properties = ",".join(
            f"{name}={_escape_property(str(value))}"
            for name, value in named.items()
            if value is not None
        )
        text = "\n".join(harmless(line) for line in self.text.splitlines())
        return f"::{self.level} {properties}::{_escape_data(text)}"


def render_github(board: Scoreboard, *, lines: Mapping[str, int] | None = None) -> str:
    """One workflow command per row below its ceiling, the most urgent first; then the counts.

    GitHub shows ten of a kind for one step, so that the order matters.
    """
    shown = []
    for row in by_urgency(board.rows):
        status = row.status
        cure = f"\nTo change that: {status.cure}" if status.cure else ""
        annotation = Annotation(
            _LEVELS[tone_of(status)],
            f"{row.falsifier.id}: {short_status(status)}",
            f"{row.falsifier.rule}\n{reason_of(status)}{cure}",
            str(row.contract.path),
            (lines or {}).get(row.falsifier.id),
        )
        shown.append(str(annotation))
    return "\n".join([*shown, *map(harmless, summary_lines(board))]) + "\n"


def render_github_problems(problems: Sequence[Problem]) -> str:
    """One workflow command per problem of contracts; empty without any."""
    return "".join(
        f"{Annotation(_severity(p), p.code, p.message, p.path, p.line, p.column)}\n"
        for p in problems
    )


def _severity(problem: Problem) -> str:
    return "error" if problem.severity is Severity.ERROR else "warning"


def _escape_data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape_data(text).replace(":", "%3A").replace(",", "%2C")
