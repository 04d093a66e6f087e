"""From numbers to places on a plot: the range of an axis, its ticks, and positions in it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_LARGEST = 1e300
"""Beyond it the width of a range may be infinite."""
_SMALLEST_WIDTH = 1e-300
_DECADES_FOR_LOG = 3.0
_DIGITS, _MOST_DIGITS = 4, 12


@dataclass(frozen=True, slots=True)
class Scale:
    """A range of values, `low` < `high`, and whether equal factors take equal space."""

    low: float
    high: float
    logarithmic: bool = False

    def position(self, value: float) -> float:
        """Where a value stands: 0 at `low`, 1 at `high`; values outside stand at the ends."""
        low, high = self._ends
        place = math.log10(max(value, self.low)) if self.logarithmic else value
        return min(1.0, max(0.0, (place - low) / (high - low)))

    def ticks(self, count: int) -> tuple[float, ...]:
        """At most `count` + 1 round values within the range, ascending."""
        low, high = self._ends
        if not self.logarithmic:
            return _round_values(low, high, count)
        first, last = math.ceil(low), math.floor(high)
        every = max(1, math.ceil((last - first + 1) / count))
        return tuple(10.0**power for power in range(first, last + 1, every))

    @property
    def _ends(self) -> tuple[float, float]:
        if self.logarithmic:
            return math.log10(self.low), math.log10(self.high)
        return self.low, self.high


def scale_for(values: Iterable[float]) -> Scale:
    """A scale that shows all finite values with some room around them.

    It is logarithmic if all are positive and span three decades. Without a finite value it
    is 0 to 1.
    """
    finite = [v for v in values if math.isfinite(v) and abs(v) < _LARGEST]
    if not finite:
        return Scale(0.0, 1.0)
    low, high = min(finite), max(finite)
    if low > _SMALLEST_WIDTH and math.log10(high) - math.log10(low) >= _DECADES_FOR_LOG:
        return Scale(low / 2, high * 2, logarithmic=True)
    if high - low <= max(abs(low), abs(high)) * 1e-9 or high - low < _SMALLEST_WIDTH:
        room = abs(high) * 0.1 or 1.0
        return Scale(low - room, high + room)
    room = (high - low) * 0.08
    return Scale(0.0 if 0 <= low < 2 * room else low - room, high + room)


def scale_along(positions: Iterable[float]) -> Scale:
    """A scale that begins and ends with the positions: a curve starts at its axis."""
    finite = [p for p in positions if math.isfinite(p) and abs(p) < _LARGEST]
    if finite and max(finite) - min(finite) > _SMALLEST_WIDTH:
        return Scale(min(finite), max(finite))
    return scale_for(finite)


def show_ticks(values: Sequence[float]) -> tuple[str, ...]:
    """Values as an axis prints them, in as many digits as tell them apart."""
    for digits in range(_DIGITS, _MOST_DIGITS):
        texts = tuple(show_tick(value, digits) for value in values)
        if len({*texts}) == len({*values}):
            return texts
    return tuple(show_tick(value, _MOST_DIGITS) for value in values)


def show_tick(value: float, digits: int = _DIGITS) -> str:
    """A value as an axis prints it, at most seven characters or so; also one that has no place.

    A curve that was recorded may end in an infinity, as a diverging loss does, or in NaN.
    """
    if value == 0 or not math.isfinite(value):
        return f"{value:g}" if value else "0"
    if not 1e-3 <= abs(value) < 1e5:
        mantissa, _, exponent = f"{value:.{digits - 2}e}".partition("e")
        short = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        return f"{short}e{int(exponent)}"
    if abs(value) >= 1e4:  # of which `g` would make a power of ten
        return f"{value:.{max(digits - 5, 0)}f}"
    return f"{value:.{digits}g}"


def _round_values(low: float, high: float, count: int) -> tuple[float, ...]:
    """Multiples of 1, 2 or 5 times a power of ten.

    Source: Heckbert, Nice Numbers for Graph Labels, Graphics Gems, 1990.
    """
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = power * next((nice for nice in (1, 2, 5) if raw <= nice * power), 10)
    first = math.ceil(low / step)
    found = ((first + i) * step for i in range(count + 1))
    return tuple(takewhile(lambda value: value <= high, found))
