"""A measured value held against a bound: the one place where a verdict on a number is made."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pv_harness.contracts.contract import Comparator, show_value


if TYPE_CHECKING:
    from collections.abc import Iterable

    from pv_harness.contracts.contract import Bound, Scalar


@dataclass(frozen=True, slots=True)
class Measurement:
    """One value that a check reported.

    Attributes:
        metric: the name that bounds refer to.
        value: what was measured; a float may be NaN, which breaks every bound.
        unit: as the check gave it, or None.
        samples: how many observations the value rests on, or None.
        node: the check that measured it.
        seed: the seed that the check was given, or None.
    """

    metric: str
    value: Scalar
    unit: str | None = None
    samples: int | None = None
    node: str = ""
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """A measurement beside the bound that it was held against."""

    bound: Bound
    measurement: Measurement

    @property
    def holds(self) -> bool:
        """True if the value is within the bound."""
        return holds(self.bound, self.measurement.value)

    @property
    def margin(self) -> float | None:
        """Distance to the threshold, positive inside; None where a distance means nothing."""
        value, threshold = self.measurement.value, self.bound.threshold
        if not _is_number(value) or not _is_number(threshold):
            return None
        match self.bound.comparator:
            case Comparator.LE | Comparator.LT:
                return float(threshold) - float(value)
            case Comparator.GE | Comparator.GT:
                return float(value) - float(threshold)
            case Comparator.EQ | Comparator.NE:
                return None

    def __str__(self) -> str:
        value = show_value(self.measurement.value)
        verdict = "" if self.holds else "but "
        bound = f"{self.bound.comparator.sign} {show_value(self.bound.threshold)}"
        return f"{self.bound.metric} is {value}, {verdict}must be {bound}"


def holds(bound: Bound, value: Scalar) -> bool:
    """True if `value` is within `bound`. NaN and a value of another kind never are."""
    threshold = bound.threshold
    if isinstance(value, float) and math.isnan(value):
        return False
    numbers = _is_number(value) and _is_number(threshold)
    if not numbers and type(value) is not type(threshold):
        return False
    match bound.comparator:
        case Comparator.EQ:
            return value == threshold
        case Comparator.NE:
            return value != threshold
        case _:
            return numbers and _ordered(bound.comparator, value, threshold)


def judge(
    bounds: Iterable[Bound], measurements: Iterable[Measurement]
) -> tuple[tuple[Judgement, ...], tuple[Bound, ...]]:
    """Every judgement that the measurements allow, and the bounds that nothing measured."""
    measured = list(measurements)
    judgements: list[Judgement] = []
    unmeasured: list[Bound] = []
    for bound in bounds:
        found = [Judgement(bound, m) for m in measured if m.metric == bound.metric]
        judgements.extend(found)
        if not found:
            unmeasured.append(bound)
    return tuple(judgements), tuple(unmeasured)


def plain_value(value: Any) -> Scalar:
    """A bool, int, float or str; scalars of numpy and torch through their `item()`.

    Raises:
        TypeError: the value is none of these.
    """
    if hasattr(value, "item") and not isinstance(value, (bool, int, float, str)):
        value = value.item()
    if isinstance(value, int) and abs(value) > _LARGEST_INTEGER:
        raise TypeError("a measured integer has at most 300 digits, this one has more")
    if not isinstance(value, (bool, int, float, str)):
        raise TypeError(
            f"a measurement is a bool, a number or a string, this is {type(value).__name__}"
        )
    return value


_LARGEST_INTEGER = 10**300
"""Still a float, so that it has a margin."""


def _is_number(value: Scalar) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _ordered(comparator: Comparator, value: Any, threshold: Any) -> bool:
    # Python compares an int with a float exactly, however large the int is.
    verdicts: dict[Comparator, bool] = {
        Comparator.LT: value < threshold,
        Comparator.LE: value <= threshold,
        Comparator.GT: value > threshold,
        Comparator.GE: value >= threshold,
    }
    return verdicts[comparator]
