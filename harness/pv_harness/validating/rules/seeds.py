"""Seeds: a rule over several values that these values can be put to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.contracts.contract import Comparator, SeedRule


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pv_harness.contracts.contract import Bound, Seeds
    from pv_harness.documents.problem import Problem
    from pv_harness.validating.rules.world import Claim, World

_FEWEST = 3
"""Of two values the standard deviation says next to nothing: t is 6.3 at 95 %."""

_EXACT = (Comparator.EQ, Comparator.NE)


def seed_rules_apply(claim: Claim, _world: World) -> Iterator[Problem]:
    """PV046: a t-test needs values enough, a confidence, and thresholds with two sides."""
    seeds = claim.falsifier.seeds
    if seeds is None:
        return
    if seeds.rule is SeedRule.BOUND:
        if seeds.confidence is not None:
            what = "seeds.confidence belongs to the rule t-test; the rule here is bound"
            yield claim.problem("PV046", what, "seeds", "confidence")
        return
    yield from _unfit_for_t_test(claim, seeds)
    yield from _two_sided(claim, claim.falsifier.bounds, "bounds")
    for rule in claim.falsifier.levels:
        keys = ("levels", rule.level.value, "measurements")
        yield from _two_sided(claim, rule.measurements, *keys)


def _unfit_for_t_test(claim: Claim, seeds: Seeds) -> Iterator[Problem]:
    if len(seeds.values) < _FEWEST:
        what = f"a t-test over {len(seeds.values)} seeds; it should be {_FEWEST} or more"
        yield claim.problem("PV046", what, "seeds", "values")
    if seeds.confidence is None:
        what = "a t-test without seeds.confidence; 0.95 is usual"
        yield claim.problem("PV046", what, "seeds", "rule")
    elif not 0.5 < seeds.confidence < 1:  # the schema can't refuse NaN
        what = f"seeds.confidence is {seeds.confidence}; it should lie between 0.5 and 1"
        yield claim.problem("PV046", what, "seeds", "confidence")


def _two_sided(claim: Claim, bounds: Iterable[Bound], *keys: str) -> Iterator[Problem]:
    for bound in bounds:
        if bound.comparator in _EXACT:
            name = bound.comparator.value
            what = f"a t-test can't show {bound}; it should be lt, le, gt or ge, or rule bound"
            yield claim.problem("PV046", what, *keys, bound.metric, name)
