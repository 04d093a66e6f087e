"""Names in one place that should stand in another: what resolves, and what does not."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from pv_harness.contracts.file_search import CONTRACT_SUFFIXES
from pv_harness.validating.foreign.lookups import Lookups
from pv_harness.validating.foreign.record import Target
from pv_harness.validating.foreign.tables import is_falsifier_key


if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from pv_harness.validating.foreign.record import ForeignContract, Invariant, Link

_INDEXED = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\[([0-9]{1,6})\]")
_WORD = re.compile(r"\w+")
_ID_BREAK = re.compile(r"[^\w-]+")
_LONGEST_NAME = 8
_LONGEST_SENTENCE = 12
"""Words that are compared: more would cost much, and hardly ever occur twice."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the names in a foreign file can be held against.

    Attributes:
        contracts: names of contracts: IDs and stems of files, native ones too.
        ids: IDs of falsifiers, invariants and gates of all files.
        complete: False where a file could not be read, so that an absent name proves nothing.
        found: names of contracts that were looked for on disk, by the folder of the file.
    """

    contracts: Collection[str]
    ids: Collection[str]
    complete: bool = True
    lookups: Lookups = field(default_factory=Lookups)
    found: dict[tuple[Path, str], bool] = field(default_factory=dict)


def dangling_links(
    contract: ForeignContract, file: Path, around: Surroundings
) -> tuple[Link, ...]:
    """The names that are declared nowhere, in the file's order.

    A contract may also lie beside the file, or where its path says from a folder above: a name
    that resolves for somebody who has the whole repository is no finding.
    """
    inside = _names_inside(contract)
    return tuple(
        link for link in contract.links if not _resolves(link, contract, inside, file, around)
    )


def unnamed_invariants(contract: ForeignContract) -> tuple[Invariant, ...]:
    """The invariants that no falsifier of the file names.

    No dialect links the two but by words. A falsifier names an invariant by its ID; by having
    its own name or prediction stand in the sentence, as `normalization` does in `weights sum to
    1 (normalization)`; or by repeating the sentence, with or without what ends it in brackets.
    An invariant that says itself how to refute it needs no other.
    """
    asked = [invariant for invariant in contract.all_invariants if not invariant.refuted]
    if not asked or not contract.falsifiers:
        return tuple(asked)
    said = _said(contract)
    forms = [_forms(invariant.text) for invariant in asked]
    spoken = _spoken({form for several in forms for form in several}, said.texts)
    return tuple(
        invariant
        for invariant, several in zip(asked, forms, strict=True)
        if not (invariant.id and invariant.id in said.words)
        and spoken.isdisjoint(several)
        and not _holds_one(_words(invariant.text), said.names)
    )


@dataclass(frozen=True, slots=True)
class _Said:
    """The words of a file's falsifiers.

    Attributes:
        names: what the falsifiers are called, and what they predict, where that is short.
        texts: all their texts, as words.
        words: all their words as they are written, IDs among them.
    """

    names: frozenset[tuple[str, ...]]
    texts: tuple[tuple[str, ...], ...]
    words: frozenset[str]


def _said(contract: ForeignContract) -> _Said:
    names: set[tuple[str, ...]] = set()
    texts: dict[tuple[str, ...], None] = {}
    written: set[str] = set()
    for falsifier in contract.falsifiers:
        if falsifier.key == "invariants":
            continue  # it has an invariant of its own
        called = [falsifier.entry.get(key) for key in ("rule", "title", "name", "invariant")]
        names.update(_words(t) for t in (*called, falsifier.prediction) if isinstance(t, str))
        for text in (
            falsifier.rule,
            falsifier.prediction,
            falsifier.refuted_if,
            falsifier.test,
        ):
            if text:
                texts[_words(text)] = None
                written.update(_ID_BREAK.split(text))
    short = frozenset(name for name in names if 0 < len(name) <= _LONGEST_NAME)
    return _Said(short, tuple(texts), frozenset(written))


def _spoken(
    wanted: set[tuple[str, ...]], texts: tuple[tuple[str, ...], ...]
) -> frozenset[tuple[str, ...]]:
    """Those forms of the file's invariants that stand in the texts of its falsifiers."""
    lengths = sorted({len(form) for form in wanted})
    return frozenset(
        words[start : start + length]
        for words in texts
        for length in lengths
        for start in range(len(words) - length + 1)
        if words[start : start + length] in wanted
    )


def _forms(text: str) -> frozenset[tuple[str, ...]]:
    """A sentence as words, whole and without what ends it in brackets, where not too long."""
    words = _words(text)
    forms = {words, _words(text.rpartition("(")[0])} if "(" in text else {words}
    return frozenset(form for form in forms if 1 < len(form) <= _LONGEST_SENTENCE)


def _holds_one(words: tuple[str, ...], names: frozenset[tuple[str, ...]]) -> bool:
    return any(
        words[start : start + length] in names
        for length in {len(name) for name in names}
        for start in range(len(words) - length + 1)
    )


def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(text.casefold()))


def _names_inside(contract: ForeignContract) -> set[str]:
    """What an obligation can be called by within its file."""
    names = {name for o in contract.obligations for name in (o.id, o.property) if name}
    return names | {e.name for e in contract.equations} | {d.id for d in contract.names}


def _resolves(
    link: Link,
    contract: ForeignContract,
    inside: set[str],
    file: Path,
    around: Surroundings,
) -> bool:
    match link.target:
        case Target.OBLIGATION:
            return link.name in inside or _is_there(contract.value, link.name)
        case Target.FALSIFIER:
            return link.name in inside or link.name in around.ids or not around.complete
        case Target.CONTRACT:
            if not around.complete or link.name in around.contracts:
                return True
            return _stem(link.name) in around.contracts or _on_disk(link.name, file, around)


def _is_there(value: Mapping[str, Any], name: str) -> bool:
    """True for `falsification_tests[2]` where there is a third one."""
    found = _INDEXED.fullmatch(name)
    entries = value.get(found[1]) if found and is_falsifier_key(found[1]) else None
    return found is not None and isinstance(entries, list) and int(found[2]) < len(entries)


def _stem(name: str) -> str:
    path = PurePosixPath(name)
    return path.stem if path.suffix in CONTRACT_SUFFIXES else path.name


def _on_disk(name: str, file: Path, around: Surroundings) -> bool:
    key = (file.parent, name)
    if key not in around.found:
        around.found[key] = any(
            map(around.lookups.is_regular, _candidates(name, file, around.lookups))
        )
    return around.found[key]


def _candidates(name: str, file: Path, lookups: Lookups) -> Iterator[Path]:
    path = PurePosixPath(name)
    if "\0" in name or path.is_absolute() or ".." in path.parts or not path.name:
        return
    for suffix in ("",) if path.suffix in CONTRACT_SUFFIXES else sorted(CONTRACT_SUFFIXES):
        yield file.parent / f"{path.name}{suffix}"
        for folder in lookups.repository_folders(file) if len(path.parts) > 1 else ():
            yield folder / f"{path}{suffix}"
