"""What a rule sees: one claim or one file, and the project around it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from pv_harness.documents.problem import Problem, Severity
from pv_harness.fingerprint.sources import SourceTree
from pv_harness.wording import falsifier_id


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path, PurePosixPath

    from pv_harness.contracts.bindings import Check
    from pv_harness.contracts.contract import Falsifier
    from pv_harness.documents.document import Document
    from pv_harness.project import Project


class Place(NamedTuple):
    """Where a name is declared."""

    path: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Claim:
    """One falsifier that the schema accepts, and the way to its place in its file."""

    document: Document
    index: int
    falsifier: Falsifier

    def within(self, document: Document) -> Claim:
        """The same claim, in a document that holds less beside it."""
        return Claim(document, self.index, self.falsifier)

    def problem(
        self,
        code: str,
        message: str,
        *keys: str | int,
        severity: Severity = Severity.ERROR,
    ) -> Problem:
        """A problem at a value inside this falsifier, with the falsifier's ID in front."""
        place = self.document.position(["falsifiers", self.index, *keys])
        text = f"{self.falsifier.id}: {message}"
        return self.document.problem(code, text, place, severity)


@dataclass(frozen=True, slots=True)
class Draft:
    """A native file as far as it can be read.

    Attributes:
        claims: the falsifiers that the schema accepts, in the file's order.
    """

    document: Document
    claims: tuple[Claim, ...]

    @property
    def contract_id(self) -> str | None:
        """The contract's ID, however broken the rest is; None without one."""
        return falsifier_id(self.document.value)

    @property
    def entries(self) -> tuple[object, ...]:
        """The entries of `falsifiers`, broken ones too."""
        entries = self.document.value.get("falsifiers")
        return tuple(entries) if isinstance(entries, list) else ()

    def falsifier_ids(self) -> Iterator[tuple[int, str]]:
        """Index and ID of every entry that has an ID, broken ones too."""
        for index, entry in enumerate(self.entries):
            if identity := falsifier_id(entry):
                yield index, identity


@dataclass(frozen=True, slots=True)
class World:
    """The project around the judged files.

    Attributes:
        contract_ids: every contract ID of the project, with the place that counts as first.
        falsifier_ids: the same for falsifiers.
        bound: IDs that the markers of checks name; None where they are not all known.
        complete: False where a file could not be read, so that an absent ID proves nothing.
        texts: files that planted changes go into, as contracts call them: text, or why none.
        places: those files -> where they lie, links resolved.
        resolved: paths already asked about -> the same without links.
        functions: top-level functions of a module, and whether each has a decorator.
        subjects: covered modules -> the files of their import closure, links resolved.
    """

    project: Project
    contract_ids: Mapping[str, Place]
    falsifier_ids: Mapping[str, Place]
    checks: tuple[Check, ...]
    complete: bool
    tree: SourceTree
    bound: frozenset[str] | None = frozenset()
    texts: dict[PurePosixPath, str | OSError] = field(default_factory=dict)
    places: dict[PurePosixPath, Path] = field(default_factory=dict)
    resolved: dict[Path, Path] = field(default_factory=dict)
    functions: dict[Path, Mapping[str, bool]] = field(default_factory=dict)
    subjects: dict[tuple[str, ...], frozenset[Path]] = field(default_factory=dict)


def survey(
    project: Project,
    drafts: Iterable[Draft],
    checks: tuple[Check, ...],
    *,
    complete: bool,
    named: frozenset[str] | None = frozenset(),
    known: Iterable[tuple[str, str, Iterable[str]]] = (),
) -> World:
    """The world of these files; of two places with one name, the earlier file has the first.

    Pass files that are not judged before those that are, so that a collision with them is
    reported where somebody is looking. `known` are files without their text, path, contract ID
    and falsifier IDs; their names have to differ from all others, so that no place is needed.
    `named` holds the IDs that markers of checks name, None where they can't all be read.
    """
    contracts: dict[str, Place] = {}
    falsifiers: dict[str, Place] = {}
    for draft in drafts:
        document = draft.document
        if draft.contract_id is not None:
            place = Place(document.path, *document.position(["id"]))
            contracts.setdefault(draft.contract_id, place)
        for index, identity in draft.falsifier_ids():
            keys = ("falsifiers", index, "id")
            falsifiers.setdefault(identity, Place(document.path, *document.position(keys)))
    for path, contract_id, identities in known:
        contracts[contract_id] = Place(path, 1, 1)
        falsifiers.update(dict.fromkeys(identities, Place(path, 1, 1)))
    tree = SourceTree(project.root, project.source_roots)
    return World(project, contracts, falsifiers, checks, complete, tree, named)
