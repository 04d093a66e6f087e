"""What a foreign contract says, as values: one record for all dialects.

Everything typed in such a file is a claim of its author: a status is no status here, a count
is no count, and the text under `test` binds nothing. A `way` is the keys and indexes that lead
to a place in the file's data, so that a finding about the value can say where it stands.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Mapping

Way = tuple[str | int, ...]


class Target(Enum):
    """What a name in one place of a foreign file should be the name of."""

    CONTRACT = "contract"
    """Another contract: its ID, its file's stem, or the file."""
    OBLIGATION = "obligation"
    """An obligation of the same file, an equation of it, or one of its falsifiers by index."""
    FALSIFIER = "falsifier"
    """A falsifier, an invariant or a gate, of this file or of any other."""


class Unread(Enum):
    """Why something in a foreign file is in no record."""

    KEY = "key"
    """The key is none that any known dialect has there."""
    VALUE = "value"
    """The key is known, and its value is of another type."""


@dataclass(frozen=True, slots=True)
class Left:
    """Something that was not understood, once for all places of one family.

    Attributes:
        family: the way with every index as `[]` and every free name as `*`.
        way: the first such place.
        count: how often the family occurs.
        keys: the keys that are meant, sorted; more than one only where a place has very many.
        known: the keys that the place has, for a guess at what was meant.
        value: the first value.
        expected: what the value should be, for `Unread.VALUE`.
    """

    why: Unread
    family: str
    way: Way
    count: int
    keys: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()
    value: Any = None
    expected: str = ""


@dataclass(frozen=True, slots=True)
class StatusClaim:
    """A status that somebody typed.

    Attributes:
        family: as in `Left`.
        about: IDs of the falsifiers that it is about, as far as it says; None for all those of
            the file.
    """

    word: str
    family: str
    way: Way
    about: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """A name in one place that should be declared in another."""

    target: Target
    name: str
    family: str
    way: Way


@dataclass(frozen=True, slots=True)
class Declared:
    """An ID that the file gives to something: a falsifier, say."""

    what: str
    id: str
    way: Way


@dataclass(frozen=True, slots=True)
class Invariant:
    """A sentence that is said to hold, of an equation or on its own.

    Attributes:
        refuted: whether it says itself how to refute it.
    """

    text: str
    way: Way
    id: str | None = None
    refuted: bool = False


@dataclass(frozen=True, slots=True)
class Equation:
    """One equation, as text throughout."""

    name: str
    way: Way
    formula: str | None = None
    domain: str | None = None
    codomain: str | None = None
    invariants: tuple[Invariant, ...] = ()
    entry: Mapping[str, Any] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ForeignFalsifier:
    """A claim that its author says how to refute.

    Attributes:
        key: the top-level key under which it stands.
        refuted_if: what would be seen if it did not hold.
        test: the text that is said to test it; it binds nothing.
        mutations: changes that its author says should be noticed.
        entry: all that the file says of it.
        sources: field of this record -> the key of `entry` that it is from.
    """

    key: str
    way: Way
    id: str | None = None
    rule: str | None = None
    prediction: str | None = None
    refuted_if: str | None = None
    test: str | None = None
    if_fails: str | None = None
    mutations: tuple[str, ...] = ()
    entry: Mapping[str, Any] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Obligation:
    """Something that is to be proved, and what the file says about a proof of it."""

    way: Way
    id: str | None = None
    kind: str | None = None
    property: str | None = None
    formal: str | None = None
    tolerance: str | None = None
    proof: str | None = None


@dataclass(frozen=True, slots=True)
class Gate:
    """A decision that the file describes; a gate with a rule of its own is a falsifier too."""

    way: Way
    id: str | None = None
    condition: str | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts that somebody typed: key -> number."""

    way: Way
    counts: Mapping[str, int] = field(default_factory=dict)
    named: Mapping[str, int] = field(default_factory=dict)
    """Key of a count -> how many the summary itself lists by name."""


@dataclass(frozen=True, slots=True)
class ForeignContract:
    """A file without `apiVersion`, as far as it is understood.

    Attributes:
        stem: of its file: the name that others call it by.
        id: the one that it gives itself, or None.
        versions: every version that it gives itself, with its place.
        harnesses: how many proofs of bounded size it declares.
        names: every ID that it declares, in the file's order.
        links: every name that should be declared somewhere.
        left: what was not understood.
    """

    stem: str
    id: str | None = None
    kind: str = "kernel"
    title: str | None = None
    description: str | None = None
    versions: tuple[tuple[str, Way], ...] = ()
    references: tuple[str, ...] = ()
    changelog: tuple[str, ...] = ()
    equations: tuple[Equation, ...] = ()
    invariants: tuple[Invariant, ...] = ()
    falsifiers: tuple[ForeignFalsifier, ...] = ()
    obligations: tuple[Obligation, ...] = ()
    gates: tuple[Gate, ...] = ()
    harnesses: int = 0
    mutations: tuple[str, ...] = ()
    statuses: tuple[StatusClaim, ...] = ()
    summary: Summary | None = None
    names: tuple[Declared, ...] = ()
    links: tuple[Link, ...] = ()
    left: tuple[Left, ...] = ()
    value: Mapping[str, Any] = field(default_factory=dict)

    @property
    def version(self) -> str | None:
        """The version that stands first in the file, or None."""
        return self.versions[0][0] if self.versions else None

    @property
    def all_invariants(self) -> tuple[Invariant, ...]:
        """Those of the equations, then those on their own."""
        return (*(i for e in self.equations for i in e.invariants), *self.invariants)
