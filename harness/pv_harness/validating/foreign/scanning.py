"""What a shape finds in a mapping: texts by field, statuses, links, IDs, and what is left.

A scanner goes over one file and gathers what stands in many places of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pv_harness.validating.foreign.record import Declared, Link, StatusClaim, Target
from pv_harness.validating.foreign.tables import (
    FILE,
    METADATA,
    SUMMARY,
    Shape,
    is_falsifier_key,
)
from pv_harness.validating.foreign.unread import ROOT, Gathered, Place


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_CAPITALS = re.compile(r"[A-Z0-9_-]+")
_NUMBERED = re.compile(r"[-_][0-9]{3}[A-Z]?$")
_ONE_WORD = re.compile(r"\S{1,100}")


@dataclass(slots=True)
class Entry:
    """What a shape found in one mapping: texts by field, and the key that each is from."""

    place: Place
    value: Mapping[str, Any]
    texts: dict[str, str] = field(default_factory=dict)
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)

    def get(self, name: str) -> str | None:
        """The text of a field, or None."""
        return self.texts.get(name)


class Scanner:
    """One reading of one file; what it finds on the way is gathered here."""

    def __init__(self, value: Mapping[str, Any]) -> None:
        self.value = value
        self.gathered = Gathered()
        self.statuses: list[StatusClaim] = []
        self.names: list[Declared] = []
        self.links: list[Link] = []

    def scan(
        self, value: Mapping[str, Any], shape: Shape, place: Place, what: str = ""
    ) -> Entry:
        """What a mapping says by a shape; `what` is the kind of thing whose ID it may give."""
        entry = Entry(place, value)
        if not value.keys() <= shape.known:
            self._note_unknown(value, shape, place)
        taken: set[str] = set()
        for name, keys in shape.fields.items():
            self._take(entry, name, keys, taken)
        for name, keys in shape.lists.items():
            for key in keys:
                if value.get(key) is not None:
                    texts = self._texts(value[key], place.key(key))
                    entry.lists[name] = (*entry.lists.get(name, ()), *texts)
        if what and "id" in entry.texts:
            self.names.append(
                Declared(what, entry.texts["id"], (*place.way, entry.sources["id"]))
            )
        for key, target in shape.links.items():
            if value.get(key) is not None:
                self.link(value[key], place.key(key), target)
        self._claim(entry, shape)
        return entry

    def _note_unknown(self, value: Mapping[str, Any], shape: Shape, place: Place) -> None:
        for key, item in value.items():
            if key not in shape.known and not (shape is FILE and is_falsifier_key(key)):
                self.gathered.unknown(place, key, item, shape)

    def _take(self, entry: Entry, name: str, keys: tuple[str, ...], taken: set[str]) -> None:
        for key in keys:
            item = entry.value.get(key)
            if item is None or key in taken:
                continue
            text = _text(item)
            if text is None:
                self.gathered.unexpected(entry.place.key(key), item, "text")
            elif name not in entry.texts and text.strip():
                entry.texts[name], entry.sources[name] = text, key
                taken.add(key)

    def _claim(self, entry: Entry, shape: Shape) -> None:
        for key in shape.statuses:
            item = entry.value.get(key)
            if item is None:
                continue
            place = entry.place.key(key)
            text = _text(item)
            if text is None:
                self.gathered.unexpected(place, item, "one word")
                continue
            named = [entry.texts.get("id"), entry.value.get("falsification_id")]
            about = tuple(i for i in named if isinstance(i, str) and i)
            whole = shape is FILE or shape is METADATA or shape is SUMMARY
            whom = None if whole else about
            self.statuses.append(StatusClaim(text, place.family, place.way, whom))

    def link(self, value: object, place: Place, target: Target) -> None:
        """Note the names under a key: of anything but falsifiers, each text is one name."""
        for at, item in self.items(value, place, None):
            if not isinstance(item, str):
                self.gathered.unexpected(at, item, "a name")
            elif target is Target.FALSIFIER:
                found = [item] if is_one_word(item) and ":" not in item else ids_in(item)
                self.links += (Link(target, name, at.family, at.way) for name in found)
            else:
                self.links.append(Link(target, item.strip(), at.family, at.way))

    def section(self, key: str, shape: Shape, what: str = "") -> Entry:
        """A mapping at the file's first level; empty where there is none."""
        return self.mapping(self.value.get(key), shape, ROOT.key(key), what)

    def mapping(self, value: object, shape: Shape, place: Place, what: str = "") -> Entry:
        """What a mapping says by a shape; empty where there is none."""
        if not isinstance(value, dict):
            if value is not None:
                self.gathered.unexpected(place, value, "a mapping")
            return Entry(place, {})
        return self.scan(value, shape, place, what)

    def entries(self, key: str, shape: Shape, what: str = "") -> Iterator[Entry]:
        """The mappings of a list at the file's first level."""
        for at, item in self.items(self.value.get(key), ROOT.key(key), None):
            if isinstance(item, dict):
                yield self.scan(item, shape, at, what)
            else:
                self.gathered.unexpected(at, item, "a mapping")

    def named(self, key: str, shape: Shape) -> Iterator[Entry]:
        """The mappings under names of the author's, at the file's first level."""
        place = ROOT.key(key)
        value = self.value.get(key)
        if isinstance(value, str):
            self.link(value, place, Target.FALSIFIER)
            return
        for at, item in self.items(value, place, shape):
            if isinstance(item, dict):
                yield self.scan(item, shape, at)
            else:
                self.link(item, at, Target.FALSIFIER)

    def items(
        self, value: object, place: Place, names: Shape | None
    ) -> Iterator[tuple[Place, Any]]:
        """The mappings and texts of a list; with `names`, of a mapping of names too.

        A mapping is one entry itself where it has a key of that shape with anything but an
        entry below it, and where the names of a mapping mean nothing.
        """
        if value is None:
            return
        if isinstance(value, list):
            found = [(place.item(index), item) for index, item in enumerate(value)]
        elif isinstance(value, dict) and names and not _is_entry(value, names):
            found = [(place.name(name), item) for name, item in value.items()]
        else:
            found = [(place, value)]
        for at, item in found:
            if isinstance(item, dict | str):
                yield at, item
            elif item is not None:
                self.gathered.unexpected(at, item, "a mapping or a text")

    def _texts(self, value: object, place: Place) -> tuple[str, ...]:
        if value is None:
            return ()
        found: list[str] = []
        listed = isinstance(value, list)
        for index, item in enumerate(value if isinstance(value, list) else [value]):
            text = _joined(item)
            if text is None:
                at = place.item(index) if listed else place
                self.gathered.unexpected(at, item, "text")
            elif text.strip():
                found.append(text)
        return tuple(found)


def ids_in(text: str) -> tuple[str, ...]:
    """The words of a text that have the form of a falsifier's ID, `F-X-001`, each once."""
    words = dict.fromkeys(_CAPITALS.findall(text))
    # In two steps: one expression for both would try every hyphen of a long word again.
    return tuple(w for w in words if _NUMBERED.search(w[-6:]) and "A" <= w[0] <= "Z")


def _is_entry(value: Mapping[str, Any], shape: Shape) -> bool:
    return any(not isinstance(value[key], dict) for key in shape.known & value.keys())


def is_one_word(text: str) -> bool:
    """True for what can be a name; a sentence is none."""
    return _ONE_WORD.fullmatch(text) is not None


def _text(value: object) -> str | None:
    """A single value as text; None for a collection."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else None


def _joined(value: object) -> str | None:
    """A text, or the texts of a mapping such as an entry of a changelog, on one line."""
    if not isinstance(value, dict):
        return _text(value)
    parts = [(key, _text(item)) for key, item in value.items() if item is not None]
    if any(text is None for _, text in parts):
        return None
    return ", ".join(f"{key}: {text}" for key, text in parts)
