"""The scoreboard and one falsifier's explanation, as a terminal shows them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from pv_harness.board.scoreboard import closeness, summary_lines
from pv_harness.contracts.contract import show_value
from pv_harness.judging.status import StatusKind


if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from rich.text import Text

    from pv_harness.board.scoreboard import Row, Scoreboard
    from pv_harness.evidence.records import RunRecord
    from pv_harness.judging.status import Status

_WIDE = 120
_STYLES = {
    StatusKind.LEVEL: "green",
    StatusKind.FAILED: "bold red",
    StatusKind.FLAKY: "bold red",
    StatusKind.VACUOUS: "bold red",
    StatusKind.ERROR: "bold magenta",
    StatusKind.STALE: "yellow",
    StatusKind.UNBOUND: "yellow",
    StatusKind.NOT_RUN: "yellow",
    StatusKind.BLOCKED: "cyan",
}


def render_scoreboard(
    board: Scoreboard, *, width: int, now_s: float, color: bool = False
) -> str:
    """The board as text of at most `width` columns; `now_s` is what ages are counted from."""
    console = _console(width, color=color)
    column = max([len("falsifier"), *(len(_label(row)) for row in board.rows)])
    console.print(_heading(column, width))
    for contract, rows in board.by_contract():
        done = sum(row.status.at_ceiling for row in rows if row.falsifier.counted)
        total = sum(row.falsifier.counted for row in rows)
        console.print(_plain(f"{contract.id}  {done} of {total} at their ceiling", "bold"))
        console.print(_cut(_plain(f"  {contract.title}", "dim"), width))
        for row in rows:
            for shown in _row_lines(row, column, width, now_s):
                console.print(shown)
        console.print()
    for text in summary_lines(board):
        for line in _wrapped(text, width, ""):
            console.print(line)
    return _text_of(console)


def render_explanation(row: Row, *, width: int, now_s: float, color: bool = False) -> str:
    """One falsifier: the claim, its status, each condition, and what would cure the first."""
    console = _console(width, color=color)
    falsifier, status = row.falsifier, row.status
    console.print(_plain(f"{falsifier.id}  {status}", _STYLES[status.kind]))
    for label, text in (
        ("contract", f"{row.contract.id} {row.contract.version}"),
        ("rule", falsifier.rule),
        ("prediction", falsifier.prediction),
        ("if it fails", falsifier.if_fails),
        ("bounds", "; ".join(str(bound) for bound in falsifier.bounds)),
    ):
        _print_field(console, label, text)
    if status.record is not None:
        _print_field(console, "evidence", _describe_record(status.record, now_s))
    for line in _evidence_lines(row):
        console.print(_plain(line))
    if status.why and not status.at_ceiling:
        _print_field(console, "why not higher", status.why)
    if status.record is not None and status.kind in _RED:
        # The first line is why it is not higher; below is what the check itself printed.
        for text in status.record.reason.splitlines()[1:]:
            console.print(_cut(_plain(f"    {text}", "dim"), width))
    if status.cure:
        _print_field(console, "to change that", status.cure)
    return _text_of(console)


_RED = {StatusKind.FAILED, StatusKind.FLAKY, StatusKind.ERROR}


def show_age(seconds: float) -> str:
    """An age in its largest unit: 45s, 12m, 5h, 3d."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{max(0, int(seconds))}s"


def _row_lines(row: Row, column: int, width: int, now_s: float) -> Iterator[Text]:
    from rich.text import Text

    status = row.status
    line = Text(f"  {_label(row):<{column}} ")
    shown = _short_status(status)
    line.append(f"{shown:<24}", style=_STYLES[status.kind])
    line.append(f" {status.potency!s:>6}" if status.potency.planted else " " * 7)
    age = show_age(now_s - status.record.finished_s) if status.record else "-"
    line.append(f" {age:>4}")
    measured = _show_tightest(row)
    if width >= _WIDE and measured:
        line.append(f"  {measured}", style="dim")
    yield _cut(line, width)
    if status.at_ceiling:
        return
    text = f"{status.detail}: {status.why}" if _adds(status) else status.why or status.detail
    if status.kind is not StatusKind.BLOCKED:
        yield from _wrapped(text, width, "      ↳ ")
    if status.cure:
        yield from _wrapped(status.cure, width, "      → ")


def _label(row: Row) -> str:
    return row.falsifier.id + ("" if row.falsifier.counted else "¹")


def _heading(column: int, width: int) -> Text:
    text = f"  {'falsifier':<{column}} {'level/ceiling':<24} {'killed':>6} {'age':>4}"
    measured = "  measured, nearest to its bound" if width >= _WIDE else ""
    return _cut(_plain(text + measured, "dim"), width)


def _cut(line: Text, width: int) -> Text:
    line.truncate(width, overflow="ellipsis")
    return line


def _adds(status: Status) -> bool:
    return bool(status.detail and status.why) and status.why not in status.detail


def _short_status(status: Status) -> str:
    if status.kind in {StatusKind.LEVEL, StatusKind.BLOCKED}:
        return str(status)
    if status.kind is StatusKind.STALE and status.level is not None:
        return f"STALE(was {status.level.value})"
    return str(status.kind.value)


def _show_tightest(row: Row) -> str:
    judgement = row.tightest
    if judgement is None:
        return ""
    bound = judgement.bound
    value = show_value(judgement.measurement.value)
    return f"{bound.metric} {value} ({bound.comparator.sign} {show_value(bound.threshold)})"


def _describe_record(record: RunRecord, now_s: float) -> str:
    where = ", ".join(f"{k} {v}" for k, v in sorted((record.environment or {}).items()))
    return f"{record.statement[:12]} · {show_age(now_s - record.finished_s)} ago · {where}"


def _evidence_lines(row: Row) -> Iterator[str]:
    """The worst measurement under each bound, then each condition of the levels."""
    for bound in row.falsifier.bounds:
        judged = [j for j in row.judgements if j.bound == bound]
        if judged:
            worst = min(judged, key=closeness)
            margin = "" if worst.margin is None else f", margin {worst.margin:.4g}"
            of = f", worst of {len(judged)}" if len(judged) > 1 else ""
            yield f"  {'✓' if worst.holds else '✗'} {worst}{margin}{of}"
    for condition in row.status.conditions:
        yield f"  {'✓' if condition.holds else '✗'} {condition.text}"


def _print_field(console: Console, label: str, text: str) -> None:
    for line in _wrapped(text, console.width, f"  {label:<15} "):
        console.print(line)


def _wrapped(text: str, width: int, prefix: str) -> list[Text]:
    import textwrap

    lines = textwrap.wrap(text, max(20, width - len(prefix)), break_on_hyphens=False) or [""]
    indent = " " * len(prefix)
    return [_plain((prefix if i == 0 else indent) + part) for i, part in enumerate(lines)]


def _plain(text: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(_printable(text), style=style)


def _printable(text: str) -> str:
    """Text from contracts and logs without control characters: it may not drive a terminal."""
    return "".join(
        c if c.isprintable() or c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in text
    )


def _console(width: int, *, color: bool) -> Console:
    from rich.console import Console

    return Console(
        file=io.StringIO(),
        width=width,
        force_terminal=color,
        color_system="standard" if color else None,
        highlight=False,
        markup=False,
        emoji=False,
    )


def _text_of(console: Console) -> str:
    stream = console.file
    assert isinstance(stream, io.StringIO)
    text = str(stream.getvalue())
    return "\n".join(line.rstrip() for line in text.splitlines())
