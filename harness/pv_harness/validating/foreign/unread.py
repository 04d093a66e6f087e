"""What a reading did not understand, gathered so that one mistake is one line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pv_harness.validating.foreign.record import Left, Unread


if TYPE_CHECKING:
    from pv_harness.validating.foreign.record import Way
    from pv_harness.validating.foreign.tables import Shape

MOST_KEYS = 20
"""More unknown keys than this in one place are a section of another kind: they share a line."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the data: the way to it, and the family that it belongs to."""

    way: Way
    family: str

    def key(self, name: str) -> Place:
        """The value under a key whose name a table knows, or should."""
        return Place((*self.way, name), f"{self.family}.{name}" if self.family else name)

    def name(self, name: str) -> Place:
        """The value under a name that the author chose."""
        return Place((*self.way, name), f"{self.family}.*")

    def item(self, index: int) -> Place:
        """An item of a list."""
        return Place((*self.way, index), f"{self.family}[]")


ROOT = Place((), "")


@dataclass(slots=True)
class _Kind:
    """Occurrences of one thing in one family of places."""

    way: Way
    value: Any
    count: int = 0


@dataclass(slots=True)
class Gathered:
    """Unknown keys and unexpected values, by family."""

    _keys: dict[str, dict[str, _Kind]] = field(default_factory=dict)
    _known: dict[str, frozenset[str]] = field(default_factory=dict)
    _values: dict[tuple[str, str], _Kind] = field(default_factory=dict)

    def unknown(self, place: Place, key: str, value: object, shape: Shape) -> None:
        """A key that the shape of the place does not have."""
        kinds = self._keys.setdefault(place.family, {})
        kind = kinds.get(key)
        if kind is None:
            kind = kinds[key] = _Kind((*place.way, key), value)
            self._known[place.family] = shape.known
        kind.count += 1

    def unexpected(self, place: Place, value: object, expected: str) -> None:
        """A value of another type than the place has."""
        kind = self._values.setdefault((place.family, expected), _Kind(place.way, value))
        kind.count += 1

    def left(self) -> tuple[Left, ...]:
        """All of it; where a place has very many unknown keys, they are one entry."""
        found: list[Left] = []
        for family, kinds in self._keys.items():
            groups = [[name] for name in kinds] if len(kinds) <= MOST_KEYS else [list(kinds)]
            for names in groups:
                first = kinds[names[0]]
                count = sum(kinds[name].count for name in names)
                known = self._known[family]
                found.append(
                    Left(
                        Unread.KEY, family, first.way, count,
                        tuple(sorted(names)), known, first.value,
                    )
                )  # fmt: skip
        for (family, expected), kind in self._values.items():
            found.append(
                Left(
                    Unread.VALUE, family, kind.way, kind.count,
                    value=kind.value, expected=expected,
                )
            )  # fmt: skip
        return tuple(found)
