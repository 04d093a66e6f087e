from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from tests.harness.board.conftest import boards, make_board

from pv_harness.board.badge import render_badge, render_badge_svg


if TYPE_CHECKING:
    from pv_harness.board.scoreboard import Scoreboard


SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    ("kinds", "message", "color"),
    [
        (("GOOD", "GOOD"), "2/2 at ceiling", "brightgreen"),
        (("GOOD", "APART"), "1/1 at ceiling", "brightgreen"),
        (("GOOD", "BLOCKED"), "1/2 at ceiling", "yellowgreen"),
        (("GOOD", "BELOW"), "1/2 at ceiling", "yellowgreen"),
        (("GOOD", "WAIVED"), "1/2 at ceiling", "yellowgreen"),
        (("GOOD", "STALE", "BELOW"), "1/3 at ceiling", "yellow"),
        (("GOOD", "NOT_RUN"), "1/2 at ceiling", "yellow"),
        (("GOOD", "STALE", "FAILED"), "1/3 at ceiling", "red"),
        (("GOOD", "ERROR"), "1/2 at ceiling", "red"),
        ((), "none", "lightgrey"),
        (("APART",), "none", "lightgrey"),
    ],
)
def test_the_badge_has_the_colour_of_the_worst(
    kinds: tuple[str, ...], message: str, color: str
) -> None:
    assert json.loads(render_badge(make_board(kinds))) == {
        "schemaVersion": 1,
        "label": "falsifiers",
        "message": message,
        "color": color,
        "isError": color == "red",
    }


@given(board=boards())
def test_the_svg_refers_to_nothing_and_says_the_same(board: Scoreboard) -> None:
    text = render_badge_svg(board)
    root = ET.fromstring(text)
    message = json.loads(render_badge(board))["message"]
    assert root.findtext(f"{SVG}title") == f"falsifiers: {message}" == root.get("aria-label")
    assert [t.text for t in root.iter(f"{SVG}text")] == ["falsifiers", message]
    assert {e.tag.removeprefix(SVG) for e in root.iter()} == {
        *("svg", "title", "clipPath", "rect", "g", "text"),
    }
    assert text.count("http") == 1, "the namespace"
    assert text.count("url(") == text.count("url(#r)") == 1


def test_the_svg_is_as_wide_as_what_it_holds() -> None:
    narrow, wide = make_board(("GOOD",)), make_board(("GOOD",) * 100)
    widths = [
        int(ET.fromstring(render_badge_svg(board)).get("width", "")) for board in (narrow, wide)
    ]
    assert widths[0] < widths[1]


def _luminance(color: str) -> float:
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


@pytest.mark.parametrize("kind", ["GOOD", "BELOW", "STALE", "FAILED", "APART"])
def test_white_text_can_be_read_on_every_colour(kind: str) -> None:
    root = ET.fromstring(render_badge_svg(make_board((kind,))))
    fills = [
        e.get("fill", "") for e in root.iter(f"{SVG}rect") if e.get("fill", "").startswith("#")
    ]
    assert len(fills) == 2
    for fill in fills:
        color = fill if len(fill) == 7 else "#" + "".join(c * 2 for c in fill[1:])
        assert 1.05 / (_luminance(color) + 0.05) >= 4.5
