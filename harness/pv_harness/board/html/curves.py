"""Curves that checks recorded, a loss by step say: those of one kind in one plot."""

from __future__ import annotations

import math
from itertools import accumulate, groupby
from typing import TYPE_CHECKING

from pv_harness.board.html import moment
from pv_harness.board.html.markup import Markup, join, tag
from pv_harness.board.html.plot import Frame, draw, figure, legend, number_ticks
from pv_harness.board.html.scale import scale_along, scale_for, show_tick
from pv_harness.board.html.tables import table
from pv_harness.board.html.whole import whole


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pv_harness.board.html.markup import Child
    from pv_harness.board.scoreboard import Row
    from pv_harness.evidence.records import RunRecord, Series

MAX_POINTS = 300
"""More than a plot of this width can show."""
_COLORS = 6


def plots(row: Row) -> Iterator[Child]:
    """The curves of the newest run that has any, a fresh one first."""
    recorded = [a for a in row.runs if any(s.x for s in a.record.series)]
    if not recorded:
        return
    newest = max(recorded, key=lambda a: (not a.changes, a.record.finished_s))
    old = " It is of an earlier tree." if newest.changes else ""
    when = moment.moment(newest.record.finished_s)
    yield tag("p", "Recorded in the run of ", when, f", to look at and never judged.{old}")
    yield tag("div", *(_plot(group) for group in _groups(newest.record)), class_="figures")


def pieces(series: Series, most: int = MAX_POINTS) -> list[list[tuple[float, float]]]:
    """A curve as lines to draw, of at most `most` points in all that keep every peak.

    Points that are not finite are left out, and no line goes across the place of one.
    """
    points = list(zip(series.x, series.y, strict=False))
    drawable = [math.isfinite(x) and math.isfinite(y) for x, y in points]
    before = list(accumulate(not is_drawable for is_drawable in drawable))
    kept = _peaks([i for i, is_drawable in enumerate(drawable) if is_drawable], series.y, most)
    return [[points[i] for i in line] for _, line in groupby(kept, before.__getitem__)]


def _peaks(places: Sequence[int], values: Sequence[float], most: int) -> Sequence[int]:
    """At most `most` of the places: of each stretch the lowest and the highest."""
    if len(places) <= most:
        return places
    count = most // 2
    kept: list[int] = []
    for i in range(count):
        stretch = places[i * len(places) // count : (i + 1) * len(places) // count]
        kept += sorted({f(stretch, key=values.__getitem__) for f in (min, max)})
    return kept


def _groups(record: RunRecord) -> list[list[Series]]:
    """The series that share a check and units share a plot."""
    groups: dict[tuple[str, str | None, str | None], list[Series]] = {}
    for series in record.series:
        if series.x:
            groups.setdefault((series.node, series.x_unit, series.unit), []).append(series)
    return list(groups.values())


def _plot(group: Sequence[Series]) -> Markup:
    most = max(20, MAX_POINTS * 2 // (len(group) + 1))
    lines = [(i, line) for i, series in enumerate(group) for line in pieces(series, most)]
    frame = Frame(
        scale_along([x for _, line in lines for x, _ in line]),
        scale_for([y for _, line in lines for _, y in line]),
    )
    names = ", ".join(series.name for series in group)
    x_unit, unit = group[0].x_unit or "", group[0].unit or ""
    drawing = draw(
        frame,
        [frame.line([frame.place(x, y) for x, y in line], _class_of(i)) for i, line in lines],
        title=f"{names} by {x_unit or 'position'}",
        description=" ".join(f"{_describe(series)}." for series in group),
        x_ticks=number_ticks(frame),
        labels=(x_unit, unit),
    )
    key = legend((_class_of(i), series.name) for i, series in enumerate(group))
    return figure(drawing, key, _numbers(group))


def _class_of(number: int) -> str:
    return f"curve c{number % _COLORS}"


def _describe(series: Series) -> str:
    first, last = show_tick(series.y[0]), show_tick(series.y[-1])
    return f"{series.name} goes from {first} to {last}"


def _numbers(group: Sequence[Series]) -> Markup:
    columns = ("curve", "points", "first", "lowest", "highest", "last", "not finite")
    return table("Curves in numbers", columns, [_cells(series) for series in group])


def _cells(series: Series) -> Sequence[Child]:
    finite = [(y, x) for x, y in zip(series.x, series.y, strict=False) if math.isfinite(y)]
    unit = f" {series.x_unit}" if series.x_unit else ""

    def at(point: tuple[float, float]) -> Child:
        place = f"at{unit} {show_tick(point[1])}"
        return join([whole(show_tick(point[0])), whole(place)], " ")

    none = ("\N{EN DASH}", "\N{EN DASH}")
    ends: Sequence[Child] = (at(min(finite)), at(max(finite))) if finite else none
    return (
        series.name,
        str(len(series.y)),
        at((series.y[0], series.x[0])),
        *ends,
        at((series.y[-1], series.x[-1])),
        str(len(series.y) - len(finite)),
    )
