"""Bounds, inputs and levels: conditions that can hold, and that can be told apart."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pv_harness.contracts.contract import Bound, Comparator, Level, LevelRule, show_value
from pv_harness.judging.measurement import holds
from pv_harness.wording import meant, show


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pv_harness.contracts.contract import Scalar
    from pv_harness.documents.problem import Problem
    from pv_harness.validating.rules.world import Claim, World

_UPPER = (Comparator.LT, Comparator.LE)
_LOWER = (Comparator.GT, Comparator.GE)


def levels_are_in_order(claim: Claim, _world: World) -> Iterator[Problem]:
    """PV040: the last level listed is the ceiling, so the order has to be the levels' own."""
    listed = [rule.level for rule in claim.falsifier.levels]
    if listed != sorted(listed, key=lambda level: level.rank):
        names = ", ".join(level.value for level in listed)
        order = ", ".join(level.value for level in Level)
        what = f"levels are listed as {names}; they should follow {order}"
        yield claim.problem("PV040", what, "levels")


def each_level_adds_a_condition(claim: Claim, _world: World) -> Iterator[Problem]:
    """PV041: a level that asks for nothing new would be had for nothing."""
    earlier: set[object] = set()
    ordered = sorted(claim.falsifier.levels, key=lambda rule: rule.level.rank)
    for number, rule in enumerate(ordered):
        conditions = set(_conditions(rule))
        if number and conditions <= earlier:
            what = "adds no condition to the levels before it; nothing could tell them apart"
            name = rule.level.value
            yield claim.problem("PV041", f"level {name} {what}", "levels", name)
        earlier |= conditions


def inputs_are_declared(claim: Claim, world: World) -> Iterator[Problem]:
    """PV042: an input is a name of `[tool.pv.inputs]`, which says how to get it."""
    known = world.project.inputs
    names = ", ".join(sorted(known)) or "none"
    for index, name in enumerate(claim.falsifier.inputs):
        if name not in known:
            what = f"input {show(name)} is not declared in [tool.pv.inputs]; declared: {names}"
            what += meant(name, known)
            yield claim.problem("PV042", what, "inputs", index)


def level_inputs_are_inputs(claim: Claim, _world: World) -> Iterator[Problem]:
    """PV043: a level can't ask for the digest of an input that the checks never read."""
    for rule in claim.falsifier.levels:
        for index, name in enumerate(rule.inputs):
            if name not in claim.falsifier.inputs:
                level = rule.level.value
                what = (
                    f"level {level} asks for input {show(name)}; the falsifier's inputs lack it"
                )
                what += meant(name, claim.falsifier.inputs)
                yield claim.problem("PV043", what, "levels", level, "inputs", index)


def bounds_can_hold(claim: Claim, _world: World) -> Iterator[Problem]:
    """PV044: `ge 3` and `lt 3` on one metric hold for no value."""
    so_far = list(claim.falsifier.bounds)
    reported: set[str] = set()
    for metric in _contradictory(so_far):
        reported.add(metric)
        yield claim.problem("PV044", _contradiction(metric, so_far), "bounds", metric)
    for rule in claim.falsifier.levels:
        if not rule.measurements:
            continue
        so_far += rule.measurements
        keys = ("levels", rule.level.value, "measurements")
        for metric in _contradictory(so_far):
            if metric not in reported:
                reported.add(metric)
                yield claim.problem("PV044", _contradiction(metric, so_far), *keys, metric)


def numbers_are_finite(claim: Claim, _world: World) -> Iterator[Problem]:
    """PV045: NaN breaks every bound and infinity keeps every bound: neither is a threshold."""
    falsifier = claim.falsifier
    if not math.isfinite(falsifier.timeout_s):
        what = f"timeout_s is {falsifier.timeout_s}; it should be a finite number"
        yield claim.problem("PV045", what, "timeout_s")
    yield from _infinite(claim, falsifier.bounds, "bounds")
    for rule in falsifier.levels:
        yield from _infinite(
            claim, rule.measurements, "levels", rule.level.value, "measurements"
        )


def _infinite(claim: Claim, bounds: Iterable[Bound], *keys: str) -> Iterator[Problem]:
    for bound in bounds:
        if isinstance(bound.threshold, float) and not math.isfinite(bound.threshold):
            what = f"{bound.metric} is held against {bound.threshold}; a threshold is finite"
            yield claim.problem("PV045", what, *keys, bound.metric, bound.comparator.value)


def _conditions(rule: LevelRule) -> Iterator[object]:
    yield from (("reached", name) for name in rule.reached)
    yield from (("input", name) for name in rule.inputs)
    yield from rule.measurements
    if rule.device is not None:
        yield ("device", rule.device)


def _contradictory(bounds: Sequence[Bound]) -> Iterator[str]:
    by_metric: dict[str, list[Bound]] = {}
    for bound in bounds:
        by_metric.setdefault(bound.metric, []).append(bound)
    yield from (metric for metric, found in by_metric.items() if not _satisfiable(found))


def _satisfiable(bounds: Sequence[Bound]) -> bool:
    """Whether some value is within all bounds of one metric; numbers are taken as reals."""
    if any(isinstance(b.threshold, float) and math.isnan(b.threshold) for b in bounds):
        return True  # has its own problem
    # A value of another kind than the threshold is within no bound at all.
    if len({_kind(bound.threshold) for bound in bounds}) > 1:
        return False
    exact = [bound.threshold for bound in bounds if bound.comparator is Comparator.EQ]
    if exact:
        return all(holds(bound, exact[0]) for bound in bounds)
    low = [b for b in bounds if b.comparator in _LOWER]
    high = [b for b in bounds if b.comparator in _UPPER]
    if not low or not high:
        return True
    floor = max(float(b.threshold) for b in low)
    roof = min(float(b.threshold) for b in high)
    return floor < roof or all(holds(bound, floor) for bound in bounds)


def _kind(threshold: Scalar) -> type:
    is_number = isinstance(threshold, int | float) and not isinstance(threshold, bool)
    return float if is_number else type(threshold)


def _contradiction(metric: str, bounds: Iterable[Bound]) -> str:
    parts = [
        f"{bound.comparator.sign} {show_value(bound.threshold)}"
        for bound in bounds
        if bound.metric == metric
    ]
    return f"no value of {metric} is {' and '.join(parts)}"
