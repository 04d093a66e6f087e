"""A difference between two versions of a claim: the part, its effect, and both texts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum


class Effect(Enum):
    """What a difference does to the claim; the value is the word that reports use."""

    REMOVED = "removed"
    """The falsifier is gone: nothing is claimed any more."""
    LOOSENED = "loosened"
    """Something passes that was refuted before."""
    MOVED = "moved"
    """Something passes that was refuted before, and the other way round: another claim."""
    TIGHTENED = "tightened"
    """Something is refuted that passed before."""
    ADDED = "added"
    """The falsifier is new."""
    REWORDED = "reworded"
    """Another text; only a reader can tell whether it says less."""
    CHANGED = "changed"
    """Another spelling of the same demand, or another planted change."""

    @property
    def mirrored(self) -> Effect:
        """The effect of the same difference, taken the other way round."""
        return _MIRRORED.get(self, self)


_MIRRORED = {
    Effect.REMOVED: Effect.ADDED,
    Effect.ADDED: Effect.REMOVED,
    Effect.LOOSENED: Effect.TIGHTENED,
    Effect.TIGHTENED: Effect.LOOSENED,
}


class Part(Enum):
    """Which part of a contract differs; the value is what reports call it."""

    FALSIFIER = "falsifier"
    MEANING = "the meaning of the ID"
    CONTRACT = "contract"
    BOUND = "bound"
    SEEDS = "seeds"
    CEILING = "ceiling"
    LEVEL = "level"
    COVERS = "covers"
    REQUIRES = "requires"
    INPUTS = "inputs"
    COUNTED = "counted"
    DEFECT = "planted defect"
    CONTROL = "control"
    RULE = "rule"
    PREDICTION = "prediction"
    IF_FAILS = "if_fails"
    TITLE = "title"
    EQUATION = "equation"


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference between two versions of one thing.

    Attributes:
        old: what stood there, as text; empty where nothing did.
        new: what stands there now, as text; empty where nothing does.
        name: which one of several: the metric, the level, the defect; else empty.
    """

    part: Part
    effect: Effect
    old: str
    new: str
    name: str = ""

    @property
    def mirrored(self) -> Difference:
        """The same difference, taken the other way round."""
        return replace(self, effect=self.effect.mirrored, old=self.new, new=self.old)

    @property
    def texts(self) -> tuple[str, str]:
        """What stood there, and what stands there now."""
        return self.old, self.new

    @property
    def what(self) -> str:
        """The part and its name: `bound gap`, `level INTEGRATION`, `covers`."""
        return f"{self.part.value} {self.name}".rstrip()

    def __str__(self) -> str:
        if not self.old:
            return f"{self.what} added: {self.new}"
        if not self.new:
            return f"{self.what} removed: {self.old}"
        return f"{self.what}: {self.old} → {self.new}"


@dataclass(frozen=True, slots=True)
class Change:
    """A difference, and whose it is.

    Attributes:
        contract: the contract's ID.
        falsifier: the falsifier's ID; empty for a difference of the contract itself.
    """

    contract: str
    falsifier: str
    difference: Difference

    @property
    def effect(self) -> Effect:
        """What the difference does to the claim."""
        return self.difference.effect

    @property
    def subject(self) -> str:
        """Whose difference this is: the falsifier's ID, or the contract's."""
        return self.falsifier or self.contract

    @property
    def mirrored(self) -> Change:
        """The same change, taken the other way round."""
        return replace(self, difference=self.difference.mirrored)
