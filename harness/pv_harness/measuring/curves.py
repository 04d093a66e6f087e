"""Curves that checks record: taken in, checked, and thinned so that their shape stays."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

from pv_harness.evidence.records import Series
from pv_harness.judging.measurement import plain_value


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_POINTS = 1000


def make_series(
    name: str,
    x: Iterable[Any],
    y: Iterable[Any],
    *,
    x_unit: str | None = None,
    unit: str | None = None,
    node: str = "",
) -> Series:
    """A curve of at most `MOST_POINTS` points; scalars of numpy and torch are taken too.

    Raises:
        TypeError: a position or value is no number.
        ValueError: the name is empty, there is no point, there are more positions than values
            or the other way round, or the positions are not finite or not ascending.
    """
    if not name:
        raise ValueError("a series has a name, this one has none")
    positions, values = _numbers(name, "x", x), _numbers(name, "y", y)
    if len(positions) != len(values) or not positions:
        raise ValueError(
            f"series {name!r}: {len(positions)} positions and {len(values)} values; "
            "it should be as many of each, and at least one"
        )
    if not all(map(math.isfinite, positions)):
        raise ValueError(f"series {name!r}: a position is not finite")
    for earlier, later in itertools.pairwise(positions):
        if later < earlier:
            raise ValueError(f"series {name!r}: x falls from {earlier:g} to {later:g}")
    kept = thin(values, MOST_POINTS)
    return Series(
        name,
        tuple(positions[i] for i in kept),
        tuple(values[i] for i in kept),
        x_unit,
        unit,
        node,
    )


def thin(values: Sequence[float], limit: int) -> list[int]:
    """The indices, ascending, of at most `limit` values that keep a curve's shape.

    The first and the last stay, and of each stretch between them the lowest and the highest: a
    spike is what a reader looks for. A value that is no number counts as the highest.

    Args:
        values: the curve.
        limit: at least 4.
    """
    count = len(values)
    if count <= limit:
        return list(range(count))
    stretches = (limit - 2) // 2
    kept = {0, count - 1}
    for number in range(stretches):
        start = 1 + (count - 2) * number // stretches
        end = 1 + (count - 2) * (number + 1) // stretches
        indices = range(start, end)
        kept.add(min(indices, key=lambda i: _height(values[i])))
        kept.add(max(indices, key=lambda i: _height(values[i])))
    return sorted(kept)


def _height(value: float) -> tuple[bool, float]:
    return (True, 0.0) if math.isnan(value) else (False, value)


def _numbers(name: str, axis: str, values: Iterable[Any]) -> list[float]:
    numbers = []
    for value in values:
        plain = plain_value(value)
        if isinstance(plain, (bool, str)):
            raise TypeError(f"series {name!r}: {axis} holds {plain!r}, which is no number")
        numbers.append(float(plain))
    return numbers
