"""Plots of numbers that no axis can hold: evidence may have any float, from any machine."""

from __future__ import annotations

import math
from dataclasses import replace
from re import findall
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from pv_harness.board.html import curves, history
from pv_harness.board.html.curves import pieces
from pv_harness.board.html.markup import join
from pv_harness.board.html.plot import HEIGHT, WIDTH, Frame, draw, number_ticks
from pv_harness.board.html.scale import scale_along, scale_for, show_tick
from pv_harness.evidence.records import Series
from pv_harness.judging.measurement import Measurement


if TYPE_CHECKING:
    from collections.abc import Callable

    from pv_harness.board.scoreboard import Row, Scoreboard

    Parse = Callable[[str], Any]

ODD = st.sampled_from([math.inf, -math.inf, math.nan, 0.0, -0.0, 5e-324, 1e300, -1e308, 1e308])
FLOATS = st.floats() | ODD
POINTS = st.lists(st.tuples(FLOATS, FLOATS), min_size=1, max_size=8)
MANY = settings(max_examples=60, suppress_health_check=[HealthCheck.differing_executors])


def drawn_with(row: Row, points: list[tuple[float, float]]) -> str:
    """The plots of one run with one curve through these points."""
    x, y = tuple(a for a, _ in points), tuple(b for _, b in points)
    newest = row.runs[-1]
    record = replace(newest.record, series=(Series("loss", x, y, "step", "nats", "t"),))
    return join(curves.plots(replace(row, runs=(replace(newest, record=record),)))).html


def assert_inside(drawn: str) -> None:
    """Every place of every line and mark is a number within its drawing."""
    assert "nan" not in "".join(findall(r' d="([^"]*)"', drawn))
    for line in findall(r'<path d="M([^"H]*)" class="(?:curve|thread)', drawn):
        for place in line.removesuffix("h0").split("L"):
            across, down = map(float, place.split())
            assert 0 <= across <= WIDTH
            assert 0 <= down <= HEIGHT


@given(FLOATS)
def test_every_float_has_a_tick(value: float) -> None:
    text = show_tick(value)
    assert len(text) <= 11
    assert math.isnan(float(text)) if math.isnan(value) else text
    assert math.isfinite(float(text)) == math.isfinite(value) or abs(value) > 1.7e308


@given(POINTS)
def test_any_points_can_be_framed_and_have_places(points: list[tuple[float, float]]) -> None:
    frame = Frame(scale_along([x for x, _ in points]), scale_for([y for _, y in points]))
    for x, y in points:
        across, down = frame.place(x, y)
        assert 0 <= across <= WIDTH
        assert 0 <= down <= HEIGHT
    drawing = draw(frame, [], title="t", description="d", x_ticks=number_ticks(frame))
    assert drawing.html.startswith("<svg")


@MANY
@given(points=POINTS)
def test_any_curve_is_drawn(
    board: Scoreboard, parse: Parse, points: list[tuple[float, float]]
) -> None:
    drawn = drawn_with(board.rows[0], points)
    assert parse(drawn).all("figure")
    assert_inside(drawn)


@MANY
@given(values=st.lists(FLOATS | st.integers(-(10**300), 10**300), min_size=1, max_size=6))
def test_any_history_is_drawn(board: Scoreboard, parse: Parse, values: list[float]) -> None:
    row = next(row for row in board.rows if row.runs and row.falsifier.bounds)
    metric = row.falsifier.bounds[0].metric
    runs = tuple(
        replace(
            row.runs[0],
            record=replace(row.runs[0].record, measurements=(Measurement(metric, value),)),
        )
        for value in values
    )
    drawn = join(history.plots(replace(row, runs=runs))).html
    parse(drawn)
    assert_inside(drawn)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((1.0, 2.0, math.inf), "goes from 1 to inf"),
        ((-math.inf, 1.0), "goes from -inf to 1"),
        ((1.0, math.nan), "goes from 1 to nan"),
        ((math.nan,) * 3, "goes from nan to nan"),
    ],
)
def test_a_curve_that_leaves_the_numbers_says_where_to(
    board: Scoreboard, parse: Parse, values: tuple[float, ...], words: str
) -> None:
    points = [(float(i), y) for i, y in enumerate(values)]
    assert words in parse(drawn_with(board.rows[0], points)).text


def test_no_line_is_drawn_across_a_value_that_is_no_number() -> None:
    y = (1.0, 2.0, math.nan, 3.0, math.inf, 4.0, 5.0)
    series = Series("loss", tuple(map(float, range(7))), y)
    assert pieces(series) == [[(0, 1), (1, 2)], [(3, 3)], [(5, 4), (6, 5)]]


@given(st.lists(FLOATS, max_size=200), st.integers(20, 60))
def test_the_pieces_of_a_curve_are_few_points(values: list[float], most: int) -> None:
    series = Series("loss", tuple(map(float, range(len(values)))), tuple(values))
    points = [point for piece in pieces(series, most) for point in piece]
    assert len(points) <= most
    assert points == sorted(points)
    assert all(math.isfinite(value) for point in points for value in point)


@pytest.mark.parametrize(
    ("hours", "labels"),
    [
        ((0, 3), {"2027-01-15 08:00", "2027-01-15 11:00"}),
        ((0, 48), {"2027-01-15", "2027-01-17"}),
    ],
)
def test_runs_of_one_day_are_told_apart_by_the_time(
    board: Scoreboard, hours: tuple[float, ...], labels: set[str]
) -> None:
    row = next(row for row in board.rows if row.runs and row.falsifier.bounds)
    metric = row.falsifier.bounds[0].metric
    runs = tuple(
        replace(
            row.runs[0],
            record=replace(
                row.runs[0].record,
                measurements=(Measurement(metric, 1.0 + hour),),
                finished_s=1_800_000_000.0 + 3600 * hour,
            ),
        )
        for hour in hours
    )
    drawn = join(history.plots(replace(row, runs=runs))).html
    shown = set(findall(r">(2027-[^<]*)</text>", drawn))
    assert shown == labels
