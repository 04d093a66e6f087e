"""The scoreboard as a badge: how many falsifiers are at their ceiling, coloured by the worst.

Source: the JSON of the shields.io endpoint badge (schemaVersion 1); the SVG needs no server.
"""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING

from pv_harness.board.phrases import Tone, tone_of


if TYPE_CHECKING:
    from pv_harness.board.scoreboard import Scoreboard

_COLORS = {
    Tone.GOOD: ("brightgreen", "#2e7d32"),
    Tone.BELOW: ("yellowgreen", "#5d7016"),
    Tone.EXCUSED: ("yellowgreen", "#5d7016"),
    Tone.AWAY: ("yellowgreen", "#5d7016"),
    Tone.OPEN: ("yellow", "#8a6100"),
    Tone.BROKEN: ("red", "#b3261e"),
    Tone.BAD: ("red", "#b3261e"),
}
"""The name that shields.io knows, and a colour on which white text has a contrast of 4.5."""
_NOTHING = ("lightgrey", "#616161")
_LABEL = "falsifiers"
_CHARACTER = 6.5
"""Width of an average character at 11 px; `textLength` makes every font keep to it."""


def render_badge(board: Scoreboard) -> str:
    """The badge as shields.io's endpoint JSON."""
    color, _ = _color(board)
    document = {
        "schemaVersion": 1,
        "label": _LABEL,
        "message": _message(board),
        "color": color,
        "isError": color == "red",
    }
    return json.dumps(document, indent=1) + "\n"


def render_badge_svg(board: Scoreboard) -> str:
    """The badge as an SVG that refers to nothing outside itself."""
    _, color = _color(board)
    label, message = _LABEL, _message(board)
    left, right = _width(label), _width(message)
    title = escape(f"{label}: {message}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20"'
        f' role="img" aria-label="{title}"><title>{title}</title>'
        f'<clipPath id="r"><rect width="{left + right}" height="20" rx="3"/></clipPath>'
        f'<g clip-path="url(#r)"><rect width="{left}" height="20" fill="#444"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{color}"/></g>'
        '<g fill="#fff" text-anchor="middle" font-size="11"'
        ' font-family="Verdana,DejaVu Sans,sans-serif">'
        f"{_text(label, 0, left)}{_text(message, left, right)}</g></svg>\n"
    )


def _message(board: Scoreboard) -> str:
    if not board.counted:
        return "none"
    return f"{len(board.at_ceiling)}/{len(board.counted)} at ceiling"


def _color(board: Scoreboard) -> tuple[str, str]:
    tones = [tone_of(row.status) for row in board.counted]
    return _COLORS[max(tones, key=lambda tone: tone.urgency)] if tones else _NOTHING


def _width(text: str) -> int:
    return round(len(text) * _CHARACTER) + 12


def _text(text: str, left: int, width: int) -> str:
    middle = left + width / 2
    return f'<text x="{middle:g}" y="14" textLength="{width - 12}">{escape(text)}</text>'
