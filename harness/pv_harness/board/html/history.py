"""What each run measured, as a plot per metric: values by run, bounds as lines."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pv_harness.board.html import moment
from pv_harness.board.html.margin_bar import show_bound
from pv_harness.board.html.markup import Markup, join, tag
from pv_harness.board.html.plot import Frame, draw, figure, margin_for
from pv_harness.board.html.scale import Scale, scale_for, show_tick
from pv_harness.board.html.tables import table
from pv_harness.contracts.contract import show_value
from pv_harness.judging.measurement import is_number, judge


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pv_harness.board.html.markup import Child
    from pv_harness.board.scoreboard import Row
    from pv_harness.contracts.contract import Bound, Scalar, Seeds
    from pv_harness.deriving.status import Assessed
    from pv_harness.evidence.records import RunRecord

MAX_RUNS = 60
"""As many as can be told apart on a plot; the newest."""
_LONGEST_LABEL = 12
"""A number of more letters than that is rounded beside the plot; below it stands whole."""


@dataclass(frozen=True, slots=True)
class Point:
    """One measured value: which run measured it, and how it stands to the present bounds."""

    run: int
    value: Scalar
    holds: bool
    fresh: bool

    @property
    def number(self) -> float | None:
        """The value if an axis can hold it, NaN included; None for a word or a truth value."""
        if isinstance(self.value, (bool, str)):
            return None
        return float(self.value)


@dataclass(frozen=True, slots=True)
class History:
    """One metric over the runs."""

    metric: str
    bounds: tuple[Bound, ...]
    runs: tuple[RunRecord, ...]
    points: tuple[Point, ...]

    @property
    def steady(self) -> bool:
        """True if every run measured the same, within the bounds: nothing to see in a plot."""
        first = self.points[0].value
        return all(p.holds and p.value == first for p in self.points)

    @property
    def measured_runs(self) -> int:
        """How many of the runs measured it."""
        return len({point.run for point in self.points})

    @property
    def numeric(self) -> bool:
        """True if every value can stand on an axis."""
        return all(point.number is not None for point in self.points)

    @property
    def outside(self) -> int:
        """How many values are outside the bounds."""
        return sum(not point.holds for point in self.points)


def histories(row: Row) -> tuple[History, ...]:
    """What the runs measured, per metric that a bound of the claim or of a level names."""
    newest = sorted(row.runs, key=lambda a: a.record.finished_s)[-MAX_RUNS:]
    bounds = (*row.falsifier.bounds, *(b for r in row.falsifier.levels for b in r.measurements))
    found = []
    for metric in dict.fromkeys(bound.metric for bound in bounds):
        own = tuple(dict.fromkeys(bound for bound in bounds if bound.metric == metric))
        points = tuple(
            point
            for i, assessed in enumerate(newest)
            for point in _points(i, assessed, own, row.falsifier.seeds)
        )
        if points:
            found.append(History(metric, own, tuple(a.record for a in newest), points))
    return tuple(found)


def _points(
    run: int, assessed: Assessed, bounds: Sequence[Bound], seeds: Seeds | None
) -> Iterator[Point]:
    """What was held against the bounds: each value, or the limit of a mean over seeds."""
    judged, _ = judge(bounds, assessed.record.measurements, seeds)
    values = {id(judgement.measurement): judgement.measurement.value for judgement in judged}
    broken = {id(judgement.measurement) for judgement in judged if not judgement.holds}
    for key, value in values.items():
        yield Point(run, value, key not in broken, not assessed.changes)


def plots(row: Row) -> Iterator[Child]:
    """The plots of what changed, and one sentence on what never did."""
    known = histories(row)
    moving = [h for h in known if not h.steady]
    steady = [h for h in known if h.steady and h.measured_runs > 1]
    shown = [_plot(h) if h.numeric and h.measured_runs > 1 else _values(h) for h in moving]
    if shown:
        yield tag("div", *shown, class_="figures")
    if steady:
        values = (
            join([tag("code", h.metric), " ", show_value(h.points[0].value)]) for h in steady
        )
        runs = max(h.measured_runs for h in steady)
        yield tag("p", f"The same in every run ({runs}): ", join(values, ", "), class_="quiet")
    if known and not shown and not steady:
        yield tag("p", "Measured in one run so far.", class_="quiet")


def _plot(history: History) -> Markup:
    numbers = [p.number for p in history.points if p.number is not None]
    count = len(history.runs)
    lines = _bound_lines(history.bounds)
    frame = Frame(
        Scale(-0.5, max(count - 0.5, 0.6)),
        scale_for([*numbers, *lines]),
        margin_for(lines.values()),
    )
    drawing = draw(
        frame,
        [
            *(frame.level_line(threshold, "bound") for threshold in lines),
            *frame.level_labels(tuple(lines.items())),
            *_thread(frame, history),
            *(_dot(frame, point) for point in history.points),
        ],
        title=f"{history.metric} over {history.measured_runs} runs",
        description=_describe(history),
        x_ticks=_dates(history.runs),
        labels=("runs, oldest first", history.bounds[0].unit or ""),
    )
    allowed = " and ".join(show_bound(bound) for bound in history.bounds)
    caption: list[Child] = [tag("b", history.metric), f" {allowed}. {_describe(history)}"]
    return figure(drawing, join(caption), _numbers(history))


def _values(history: History) -> Markup:
    """What can't be drawn: words, truth values, a single run outside its bound."""
    return tag("figure", tag("figcaption", tag("b", history.metric)), _numbers(history))


def _bound_lines(bounds: Iterable[Bound]) -> dict[float, str]:
    """Threshold -> what is written beside its line; units stand at the axis and below."""
    lines: dict[float, str] = {}
    for bound in bounds:
        if is_number(bound.threshold):
            value = float(bound.threshold)
            shown = show_value(bound.threshold)
            shown = shown if len(shown) <= _LONGEST_LABEL else show_tick(value)
            text = f"{bound.comparator.sign} {shown}"
            if text not in lines.get(value, ""):
                lines[value] = f"{lines[value]} {text}" if value in lines else text
    return lines


def _thread(frame: Frame, history: History) -> Iterator[Markup]:
    """A line through the last value of each run."""
    last = {
        p.run: p.number
        for p in history.points
        if p.number is not None and math.isfinite(p.number)
    }
    if len(last) > 1:
        yield frame.line([frame.place(run, value) for run, value in last.items()], "thread")


def _dot(frame: Frame, point: Point) -> Markup:
    """A disc within the bounds, a cross outside, hollow if the tree has changed since."""
    number = point.number
    assert number is not None
    x = frame.across(point.run)
    if not math.isfinite(number):
        return tag("text", show_value(number), x=x, y=frame.top + 2, class_="off-scale")
    y = frame.down(number)
    if point.holds:
        return tag("circle", cx=x, cy=y, r=3.5, class_="dot" if point.fresh else "dot old")
    cross = f"M{x - 4:g} {y - 4:g}l8 8m0-8l-8 8"
    return tag("path", d=cross, class_="cross" if point.fresh else "cross old")


def _describe(history: History) -> str:
    count = history.measured_runs
    runs = "1 run" if count == 1 else f"{count} runs"
    if not history.outside:
        return f"Within the bound in all {runs}."
    return f"{history.outside} of {len(history.points)} values outside the bound, in {runs}."


def _dates(runs: Sequence[RunRecord]) -> tuple[tuple[float, str], ...]:
    """When the first run was, the last, and one between if there is room: days, or hours."""
    last = len(runs) - 1
    chosen = sorted({0, last} | ({last // 2} if last > 3 else set()))
    days = [moment.show_day(runs[i].finished_s) for i in chosen]
    if len(set(days)) < len(days):
        days = [moment.show_moment(runs[i].finished_s).removesuffix(" UTC") for i in chosen]
    return tuple(zip(map(float, chosen), days, strict=True))


def _numbers(history: History) -> Markup:
    rows = [
        (
            moment.show_moment(history.runs[point.run].finished_s),
            show_value(point.value),
            "within" if point.holds else "outside",
            "this tree" if point.fresh else "an earlier one",
        )
        for point in reversed(history.points)
    ]
    return table(f"{history.metric}, newest first", ("run", "value", "bound", "tree"), rows)
