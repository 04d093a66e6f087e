"""Two versions of the planted defects, or of the controls, of one claim."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.comparing.change import Difference, Effect, Part


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pv_harness.comparing.snapshot import Plant


def compare_plants(
    old: Sequence[Plant], new: Sequence[Plant], part: Part
) -> Iterator[Difference]:
    """Plants are matched by name; one that changed nothing but its name, by its digest."""
    before = {plant.id: plant for plant in old}
    after = {plant.id: plant for plant in new}
    renamed = _renamed(before, after)
    for plant in old:
        if plant.id not in after and plant.id not in renamed:
            yield Difference(part, Effect.LOOSENED, _show(plant), "", plant.id)
    for plant in new:
        if plant.id not in before and plant.id not in renamed.values():
            yield Difference(part, Effect.TIGHTENED, "", _show(plant), plant.id)
    for first, then in renamed.items():
        yield Difference(part, Effect.CHANGED, first, then)
    for plant in old:
        if plant.id in after:
            yield from _compare_plant(plant, after[plant.id], part)


def _compare_plant(old: Plant, new: Plant, part: Part) -> Iterator[Difference]:
    more, fewer = set(new.accept) - set(old.accept), set(old.accept) - set(new.accept)
    texts = (_accepted(old), _accepted(new))
    if more and fewer:
        yield Difference(part, Effect.MOVED, *texts, old.id)
    elif more:
        yield Difference(part, Effect.LOOSENED, *texts, old.id)
    elif fewer:
        yield Difference(part, Effect.TIGHTENED, *texts, old.id)
    elif old.expect != new.expect:
        yield Difference(part, Effect.CHANGED, _show(old), _show(new), old.id)
    elif old.digest != new.digest:
        texts = (f"patch {old.digest[:8]}", f"patch {new.digest[:8]}")
        yield Difference(part, Effect.CHANGED, *texts, old.id)


def _renamed(before: Mapping[str, Plant], after: Mapping[str, Plant]) -> dict[str, str]:
    gone = {p.digest: p.id for p in before.values() if p.id not in after}
    come = {p.digest: p.id for p in after.values() if p.id not in before}
    return {name: come[digest] for digest, name in gone.items() if digest in come}


def _show(plant: Plant) -> str:
    return "stays green" if plant.expect is None else f"breaks {plant.expect}"


def _accepted(plant: Plant) -> str:
    return f"killed by {' or '.join(['its bound', *sorted(plant.accept)])}"
