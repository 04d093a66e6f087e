"""A measured value beside its bound: in numbers, in words, and as a small bar."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pv_harness.board.html.markup import Markup, tag
from pv_harness.board.html.whole import whole
from pv_harness.contracts.contract import Comparator, show_value


if TYPE_CHECKING:
    from pv_harness.contracts.contract import Bound
    from pv_harness.judging.measurement import Judgement

_WIDTH, _HEIGHT = 120, 10
_UPPER = frozenset({Comparator.LE, Comparator.LT})
_EQUAL = frozenset({Comparator.EQ, Comparator.NE})

_TELLING = 100.0
"""Up to so many times the bound, a distance is told as a share of it."""


def numbers(judgement: Judgement) -> Markup:
    """`loss 2.31 ≤ 2.5 nats`, the value emphasised."""
    bound, measured = judgement.bound, judgement.measurement
    value = tag("b", show_value(measured.value))
    shown = whole(show_bound(bound))
    return tag("span", bound.metric, " ", value, " ", shown, class_="numbers")


def show_bound(bound: Bound) -> str:
    """`≤ 2.5 nats`: what is allowed, without the metric."""
    unit = f" {bound.unit}" if bound.unit else ""
    return f"{bound.comparator.sign} {show_value(bound.threshold)}{unit}"


def margin_text(judgement: Judgement) -> str | None:
    """How far inside its bound a value is, or outside; None where a distance means nothing."""
    margin = judgement.margin
    if margin is None or not math.isfinite(margin):
        return None
    threshold = abs(float(judgement.bound.threshold))
    # Of a bound near zero a share says nothing, in many digits.
    telling = 1e-300 < threshold < 1e300 and abs(margin) < _TELLING * threshold
    share = f" ({_percent(abs(margin) / threshold)})" if telling else ""
    if margin == 0:
        return "margin 0" if judgement.holds else "out by nothing: the bound itself is outside"
    return f"{'margin' if margin > 0 else 'out by'} {abs(margin):.3g}{share}"


def _percent(share: float) -> str:
    """A share in whole percents; one below them in its first digit, since 0% would be a lie."""
    return f"{share:.0%}" if share >= 0.01 or not share else f"{share * 100:.1g}%"


def _short(number: float) -> float:
    """A place on the drawing, in tenths; a whole number is written without them."""
    tenths = round(float(number), 1)
    return int(tenths) if tenths.is_integer() else tenths


def bar(judgement: Judgement) -> Markup | None:
    """The value as a length from zero, the bound as a line, what is allowed as a background.

    None where there is no distance to draw. It says nothing that the numbers don't.
    """
    if judgement.bound.comparator in _EQUAL or judgement.margin is None:
        return None
    value = float(judgement.measurement.value)
    threshold = float(judgement.bound.threshold)
    low, high = min(0.0, value, threshold), max(0.0, value, threshold)
    room = (high - low) * 0.15
    if not (math.isfinite(room) and room > 0):
        return None
    low, high = low - (room if low < 0 else 0), high + (room if high > 0 else 0)

    def across(number: float) -> float:
        return _short((number - low) / (high - low) * _WIDTH)

    start, end = sorted((across(0), across(value)))
    line, upper = across(threshold), judgement.bound.comparator in _UPPER
    left, right = (0.0, line) if upper else (line, float(_WIDTH))
    return tag(
        "svg",
        tag("rect", x=left, y=0, width=_short(right - left), height=_HEIGHT, class_="allowed"),
        tag(
            "rect", x=start, y=3, width=_short(max(1.5, end - start)), height=4, class_="value"
        ),
        tag("path", d=f"M{line:g} 0V{_HEIGHT}", class_="bound"),
        class_=f"bar {'good' if judgement.holds else 'bad'}",
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        aria_hidden="true",
    )
