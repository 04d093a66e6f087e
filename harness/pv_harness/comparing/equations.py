"""Two versions of a contract's equations. They are prose: only a reader can judge them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.comparing.change import Difference, Effect, Part


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pv_harness.comparing.snapshot import Equation


def compare_equations(
    old: Mapping[str, Equation], new: Mapping[str, Equation]
) -> Iterator[Difference]:
    """Every text that differs, by the name of its equation; none if they say the same."""
    for name in (*old, *(name for name in new if name not in old)):
        before, after = _parts(old.get(name)), _parts(new.get(name))
        for part in dict.fromkeys((*before, *after)):
            texts = before.get(part, ""), after.get(part, "")
            if texts[0] != texts[1]:
                yield Difference(Part.EQUATION, Effect.REWORDED, *texts, name=f"{name} {part}")
        yield from _compare_invariants(name, old.get(name), new.get(name))


def _compare_invariants(
    name: str, old: Equation | None, new: Equation | None
) -> Iterator[Difference]:
    """Those that are gone and those that are new; their order says nothing."""
    before, after = (tuple(e.invariants) if e else () for e in (old, new))
    label = f"{name} invariant"
    for text in before:
        if text not in after:
            yield Difference(Part.EQUATION, Effect.REWORDED, text, "", name=label)
    for text in after:
        if text not in before:
            yield Difference(Part.EQUATION, Effect.REWORDED, "", text, name=label)


def _parts(equation: Equation | None) -> dict[str, str]:
    """Each text of an equation under its key."""
    if equation is None:
        return {}
    texts = {
        "formula": equation.formula,
        "domain": equation.domain,
        "codomain": equation.codomain,
    }
    return {part: text for part, text in texts.items() if text}
