"""The scoreboard as a terminal shows it.

The end of a long output is what stays in sight. So contract by contract comes first, then what
needs attention with its reason and its cure, the most urgent last, and then the counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

from pv_harness.board.lines import Painter, cells, cut, cut_middle, pad, wrap, wrap_parts
from pv_harness.board.phrases import (
    Tone,
    age_of,
    brief_reason,
    by_urgency,
    harmless,
    label_of,
    short_status,
    show_headline,
    show_potency,
    tone_of,
)
from pv_harness.board.scoreboard import summary_lines
from pv_harness.deriving.status import StatusKind


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pv_harness.board.scoreboard import Row, Scoreboard
    from pv_harness.contracts.contract import Contract

MARKS = {
    Tone.GOOD: "✓",
    Tone.BELOW: "↑",
    Tone.EXCUSED: "~",
    Tone.AWAY: "-",
    Tone.OPEN: "?",
    Tone.BROKEN: "!",
    Tone.BAD: "✗",
}
"""The first character of a row, so that colour is never all that tells a red one."""
_WIDE = 120
"""From here on the measured value stands on the row itself, not below it."""
_NAMED = 6
"""As many IDs as one entry of what needs attention names."""
_TYPED = 3
"""As many IDs as a command that is to be typed names."""


def render_scoreboard(
    board: Scoreboard, *, width: int, now_s: float, color: bool = False
) -> str:
    """The board as text of at most `width` columns; `now_s` is what ages are counted from."""
    painter = Painter(color=color)
    columns = _Columns.fitting(board.rows, width, now_s)
    lines = [painter.paint(columns.heading(), "dim")] if board.rows else []
    for contract, rows in board.by_contract():
        lines += _contract_lines(contract, rows, width, painter)
        for row in rows:
            lines += columns.row_lines(row, painter)
        lines.append("")
    attention = list(_attention_lines(board, width, painter))
    if attention:
        heading = cut("what is not at its ceiling, the most urgent last:", width)
        lines += [painter.paint(heading, "bold"), *attention, ""]
    for text in summary_lines(board):
        lines += wrap_parts(text, width)
    return "\n".join(line.rstrip() for line in lines)


@dataclass(frozen=True, slots=True)
class _Columns:
    """How wide each column is; names give way first."""

    width: int
    now_s: float
    name: int
    status: int
    killed: int

    @classmethod
    def fitting(cls, rows: Sequence[Row], width: int, now_s: float) -> _Columns:
        """Columns that hold these rows in `width`; long IDs are cut in the middle."""
        status = _widest("level/ceiling", (harmless(short_status(r.status)) for r in rows), 31)
        killed = _widest("killed", (show_potency(row) for row in rows), 22)
        rest = 2 + 1 + status + 1 + killed + 1 + 4 + 1 + 4
        name = _widest("falsifier", (label_of(row) for row in rows), max(9, width - rest))
        return cls(width, now_s, name, status, killed)

    def heading(self) -> str:
        """The names of the columns."""
        measured = (
            "  measured: what broke its bound, else the first bound"
            if self.width >= _WIDE
            else ""
        )
        return cut(
            f"  {pad('falsifier', self.name)} {pad('level/ceiling', self.status)} "
            f"{pad('killed', self.killed)}  age on  {measured}",
            self.width,
        )

    def row_lines(self, row: Row, painter: Painter) -> Iterator[str]:
        """The row on one line, its measured value behind it or below it."""
        tone, record = tone_of(row.status), row.status.record
        status = pad(cut(harmless(short_status(row.status)), self.status), self.status)
        lane = record.lane if record is not None else ""
        rest = f" {pad(cut(show_potency(row), self.killed), self.killed)}"
        rest += f" {age_of(row, self.now_s) or '-':>4} {lane:<4}"
        start = f"{MARKS[tone]} {pad(cut_middle(label_of(row), self.name), self.name)} "
        line = painter.paint(start[0], tone) + start[1:] + painter.paint(status, tone) + rest
        measured = harmless(show_headline(row))
        used = cells(start) + self.status + cells(rest)
        if measured and self.width >= _WIDE and self.width - used >= _WIDE // 4:
            yield line + painter.paint("  " + cut(measured, self.width - used - 2), "dim")
            return
        yield line if used <= self.width else cut(start + status + rest, self.width)
        if measured:
            yield painter.paint(cut(f"    {measured}", self.width), "dim")


def _widest(heading: str, texts: Iterator[str], limit: int) -> int:
    return min(limit, max(map(cells, (heading, *texts))))


def _contract_lines(
    contract: Contract, rows: Sequence[Row], width: int, painter: Painter
) -> Iterator[str]:
    counted = [row for row in rows if row.falsifier.counted]
    done = sum(row.status.at_ceiling for row in counted)
    count = f"  {done} of {len(counted)} at their ceiling"
    name = cut_middle(harmless(contract.id), width - cells(count))
    yield painter.paint(cut(name + count, width), "bold")
    yield painter.paint(cut(f"  {harmless(contract.title)}", width), "dim")


def _attention_lines(board: Scoreboard, width: int, painter: Painter) -> Iterator[str]:
    groups: dict[tuple[StatusKind, str, str], list[Row]] = {}
    for row in reversed(by_urgency(reversed(board.rows))):
        groups.setdefault(_sameness(row), []).append(row)
    for rows in groups.values():
        yield from _entry(rows, width, painter)


def _sameness(row: Row) -> tuple[StatusKind, str, str]:
    """Rows that are alike in this are told as one: same status, same reason, same cure."""
    status = row.status
    return (status.kind, brief_reason(status), status.cure.replace(row.falsifier.id, ""))


def _entry(rows: Sequence[Row], width: int, painter: Painter) -> Iterator[str]:
    first = rows[0].status
    tone = tone_of(first)
    if len(rows) == 1:
        shown, reason, cure = short_status(first), brief_reason(first), first.cure
        if first.kind is StatusKind.BLOCKED:
            reason = ""
        head = f"{MARKS[tone]} {label_of(rows[0])}  {harmless(shown)}"
    else:
        reason = ", ".join(label_of(row) for row in rows[:_NAMED])
        if len(rows) > _NAMED:
            reason += f" and {len(rows) - _NAMED} more"
        cure = _cure_of_all(rows)
        head = f"{MARKS[tone]} {len(rows)} falsifiers {harmless(short_status(first))}"
        if first.kind is not StatusKind.BLOCKED:
            head += f": {harmless(brief_reason(first))}"
    lines = list(wrap(head, width, "", "    "))
    yield from (painter.paint(line, tone) for line in lines)
    if reason:
        yield from wrap(reason, width, "    ")
    if cure:
        yield from wrap(cure, width, "    → ")


def _cure_of_all(rows: Sequence[Row]) -> str:
    """The cure of several rows: a command without an ID does all that is due."""
    cure, name = rows[0].status.cure, rows[0].falsifier.id
    if cure.startswith("pv explain "):  # which explains nothing without a name
        return cure.replace(name, _names_of(rows))
    return cure.replace(f" {name}", "") if cure.startswith("pv ") else cure.replace(name, "ID")


def _names_of(rows: Sequence[Row]) -> str:
    """What means these falsifiers on a command line: their IDs, or a pattern that fits all."""
    names = [row.falsifier.id for row in rows]
    if len(names) <= _TYPED:
        return " ".join(names)
    pairs = zip(min(names), max(names), strict=False)
    shared = takewhile(lambda pair: pair[0] == pair[1], pairs)
    return f"'{''.join(letter for letter, _ in shared)}*'"
