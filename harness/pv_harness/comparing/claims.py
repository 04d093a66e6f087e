"""Two versions of one claim: every part that asks for less, for more, or for something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.comparing.bounds import compare_bounds
from pv_harness.comparing.change import Difference, Effect, Part
from pv_harness.comparing.levels import compare_levels
from pv_harness.comparing.plants import compare_plants
from pv_harness.contracts.contract import SeedRule


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pv_harness.comparing.snapshot import Claim
    from pv_harness.contracts.contract import Seeds


def compare_claims(old: Claim, new: Claim) -> Iterator[Difference]:
    """Every difference between two versions of one claim; none if they say the same.

    Changing sides mirrors each of them: what was loosened is tightened.
    """
    if old.contract != new.contract:
        yield Difference(Part.CONTRACT, Effect.CHANGED, old.contract, new.contract)
    if _is_another_claim(old, new):
        yield Difference(Part.MEANING, Effect.MOVED, old.rule, new.rule)
    yield from compare_bounds(old.bounds, new.bounds)
    yield from _compare_seeds(old.seeds, new.seeds)
    yield from compare_levels(old.levels, new.levels)
    yield from _compare_names(old.covers, new.covers, Part.COVERS)
    yield from _compare_names(old.inputs, new.inputs, Part.INPUTS)
    yield from _compare_requires(old.requires, new.requires)
    if old.counted != new.counted:
        effect = Effect.TIGHTENED if new.counted else Effect.LOOSENED
        yield Difference(Part.COUNTED, effect, _truth(old.counted), _truth(new.counted))
    yield from compare_plants(old.defects, new.defects, Part.DEFECT)
    yield from compare_plants(old.controls, new.controls, Part.CONTROL)
    yield from _compare_texts(old, new)


def _is_another_claim(old: Claim, new: Claim) -> bool:
    """True if the ID was given to something else: other sentences about other metrics."""
    metrics = ({b.metric for b in old.bounds}, {b.metric for b in new.bounds})
    reworded = old.rule != new.rule and old.prediction != new.prediction
    return reworded and not metrics[0] & metrics[1]


def _compare_seeds(old: Seeds | None, new: Seeds | None) -> Iterator[Difference]:
    if old == new:
        return
    texts = (_show_seeds(old), _show_seeds(new))
    yield Difference(Part.SEEDS, _seeds_effect(old, new), *texts)


def _show_seeds(seeds: Seeds | None) -> str:
    if seeds is None:
        return ""
    values = ", ".join(map(str, seeds.values))
    sure = "" if seeds.confidence is None else f" with confidence {seeds.confidence!r}"
    return f"{values}, {seeds.rule.value}{sure}"


def _seeds_effect(old: Seeds | None, new: Seeds | None) -> Effect:
    if old is None or new is None:
        given = old or new
        if given is not None and given.rule is not SeedRule.BOUND:
            # That a mean is within the bound is another demand than that one value is.
            return Effect.MOVED
        return Effect.TIGHTENED if old is None else Effect.LOOSENED
    if old.rule is not new.rule:
        return Effect.MOVED
    before, after = set(old.values), set(new.values)
    sure = (old.confidence or 0.0, new.confidence or 0.0)
    weaker = bool(before - after) or sure[1] < sure[0]
    stronger = bool(after - before) or sure[1] > sure[0]
    if weaker == stronger:
        return Effect.MOVED if weaker else Effect.CHANGED
    return Effect.LOOSENED if weaker else Effect.TIGHTENED


def _compare_names(old: Sequence[str], new: Sequence[str], part: Part) -> Iterator[Difference]:
    for name in old:
        if name not in new:
            yield Difference(part, Effect.LOOSENED, name, "")
    for name in new:
        if name not in old:
            yield Difference(part, Effect.TIGHTENED, "", name)
    if tuple(old) != tuple(new) and set(old) == set(new):
        yield Difference(part, Effect.CHANGED, ", ".join(old), ", ".join(new))


def _compare_requires(old: str | None, new: str | None) -> Iterator[Difference]:
    """Where the device is absent, the claim is not judged at all."""
    if old == new:
        return
    effect = Effect.MOVED
    if old is None:
        effect = Effect.LOOSENED
    elif new is None:
        effect = Effect.TIGHTENED
    yield Difference(Part.REQUIRES, effect, old or "", new or "")


def _compare_texts(old: Claim, new: Claim) -> Iterator[Difference]:
    for part, before, after in (
        (Part.RULE, old.rule, new.rule),
        (Part.PREDICTION, old.prediction, new.prediction),
        (Part.IF_FAILS, old.if_fails, new.if_fails),
    ):
        if before != after:
            yield Difference(part, Effect.REWORDED, before, after)


def _truth(value: bool) -> str:  # noqa: FBT001
    return "true" if value else "false"
