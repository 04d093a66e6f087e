"""Student's t: how far the mean of a few values may lie from the mean of what they are from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Sequence

_HALVINGS = 200


def t_quantile(confidence: float, degrees: int) -> float:
    """The value that Student's t with `degrees` degrees of freedom stays below so often.

    Args:
        confidence: one-sided, between 0.5 and 1.
        degrees: 1 or more.

    Source: Abramowitz & Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4, which
    give the central probability in closed form; it grows with the angle, and is bisected.
    """
    assert 0.5 <= confidence < 1, confidence
    assert degrees >= 1, degrees
    wanted = 2.0 * confidence - 1.0
    low, high = 0.0, math.pi / 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _central_probability(middle, degrees) < wanted:
            low = middle
        else:
            high = middle
    return math.sqrt(degrees) * math.tan((low + high) / 2)


def mean_limit(values: Sequence[float], confidence: float, *, upper: bool) -> float:
    """The confidence limit of the mean: mean ± t s / √n; NaN if the values are not finite.

    With this confidence the mean of what the values are drawn from lies below the upper limit,
    or above the lower one. A bound that the limit keeps is what a one-sided one-sample t-test
    accepts. Values that are all equal are their own limit.

    Args:
        values: two or more, drawn independently.
        confidence: one-sided, between 0.5 and 1.
        upper: the limit above the mean, else the one below.

    Source: NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.5.2.
    """
    if not all(map(math.isfinite, values)):
        return math.nan
    if len(set(values)) == 1:
        return values[0]
    count = len(values)
    mean = mean_of(values)
    # hypot scales: squares of large values would overflow.
    deviation = math.hypot(*(value - mean for value in values)) / math.sqrt(count - 1)
    distance = t_quantile(confidence, count - 1) * deviation / math.sqrt(count)
    return mean + distance if upper else mean - distance


def mean_of(values: Sequence[float]) -> float:
    """The arithmetic mean; NaN beyond the range of a float."""
    if len(set(values)) == 1:
        return values[0]
    try:
        return math.fsum(values) / len(values)
    except OverflowError:
        return math.nan


def _central_probability(angle: float, degrees: int) -> float:
    """P(-t < T < t) for t = √degrees tan(angle)."""
    sine, cosine = math.sin(angle), math.cos(angle)
    square = cosine * cosine
    odd = degrees % 2
    term, total = (cosine, 0.0) if odd else (1.0, 0.0)
    for k in range(degrees // 2):
        total += term
        term *= (
            square * (2 * k + 2) / (2 * k + 3) if odd else square * (2 * k + 1) / (2 * k + 2)
        )
    return 2.0 / math.pi * (angle + sine * total) if odd else sine * total
