"""The scoreboard as Markdown, for a job summary: what needs attention first, the rest folded.

GitHub drops a summary of more than 1 MiB, so a long board is cut where a row ends, and says how
many rows are not shown.

Source: CommonMark 0.31 on backslash escapes and HTML blocks; GitHub Flavored Markdown on
tables.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING

from pv_harness.board.answer import ANSWERS, why_answered
from pv_harness.board.phrases import (
    Tone,
    age_of,
    brief_reason,
    by_urgency,
    harmless,
    short_status,
    show_headline,
    show_potency,
    tone_of,
)
from pv_harness.board.scoreboard import summary_lines
from pv_harness.exit_code import ExitCode


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pv_harness.board.scoreboard import Row, Scoreboard

MAX_BYTES = 1_000_000
"""A little less than the 1 MiB that GitHub takes for the summary of one step."""
_LONGEST_CELL = 600
_ROOM_FOR_ENDS = 1_000
"""Bytes kept free for what closes a table and says what was left out."""
_COMMAND = re.compile(r"pv [\w ./*'=:-]*[\w*']", re.ASCII)
"""As much of a cure as is a command, in letters that mean nothing to Markdown."""
_WANTING = ("", "falsifier", "status", "why not higher", "to change that")
_ROW = ("", "falsifier", "status", "measured", "killed", "age", "on")
_MARKS = {
    Tone.GOOD: "✅",
    Tone.BELOW: "🔷",
    Tone.EXCUSED: "🟣",
    Tone.AWAY: "⚪",
    Tone.OPEN: "🟡",
    Tone.BROKEN: "💥",
    Tone.BAD: "❌",
}


_ANSWERED = {
    ExitCode.SATISFIED: "✅",
    ExitCode.DENIED: "❌",
    ExitCode.CANNOT_JUDGE: "⚪",
    ExitCode.UNKNOWN: "🟡",
    ExitCode.INFRASTRUCTURE: "💥",
}


def render_markdown(board: Scoreboard, *, now_s: float, max_bytes: int = MAX_BYTES) -> str:
    """The board as Markdown of at most `max_bytes`; text from contracts is shown as text.

    Args:
        board: the rows.
        now_s: when the board was derived, and what ages are counted from.
        max_bytes: as much as the reader takes, at least 2,000 so that the counts are there.
    """
    when = datetime.fromtimestamp(now_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
    page = _Page(max_bytes - _ROOM_FOR_ENDS)
    page.add("# Scoreboard", "", _answer(board), "", f"Derived from evidence on {when}.", "")
    page.add(*(f"- {escape_markdown(line)}" for line in summary_lines(board)))
    wanting = by_urgency(board.rows)
    if wanting:
        page.add("", "## Not at its ceiling", "")
        left = page.table(_WANTING, (_attention_cells(row) for row in wanting), len(wanting))
        if left:
            page.close("", f"{left} more not at their ceiling, not shown.")
    left = 0
    for contract, rows in board.by_contract():
        counted = [row for row in rows if row.falsifier.counted]
        done = sum(row.status.at_ceiling for row in counted)
        title = f"<b>{_escape_html(contract.id)}</b>: {_escape_html(contract.title)}"
        fraction = f"{done} of {len(counted)} at their ceiling"
        if not page.add("", f"<details><summary>{title} ({fraction})</summary>", ""):
            left += len(rows)
            continue
        left += page.table(_ROW, (_row_cells(row, now_s) for row in rows), len(rows))
        page.close("", "</details>")
    if left:
        page.close("", f"{left} more rows not shown; `pv scoreboard` shows all.")
    return page.text()


def escape_markdown(text: str) -> str:
    """Text that Markdown shows as it is: no markup, table cell, link or HTML in it."""
    flat = harmless(text)
    for char in "\\`*_[]#|~$!":
        flat = flat.replace(char, f"\\{char}")
    flat = flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # GitHub makes links of these two by themselves.
    return flat.replace("://", "&#58;//").replace("www.", "www&#46;")


class _Page:
    """Lines as long as there is room; what closes something open is always taken."""

    def __init__(self, room: int) -> None:
        self._lines: list[str] = []
        self._room = room

    def add(self, *lines: str) -> bool:
        """Add all of these lines if they fit, and say whether they did."""
        size = sum(len(line.encode()) + 1 for line in lines)
        if size > self._room:
            self._room = 0
            return False
        self._room -= size
        self._lines += lines
        return True

    def close(self, *lines: str) -> None:
        """Add lines that have to stand, from the room kept for them."""
        self._lines += lines
        self._room -= sum(len(line.encode()) + 1 for line in lines)

    def table(self, heading: Sequence[str], rows: Iterator[Iterable[str]], count: int) -> int:
        """Add a table of as many of the `count` rows as fit, and say how many did not.

        The cells are Markdown already.
        """
        lines = [_table_row(heading), "|" + "---|" * len(heading)]
        for shown, row in enumerate(rows):
            if not self.add(*lines, _table_row(row)):
                return count - shown
            lines = []
        return 0

    def text(self) -> str:
        """All lines."""
        return "\n".join(self._lines) + "\n"


def _table_row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _attention_cells(row: Row) -> tuple[str, ...]:
    status = row.status
    mark = _MARKS[tone_of(status)]
    texts = (mark, _label(row), short_status(status), brief_reason(status))
    return (*map(_cell, texts), _cure(_shorten(status.cure)))


def _row_cells(row: Row, now_s: float) -> tuple[str, ...]:
    record = row.status.record
    lane = record.lane if record is not None else ""
    numbers = (show_headline(row), show_potency(row), age_of(row, now_s), lane)
    texts = (_MARKS[tone_of(row.status)], _label(row), short_status(row.status), *numbers)
    return tuple(map(_cell, texts))


def _cell(text: str) -> str:
    return escape_markdown(_shorten(text))


def _cure(text: str) -> str:
    """Advice as text; a command as code, from which it can be copied as it is."""
    command = _COMMAND.match(text)
    if command is None:
        return escape_markdown(text)
    return f"`{command[0]}`{escape_markdown(text[command.end() :])}"


def _answer(board: Scoreboard) -> str:
    """The answer first, as the page has it."""
    code, why = board.exit_code, escape_markdown(why_answered(board))
    word = f"{_ANSWERED[code]} {ANSWERS[code]}"
    return (
        f"{word}: {why} (exit code {code.value})" if why else f"{word} (exit code {code.value})"
    )


def _label(row: Row) -> str:
    return row.falsifier.id if row.falsifier.counted else f"{row.falsifier.id} ¹"


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST_CELL else text[: _LONGEST_CELL - 1] + "…"


def _escape_html(text: str) -> str:
    """Text inside an HTML block, where Markdown's own escapes would be shown as they are."""
    return escape(_shorten(harmless(text)))
