"""Two versions of the bounds on a metric: which values pass now and did not, and the reverse.

Compared by trying values, with the judge of verdicts itself. A set of bounds is constant
between two neighbouring thresholds, so that finitely many values tell two such sets apart: of
numbers every threshold, one between each pair of neighbours and one beyond each end; of texts
every threshold and one that is none; and both truth values.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

from pv_harness.comparing.change import Difference, Effect, Part
from pv_harness.judging.measurement import holds


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pv_harness.contracts.contract import Bound, Scalar


def compare_bounds(
    old: Sequence[Bound], new: Sequence[Bound], part: Part = Part.BOUND
) -> Iterator[Difference]:
    """One difference for every metric whose bounds are not the same."""
    for metric in dict.fromkeys(bound.metric for bound in (*old, *new)):
        before = [bound for bound in old if bound.metric == metric]
        after = [bound for bound in new if bound.metric == metric]
        texts = (show_bounds(before), show_bounds(after))
        if not after:
            yield Difference(part, Effect.LOOSENED, *texts, metric)
        elif not before:
            yield Difference(part, Effect.TIGHTENED, *texts, metric)
        elif texts[0] != texts[1]:
            yield Difference(part, compare_accepted(before, after), *texts, metric)


def compare_accepted(old: Sequence[Bound], new: Sequence[Bound]) -> Effect:
    """What the step from `old` to `new`, all bounds on one metric, does to the claim.

    Another unit is another claim, whatever the numbers are.
    """
    if {bound.unit for bound in old} != {bound.unit for bound in new}:
        return Effect.MOVED
    verdicts = [(_accepts(old, v), _accepts(new, v)) for v in witnesses((*old, *new))]
    passes_now = any(after and not before for before, after in verdicts)
    refuted_now = any(before and not after for before, after in verdicts)
    match passes_now, refuted_now:
        case True, True:
            return Effect.MOVED
        case True, False:
            return Effect.LOOSENED
        case False, True:
            return Effect.TIGHTENED
        case _:
            return Effect.CHANGED


def witnesses(bounds: Iterable[Bound]) -> tuple[Scalar, ...]:
    """Values that tell apart any two sets of bounds with these thresholds."""
    thresholds = [bound.threshold for bound in bounds]
    texts = sorted({t for t in thresholds if isinstance(t, str)})
    numbers = sorted({t for t in thresholds if _is_ordered(t)})
    # Longer than all of them together, and so none of them.
    other = "".join(texts) + "."
    return (*_numbers(numbers), *texts, other, False, True)


def show_bounds(bounds: Iterable[Bound]) -> str:
    """The bounds on one metric, every digit of them: `≥ 3.0 and < 5.5 nats`."""
    return " and ".join(_show_bound(bound) for bound in bounds)


def _show_bound(bound: Bound) -> str:
    value = bound.threshold
    shown = str(value).lower() if isinstance(value, bool) else repr(value)
    return f"{bound.comparator.sign} {shown}" + (f" {bound.unit}" if bound.unit else "")


def _accepts(bounds: Iterable[Bound], value: Scalar) -> bool:
    return all(holds(bound, value) for bound in bounds)


def _is_ordered(value: Scalar) -> bool:
    if isinstance(value, bool | str):
        return False
    return isinstance(value, int) or not math.isnan(value)


def _numbers(thresholds: Sequence[Scalar]) -> Iterator[Scalar]:
    points: list[int | float] = [-math.inf, *thresholds, math.inf]  # type: ignore[list-item]
    yield from points
    for low, high in pairwise(points):
        yield from _between(low, high)


def _between(low: float, high: float) -> Iterator[int | float]:
    """Values that can be measured between two others, where there are any."""
    candidates: list[int | float] = []
    try:
        candidates += [float(low), math.nextafter(low, math.inf)]
        if math.isfinite(low):
            candidates.append(math.floor(low) + 1)
    except OverflowError:  # around an integer beyond every float there are only integers
        candidates.append(int(low) + 1)
    yield from (value for value in candidates if low < value < high)
