"""The fingerprint of a verdict, as a stored list, so that STALE can say which byte changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from pv_harness.digest import digest_of


if TYPE_CHECKING:
    from collections.abc import Container, Iterable


class EntryKind(Enum):
    """What an entry of a manifest stands for."""

    CLAIM = "claim"
    CHECKS = "checks"
    SOURCE = "source"
    INPUT = "input"
    ABSENT = "absent"
    """What would be imported if it were there, and is not."""
    SETTING = "setting"
    """Configuration that decides how checks run: pytest's, and what makes an input."""


PYTEST = "pytest"
_UNASKED = "never asked for"
_CLAIM_PARTS = (
    "rule, prediction, if_fails, bounds, levels, covers, inputs, seeds, requires or counted"
)
"""What `Falsifier.claim_digest` is made of; `pv explain` finds out which by git."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that can change a verdict.

    Attributes:
        name: the falsifier's ID (claim, checks), a path relative to the root (source), or
            `input.part=path` (input), `pytest` or `input NAME` (setting).
        digest: what counts: for Python the syntax, otherwise the bytes; empty (absent).
        bytes_digest: of the file, so that an untouched file needs no parsing; else None.
        definitions: of a Python source, a line for each top-level definition, short digest and
            name, so that a change can be named; of what is absent, a line for each place as
            `SourceTree.absent_modules` names it; of an input, that nothing read it; of a
            setting, a line for each part. No part of the fingerprint.
    """

    kind: EntryKind
    name: str
    digest: str
    bytes_digest: str | None = None
    definitions: str = ""

    def __hash__(self) -> int:
        # Of all fields, what differs between entries; a manifest hashes some hundred of them.
        return hash((self.name, self.digest))

    @property
    def paths(self) -> tuple[str, ...]:
        """The places that are looked at to see whether it changed."""
        match self.kind:
            case EntryKind.SOURCE:
                return (self.name,)
            case EntryKind.INPUT:
                return (self.name.partition("=")[2],)
            case EntryKind.ABSENT:
                return tuple(self.definitions.splitlines())
            case EntryKind.CLAIM | EntryKind.CHECKS | EntryKind.SETTING:
                return ()


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of a manifest that is not as it was, and what happened to it."""

    kind: EntryKind
    name: str
    what: str

    def __str__(self) -> str:
        match self.kind:
            case EntryKind.CLAIM:
                return f"the claim {self.what} ({_CLAIM_PARTS})"
            case EntryKind.CHECKS:
                return "the set of bound checks changed"
            case EntryKind.SOURCE | EntryKind.ABSENT:
                return f"{self.name} {self.what}"
            case EntryKind.INPUT:
                return f"input {self.name} {self.what}"
            case EntryKind.SETTING if self.name == PYTEST:
                return f"the configuration of pytest {self.what}"
            case EntryKind.SETTING:
                return f"what makes {self.name} {self.what}"


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything that could have changed one verdict, sorted."""

    entries: tuple[Entry, ...]

    @property
    def fingerprint(self) -> str:
        """SHA-256 over kind, name and digest of every entry."""
        return digest_of([[e.kind.value, e.name, e.digest] for e in self.entries])


def input_digests(manifest: Manifest) -> dict[str, dict[str, str]]:
    """Input name -> part -> digest, as the manifest holds them."""
    found: dict[str, dict[str, str]] = {}
    for entry in manifest.entries:
        if entry.kind is EntryKind.INPUT:
            name, _, part = entry.name.partition("=")[0].partition(".")
            found.setdefault(name, {})[part] = entry.digest
    return found


def mark_unasked(manifest: Manifest, names: Container[str]) -> Manifest:
    """The manifest with a note at these inputs that nothing read them when the checks ran."""
    return Manifest(
        tuple(
            replace(entry, definitions=_UNASKED)
            if entry.kind is EntryKind.INPUT and _input_of(entry) in names
            else entry
            for entry in manifest.entries
        )
    )


def names_held(manifest: Manifest) -> frozenset[tuple[EntryKind, str]]:
    """The kind and name of each entry, as a change of it would have them."""
    return frozenset(
        (e.kind, e.name.partition("=")[0] if e.kind is EntryKind.INPUT else e.name)
        for e in manifest.entries
    )


def note_absent(manifest: Manifest, names: Iterable[str]) -> Manifest:
    """The manifest with a note of those of these sources that it does not hold."""
    held = {entry.name for entry in manifest.entries}
    missing = sorted(set(names) - held)
    notes = (Entry(EntryKind.ABSENT, name, "") for name in missing)
    return Manifest((*manifest.entries, *notes))


def _input_of(entry: Entry) -> str:
    return entry.name.partition("=")[0].partition(".")[0]


def unasked_inputs(manifest: Manifest) -> frozenset[str]:
    """The inputs that are declared and that nothing read when the checks ran."""
    return frozenset(
        _input_of(entry)
        for entry in manifest.entries
        if entry.kind is EntryKind.INPUT and entry.definitions == _UNASKED
    )
