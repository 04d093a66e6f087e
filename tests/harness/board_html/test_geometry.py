"""Where things stand on the page, measured in a real browser: nothing covers another."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import pytest

from pv_harness.board.html.page import render_html
from pv_harness.board.scoreboard import Scoreboard
from pv_harness.contracts.contract import Bound, Comparator
from pv_harness.judging.measurement import Measurement


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pv_harness.board.html.comparison import Since
    from pv_harness.board.scoreboard import Row

    Start = Callable[..., Any]

pytestmark = pytest.mark.browser

NOW_S = 1_790_000_000.0
HOUR_S = 3600.0
BELOW_1 = (Bound("gap", Comparator.LE, 1.0, "nats"),)
SHAPES = {
    "two points": ((0.5, 1.5), BELOW_1),
    "200 points": (tuple(1 + math.sin(i) for i in range(200)), BELOW_1),
    "all equal, outside": ((3.0,) * 9, BELOW_1),
    "all equal but the first": ((1.0001, *(1.0,) * 59), BELOW_1),
    "on the bound": ((1.0, 0.2, 1.0, 0.3, 1.0), BELOW_1),
    "bound far above": ((0.001, 0.002, 0.003), (Bound("gap", Comparator.LE, 1e6, "nats"),)),
    "bound far below": ((1e6, 2e6, 3e6, 0.5), BELOW_1),
    "bound between": ((-5.0, 7.0, 0.9, 1.1, -3.0, 6.0), BELOW_1),
    "bound at the bottom": ((5.0, 6.0, 7.0), (Bound("gap", Comparator.GE, 0.0, "nats"),)),
    "bounds close together": (
        (1.0, 50.0, 100.0, 1.0),
        (
            Bound("gap", Comparator.GE, 0.99, "nats"),
            Bound("gap", Comparator.LE, 1.01, "nats"),
            Bound("gap", Comparator.NE, 1.0, "nats"),
        ),
    ),
    "a bound of many letters": (
        (0.1, 0.2),
        (Bound("gap", Comparator.LE, 123456789.123456789, "tokens per second"),),
    ),
    "no numbers among them": ((0.5, math.nan, math.inf, -math.inf, 2.0), BELOW_1),
}
OPEN = "document.querySelectorAll('details').forEach(d => { d.open = true; })"
BOXES = """
svg => { const kind = e => e.closest('.bound-label, .off-scale, .dot, .cross')
    ? e.getAttribute('class') : 'axis';
  return [...svg.querySelectorAll('text, circle, .cross')]
  .filter(e => getComputedStyle(e).display !== 'none')
  .map(e => [kind(e), e.textContent, e.getBoundingClientRect().toJSON()]); }
"""


def measured(
    row: Row, values: Sequence[float], bounds: tuple[Bound, ...], identity: str = "F-X-0"
) -> Row:
    """The row, its claim and its runs exchanged: one run per value, an hour apart."""
    newest = row.runs[-1]
    runs = tuple(
        replace(
            newest,
            record=replace(
                newest.record,
                measurements=(Measurement("gap", value, bounds[0].unit),),
                finished_s=NOW_S - (len(values) - i) * HOUR_S,
            ),
        )
        for i, value in enumerate(values)
    )
    falsifier = replace(row.falsifier, bounds=bounds, id=identity)
    status = replace(row.status, record=runs[-1].record)
    return replace(row, falsifier=falsifier, runs=runs, status=status)


def show(visit: Start, board: Scoreboard, width: int) -> Any:
    """The page of a board with everything open."""
    html = render_html(board, now_s=NOW_S)
    page = visit(html, viewport={"width": width, "height": 900}).page
    page.evaluate(OPEN)
    return page


def touch(one: dict[str, float], other: dict[str, float]) -> bool:
    """True if the boxes have more than a hair in common."""
    across = min(one["right"], other["right"]) - max(one["left"], other["left"])
    down = min(one["bottom"], other["bottom"]) - max(one["top"], other["top"])
    return across > 0.5 and down > 0.5


@pytest.mark.parametrize("width", [390, 1280])
def test_no_word_of_a_plot_covers_a_point_or_another_word(
    visit: Start, board: Scoreboard, width: int
) -> None:
    shapes = dict(enumerate(SHAPES))
    rows = [measured(board.rows[0], *SHAPES[name], f"F-X-{i}") for i, name in shapes.items()]
    page = show(visit, Scoreboard(tuple(rows)), width)
    for i, shape in shapes.items():
        figure = page.locator(f"#F-X-{i} figure")
        boxes = figure.locator("svg.plot").evaluate(BOXES)
        labels = [box for kind, _, box in boxes if kind == "bound-label"]
        assert len(labels) == len(SHAPES[shape][1]), shape
        assert len(boxes) > len(labels) + 4, shape
        for (kind, text, box), (other_kind, other_text, other) in combinations(boxes, 2):
            # Points of one run stand on one another, and so do those that leave the scale.
            if "axis" in {kind, other_kind} or "bound-label" in {kind, other_kind}:
                assert not touch(box, other), (shape, kind, text, other_kind, other_text)
        around = figure.bounding_box()
        for box in labels:
            assert box["right"] <= around["x"] + around["width"] + 0.5, shape


@pytest.mark.parametrize("width", [320, 390, 650, 800, 1000, 1280])
def test_a_value_stands_on_one_line_with_its_unit(
    visit: Start, board: Scoreboard, width: int
) -> None:
    bounds = (
        Bound("time_per_update_and_token", Comparator.LE, 0.00123456, "seconds"),
        Bound("largest_move", Comparator.GE, 1e-9, "rates of AdamW"),
    )
    row = measured(board.of({"FALSIFY-LIVE-001"}).rows[0], (0.0123456, 0.00345678), bounds)
    last = row.runs[-1].record
    found = (
        Measurement("time_per_update_and_token", 0.00345678, "seconds", 4864),
        Measurement("largest_move", 1.23456e-7, "rates of AdamW", 100_000),
    )
    record = replace(last, measurements=found, series=board.rows[5].runs[-1].record.series)
    row = replace(
        row,
        status=replace(row.status, record=record),
        runs=(*row.runs[:-1], replace(row.runs[-1], record=record)),
    )
    page = show(visit, Scoreboard((row,)), width)
    lines = page.locator(".body .whole").evaluate_all(
        "all => all.map(e => [e.textContent, e.getClientRects().length])"
    )
    texts = [text for text, _ in lines]
    assert {"0.00345678 seconds", "≤ 0.00123456 seconds", "≥ 1e-09 rates of AdamW"} <= {*texts}
    assert [text for text, count in lines if count != 1] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [320, 390, 640, 641, 768, 769, 992, 993, 1280])
def test_no_width_scrolls_sideways(
    visit: Start, board: Scoreboard, since: Since, width: int
) -> None:
    html = render_html(board, now_s=NOW_S, since=since)
    page = visit(html, viewport={"width": width, "height": 900}).page
    page.evaluate(OPEN)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_one_value_needs_no_plot(visit: Start, board: Scoreboard) -> None:
    page = show(visit, Scoreboard((measured(board.rows[0], (2.0,), BELOW_1),)), 1280)
    assert page.locator("svg.plot").count() == 0
    assert page.locator("figure").get_by_role("cell", name="outside").is_visible()
