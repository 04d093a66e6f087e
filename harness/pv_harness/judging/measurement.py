"""A measured value held against a bound: the one place where a verdict on a number is made.

A threshold is a real number, and only a real number is within it. Infinity is what a
computation that overflowed or diverged leaves behind, as NaN is: a loss of minus infinity is no
good loss, though it is less than any bound. So neither is within any.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pv_harness.contracts.contract import Comparator, SeedRule, show_value
from pv_harness.judging.student_t import mean_limit, mean_of


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pv_harness.contracts.contract import Bound, Scalar, Seeds

_UPPER = (Comparator.LT, Comparator.LE)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One value that a check reported.

    Attributes:
        metric: the name that bounds refer to.
        value: what was measured; a float may be NaN or infinite, which breaks every bound.
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
    """A measurement beside the bound that it was held against.

    Attributes:
        note: what the value is, where it is none that a check reported but made of several.
    """

    bound: Bound
    measurement: Measurement
    note: str = ""

    @property
    def holds(self) -> bool:
        """True if the value is within the bound."""
        return holds(self.bound, self.measurement.value)

    @property
    def margin(self) -> float | None:
        """Distance to the threshold, positive inside; None where a distance means nothing."""
        value, threshold = self.measurement.value, self.bound.threshold
        if not is_number(value) or not is_number(threshold):
            return None
        if not math.isfinite(float(value)):
            return None
        match self.bound.comparator:
            case Comparator.LE | Comparator.LT:
                return float(threshold) - float(value)
            case Comparator.GE | Comparator.GT:
                return float(value) - float(threshold)
            case Comparator.EQ | Comparator.NE:
                return None

    def __str__(self) -> str:
        value = show_value(self.measurement.value) + (f" ({self.note})" if self.note else "")
        verdict = "" if self.holds else "but "
        bound = f"{self.bound.comparator.sign} {show_value(self.bound.threshold)}"
        return f"{self.bound.metric} is {value}, {verdict}must be {bound}"


def holds(bound: Bound, value: Scalar) -> bool:
    """True if `value` is within `bound`. NaN, infinity, a value of another kind never are."""
    threshold = bound.threshold
    if isinstance(value, float) and not math.isfinite(value):
        return False
    numbers = is_number(value) and is_number(threshold)
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
    bounds: Iterable[Bound],
    measurements: Iterable[Measurement],
    seeds: Seeds | None = None,
) -> tuple[tuple[Judgement, ...], tuple[Bound, ...]]:
    """Every judgement that the measurements allow, and the bounds that they leave open.

    Each value is held against its bound. Under a t-test over seeds it is the confidence limit
    of the mean instead. A bound is left open if nothing measured it, or not with every seed, or
    if something did in another unit than the bound's; a value in another unit is held against
    nothing.
    """
    measured = list(measurements)
    judgements: list[Judgement] = []
    unmeasured: list[Bound] = []
    for bound in bounds:
        found = [m for m in measured if m.metric == bound.metric]
        is_open = not found or bool(_problem_of(bound, found, seeds))
        if is_open:
            unmeasured.append(bound)
        if seeds is None or seeds.rule is SeedRule.BOUND:
            fitting = (m for m in found if _is_in_unit(bound, m))
            judgements.extend(Judgement(bound, m) for m in fitting)
        elif not is_open:
            judgements.extend(_judge_mean(bound, found, seeds))
    return tuple(judgements), tuple(unmeasured)


def find_unanswering(
    bounds: Iterable[Bound], measurements: Iterable[Measurement], seeds: Seeds | None
) -> str:
    """Why values that were measured don't answer a claim; empty if they do.

    Each is in the unit of its bound; one without a unit is taken to be, and a bound without one
    takes any. Where the claim asks for several seeds, each metric is measured with each, and
    never without one; for a t-test once with each, since two values of one seed are not
    independent. A metric that nothing measured has a problem of another kind.
    """
    measured = list(measurements)
    for bound in bounds:
        found = [m for m in measured if m.metric == bound.metric]
        problem = _problem_of(bound, found, seeds) if found else ""
        if problem:
            return f"{bound.metric} {problem}"
    return ""


def _problem_of(bound: Bound, found: Sequence[Measurement], seeds: Seeds | None) -> str:
    strange = next((m for m in found if not _is_in_unit(bound, m)), None)
    if strange is not None:
        return f"was measured in {strange.unit}, the bound is in {bound.unit}"
    return "" if seeds is None else _seed_problem_of(found, seeds)


def _is_in_unit(bound: Bound, measurement: Measurement) -> bool:
    return not bound.unit or not measurement.unit or measurement.unit == bound.unit


def _seed_problem_of(found: Sequence[Measurement], seeds: Seeds) -> str:
    used = [m.seed for m in found]
    for measurement in found:
        if measurement.seed is None:
            return "was measured by a check that never asked for the fixture `seed`"
        if measurement.seed not in seeds.values:
            return (
                f"was measured with seed {measurement.seed}, which the contract does not list"
            )
    missing = [str(seed) for seed in seeds.values if seed not in used]
    if missing:
        return f"was never measured with seed {', '.join(missing)}"
    twice = [str(seed) for seed in seeds.values if used.count(seed) > 1]
    if twice and seeds.rule is SeedRule.T_TEST:
        return f"was measured twice with seed {twice[0]}; a t-test takes one value of each seed"
    return ""


def _judge_mean(
    bound: Bound, found: Sequence[Measurement], seeds: Seeds
) -> tuple[Judgement, ...]:
    """The confidence limit of the mean against the bound.

    A value that is no number breaks its bound by itself: each is judged alone then.
    """
    values = sorted(float(m.value) for m in found if is_number(m.value))
    if len(values) < len(found) or seeds.confidence is None:
        return tuple(Judgement(bound, m) for m in found)
    upper = bound.comparator in _UPPER
    limit = mean_limit(values, seeds.confidence, upper=upper)
    side = "upper" if upper else "lower"
    note = (
        f"{side} {100 * seeds.confidence:g} % limit of the mean {show_value(mean_of(values))} "
        f"over {len(values)} seeds"
    )
    summary = Measurement(bound.metric, limit, found[0].unit, len(values))
    return (Judgement(bound, summary, note),)


def plain_value(value: Any) -> Scalar:
    """A bool, int, float or str; scalars of numpy and torch through their `item()`.

    Raises:
        TypeError: the value is none of these.
    """
    if hasattr(value, "item") and not isinstance(value, (bool, int, float, str)):
        value = value.item()
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        raise TypeError("a measured integer has at most 300 digits, this one has more")
    if not isinstance(value, (bool, int, float, str)):
        raise TypeError(
            f"a measurement is a bool, a number or a string, this is {type(value).__name__}"
        )
    return value


LARGEST_INTEGER = 10**300
"""Still a float, so that it has a margin."""


def is_number(value: Scalar) -> bool:
    """True for what has a place on a scale, infinity and NaN included; a bool has none."""
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
