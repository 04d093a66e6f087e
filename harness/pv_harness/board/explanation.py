"""One falsifier as a terminal shows it: the claim, what was seen, and why it is not higher."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.board.lines import Painter, wrap
from pv_harness.board.phrases import (
    Tone,
    brief_reason,
    harmless_line,
    short_status,
    show_age,
    show_judgement,
    show_potency,
    tone_of,
    why_unanswered,
)
from pv_harness.board.scoreboard import closeness
from pv_harness.board.terminal import MARKS
from pv_harness.contracts.contract import Defect, show_value
from pv_harness.deriving.status import StatusKind
from pv_harness.evidence.records import Verdict
from pv_harness.judging.measurement import judge


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pv_harness.board.scoreboard import Row
    from pv_harness.contracts.contract import LevelRule
    from pv_harness.evidence.records import RunRecord

_LABEL = 18
_PRINTED_LINES = 40
"""Of what a red check printed, so much is shown: the end, where Python says what happened."""


def render_explanation(
    row: Row,
    *,
    width: int,
    now_s: float,
    color: bool = False,
    line: int | None = None,
    changes: Sequence[str] = (),
) -> str:
    """One falsifier: its claim, its evidence, each condition, and the one thing to do next.

    Args:
        row: the falsifier on the board.
        width: columns of the terminal.
        now_s: what ages are counted from.
        color: whether to use colours.
        line: where the falsifier stands in its contract's file, if that is known.
        changes: what made the evidence stale, in more detail than the row knows.
    """
    painter = Painter(color=color)
    page = _Page(width, painter)
    tone = tone_of(row.status)
    title = f"{row.falsifier.id}  {short_status(row.status)}"
    lines = [painter.paint(text, tone) for text in wrap(title, width, "", "  ")]
    for part in (
        _claim(row, page, line),
        _seen(row, page, now_s),
        _planted(row, page),
        _next_step(row, page, changes),
    ):
        found = list(part)
        lines += ["", *found] if found else []
    return "\n".join(text.rstrip() for text in lines)


class _Page:
    """Lines of one width: fields with a label, and findings with a mark."""

    def __init__(self, width: int, painter: Painter) -> None:
        self.width = width
        self.painter = painter

    def field(self, label: str, *texts: str) -> Iterator[str]:
        """`label  text`, each text beginning on a line of its own under the first."""
        start = f"  {label:<{_LABEL - 3}} "
        for text in filter(None, texts):
            yield from wrap(text, self.width, start, " " * _LABEL)
            start = " " * _LABEL

    def finding(self, tone: Tone, text: str) -> Iterator[str]:
        """`✓ text` or `✗ text`, in the tone's colour if it is not good."""
        style = None if tone is Tone.GOOD else tone
        for line in wrap(text, self.width, f"  {MARKS[tone]} ", "      "):
            yield self.painter.paint(line, style)

    def quoted(self, text: str) -> Iterator[str]:
        """The end of what a check printed, line by line, uncut: it is there to be copied."""
        printed = text.splitlines()
        if len(printed) > _PRINTED_LINES:
            left = len(printed) - _PRINTED_LINES
            yield self.painter.paint(f"    … {left} more lines above", "dim")
        for line in printed[-_PRINTED_LINES:]:
            yield self.painter.paint(f"    {harmless_line(line)}", "dim")

    def names(self, label: str, names: Sequence[str]) -> Iterator[str]:
        """`label  name`, one per line, uncut: a name is there to be copied."""
        start = f"  {label:<{_LABEL - 3}} "
        for name in names:
            yield start + harmless_line(name)
            start = " " * _LABEL


def _claim(row: Row, page: _Page, line: int | None) -> Iterator[str]:
    falsifier, contract = row.falsifier, row.contract
    place = f"{contract.path}:{line}" if line else str(contract.path)
    yield from page.field("contract", f"{contract.id} {contract.version}, {place}")
    yield from page.field("rule", falsifier.rule)
    yield from page.field("prediction", falsifier.prediction)
    yield from page.field("if it fails", falsifier.if_fails)
    yield from page.field("bounds", "; ".join(str(bound) for bound in falsifier.bounds))
    yield from page.field("levels", *(_describe_level(rule) for rule in falsifier.levels))
    yield from page.field("covers", ", ".join(falsifier.covers))
    yield from page.field("needs", falsifier.requires or "")
    yield from page.field("repeated with", str(falsifier.seeds or ""))
    yield from page.names("checks", [check.node_id for check in row.checks])


def _describe_level(rule: LevelRule) -> str:
    asked = [f"{entry} reached" for entry in rule.reached]
    asked += [f"on {rule.device}"] if rule.device else []
    asked += [f"input {name}" for name in rule.inputs]
    asked += [str(bound) for bound in rule.measurements]
    return f"{rule.level.value}: {', '.join(asked) or 'bounds kept, defects killed'}"


def _seen(row: Row, page: _Page, now_s: float) -> Iterator[str]:
    """The record that the status rests on: when and where, its numbers, each condition."""
    record = row.status.record
    if record is None:
        return
    yield from page.field("evidence", _describe_record(record, now_s))
    facts = sorted((record.environment or {}).items())
    yield from page.field("made on", ", ".join(f"{name} {value}" for name, value in facts))
    attempts = {run.attempt for run in row.fresh_runs}
    if attempts - {1}:
        tried = f"{max(attempts)} in one run; attempt {record.attempt} is the one shown"
        yield from page.field("attempts", tried)
    seeds = sorted({m.seed for m in record.measurements if m.seed is not None})
    yield from page.field("seeds", ", ".join(map(str, seeds)))
    yield from _numbers(row, page)
    for condition in row.status.conditions:
        yield from page.finding(Tone.GOOD if condition.holds else Tone.BAD, condition.text)


def _describe_record(record: RunRecord, now_s: float) -> str:
    age = show_age(now_s - record.finished_s)
    stored = record.statement[:12] or "not stored"
    return f"{stored} · {age} ago · on {record.lane} · took {record.duration_s:.3g} s"


def _numbers(row: Row, page: _Page) -> Iterator[str]:
    """The worst measurement under each bound."""
    for bound in row.falsifier.bounds:
        judged = [j for j in row.judgements if j.bound == bound]
        if judged:
            worst = min(judged, key=closeness)
            of = f", worst of {len(judged)}" if len(judged) > 1 else ""
            tone = Tone.GOOD if worst.holds else Tone.BAD
            yield from page.finding(tone, show_judgement(worst) + of)
    yield from page.field("measured besides", ", ".join(_unjudged(row)))


def _unjudged(row: Row) -> Iterator[str]:
    """What was measured and held against no bound: of no bound's name, or in another unit."""
    record, rules = row.status.record, row.falsifier.levels
    bounds = [*row.falsifier.bounds, *(b for rule in rules for b in rule.measurements)]
    for measured in record.measurements if record is not None else ():
        if not any(judge([bound], [measured])[0] for bound in bounds):
            unit = f" {measured.unit}" if measured.unit else ""
            yield f"{measured.metric} {show_value(measured.value)}{unit}"


def _planted(row: Row, page: _Page) -> Iterator[str]:
    """What each planted change did, at the present fingerprint."""
    if not row.falsifier.plants:
        return
    yield from page.field("planted defects", f"{show_potency(row) or 'none'} killed")
    for plant in row.falsifier.plants:
        name = plant.id if isinstance(plant, Defect) else f"control {plant.id}"
        answer = row.answer(plant)
        if answer is None:
            yield from page.finding(Tone.OPEN, f"{name}: {why_unanswered(row, plant)}")
        elif answer.outcome.counts:
            yield from page.finding(Tone.GOOD, f"{name} {answer.outcome.value}")
        else:
            why = next(iter(answer.reason.strip().splitlines()), "")
            told = f"{name} {answer.outcome.value}" + (f": {why}" if why else "")
            yield from page.finding(Tone.BAD, told)


def _next_step(row: Row, page: _Page, changes: Sequence[str]) -> Iterator[str]:
    status = row.status
    if row.changes:
        known = changes or tuple(str(change) for change in row.changes)
        yield from page.field("changed since", *known)
    if status.record is not None and status.record.opened:
        opened = ", ".join(status.record.opened)
        yield from page.field("read, undeclared", opened)
        yield from page.field("", "a change of these would not make the evidence stale")
    if status.at_ceiling:
        return
    yield from page.field("why not higher", brief_reason(status))
    if status.record is not None and status.record.verdict in _RED and not row.changes:
        # The first line is why it is not higher; below is what the check itself printed.
        printed = status.record.reason.strip().partition("\n")[2]
        yield from page.quoted(printed)
    yield from page.field("to change that", _cure(row))


_RED = {Verdict.FAILED, Verdict.ERROR}


def _cure(row: Row) -> str:
    """The status's own cure, unless that is to read what is being read here."""
    own = f"pv explain {row.falsifier.id}"
    if row.status.cure != own:
        return row.status.cure
    if row.status.kind is StatusKind.ERROR:
        return f"correct the check, or what it needs; then pv run --prove {row.falsifier.id}"
    return f"correct code, check or claim; then pv run --prove {row.falsifier.id}"
