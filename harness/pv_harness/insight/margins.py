"""How far measured values are from their bounds, in terms that mean the same for every unit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pv_harness.contracts.contract import Comparator, show_value
from pv_harness.judging.measurement import is_number


if TYPE_CHECKING:
    from collections.abc import Sequence

    from pv_harness.contracts.contract import Bound, Scalar
    from pv_harness.judging.measurement import Judgement

_UPPER = {Comparator.LE, Comparator.LT}
_LOWER = {Comparator.GE, Comparator.GT}
_FAR = 10.0
"""A value is far inside if its size and that of the threshold differ by this factor."""
_NEAR = 0.01
"""A value is near if its margin is less than this fraction of the threshold."""


def describe_far(bound: Bound, values: Sequence[Scalar]) -> str:
    """How far inside the bound all these values are; empty if one is not, or there is none.

    Bounds without a size to compare with are never far: `eq`, `ne`, and a threshold of 0.
    """
    numbers = [value for value in values if is_number(value)]
    threshold = bound.threshold
    if not numbers or len(numbers) < len(values) or not is_number(threshold):
        return ""
    if threshold == 0 or not all(_is_far(bound, float(value)) for value in numbers):
        return ""
    word = "at most" if bound.comparator in _UPPER else "at least"
    worst = max(numbers) if bound.comparator in _UPPER else min(numbers)
    return f"{word} {show_value(worst)} in {len(numbers)} measured"


def is_near(judgement: Judgement) -> bool:
    """True for a real number whose margin is less than 1 % of its threshold.

    Counts are left out: a whole number on its bound is where it belongs.
    """
    value, threshold, margin = (
        judgement.measurement.value,
        judgement.bound.threshold,
        judgement.margin,
    )
    if margin is None or not isinstance(value, float) or not is_number(threshold):
        return False
    return threshold != 0 and margin < abs(float(threshold)) * _NEAR


def _is_far(bound: Bound, value: float) -> bool:
    threshold = float(bound.threshold)
    if not math.isfinite(value) or bound.comparator not in _UPPER | _LOWER:
        return False
    inwards_is_small = (bound.comparator in _UPPER) == (threshold > 0)
    if inwards_is_small:
        return abs(value) * _FAR <= abs(threshold) or (value < 0) != (threshold < 0)
    return abs(value) >= abs(threshold) * _FAR and (value < 0) == (threshold < 0)
