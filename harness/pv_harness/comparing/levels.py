"""Two versions of a claim's levels: what each level asks for, itself and through those below.

A level that is not listed is reached with the next one that is, so that leaving one out in the
middle is compared by what it takes to stand at least that high.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pv_harness.comparing.bounds import compare_bounds
from pv_harness.comparing.change import Difference, Effect, Part
from pv_harness.contracts.contract import Level


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pv_harness.contracts.contract import Bound, LevelRule


def compare_levels(old: Sequence[LevelRule], new: Sequence[LevelRule]) -> Iterator[Difference]:
    """The ceiling, then every condition, at the lowest level where it is not as it was."""
    # Equality alone would take a threshold of 1 for one of true.
    if tuple(old) == tuple(new) and repr(old) == repr(new):
        return
    ceilings = (old[-1].level, new[-1].level)
    found: list[Difference] = []
    if ceilings[0] is not ceilings[1]:
        lower = ceilings[1].rank < ceilings[0].rank
        effect = Effect.LOOSENED if lower else Effect.TIGHTENED
        found.append(Difference(Part.CEILING, effect, *(level.value for level in ceilings)))
    told: set[tuple[str, str, str]] = set()
    for level in Level:
        before, after = _asked(old, level), _asked(new, level)
        if before is None or after is None:
            break  # above a ceiling, which was told
        for difference in _compare_asked(before, after, level):
            # What a level asks for, those above it ask for too: it is told once.
            key = (difference.effect.value, difference.old, difference.new)
            if key not in told:
                told.add(key)
                found.append(difference)
    if not found and tuple(old) != tuple(new):
        found.append(Difference(Part.LEVEL, Effect.CHANGED, _show(old), _show(new)))
    yield from found


@dataclass(frozen=True, slots=True)
class _Asked:
    """Everything that a level asks for, the levels below it included."""

    conditions: tuple[str, ...]
    bounds: tuple[Bound, ...]


def _asked(rules: Sequence[LevelRule], level: Level) -> _Asked | None:
    """What it takes to stand at `level` or higher; None above the ceiling."""
    if rules[-1].level.rank < level.rank:
        return None
    last = next(i for i, rule in enumerate(rules) if rule.level.rank >= level.rank)
    below = rules[: last + 1]
    return _Asked(
        tuple(dict.fromkeys(text for rule in below for text in _conditions(rule))),
        tuple(dict.fromkeys(bound for rule in below for bound in rule.measurements)),
    )


def _compare_asked(old: _Asked, new: _Asked, level: Level) -> Iterator[Difference]:
    for text in old.conditions:
        if text not in new.conditions:
            yield Difference(Part.LEVEL, Effect.LOOSENED, text, "", level.value)
    for text in new.conditions:
        if text not in old.conditions:
            yield Difference(Part.LEVEL, Effect.TIGHTENED, "", text, level.value)
    for found in compare_bounds(old.bounds, new.bounds):
        before, after = (f"{found.name} {text}" if text else "" for text in found.texts)
        yield Difference(Part.LEVEL, found.effect, before, after, level.value)


def _conditions(rule: LevelRule) -> Iterator[str]:
    yield from (f"reached {entry}" for entry in rule.reached)
    if rule.device is not None:
        yield f"device {rule.device}"
    yield from (f"input {name}" for name in rule.inputs)


def _show(rules: Sequence[LevelRule]) -> str:
    parts = []
    for rule in rules:
        asked = [*_conditions(rule), *(str(bound) for bound in rule.measurements)]
        parts.append(f"{rule.level.value}({', '.join(asked)})" if asked else rule.level.value)
    return ", ".join(parts)
