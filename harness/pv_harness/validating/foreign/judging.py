"""Foreign files judged: the findings on each, what they declare, and how many of everything."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from pv_harness.documents.problem import Problem, Severity
from pv_harness.validating.foreign.cited_tests import TestKind, classify_test
from pv_harness.validating.foreign.links import (
    Surroundings,
    dangling_links,
    unnamed_invariants,
)
from pv_harness.validating.foreign.lookups import Lookups
from pv_harness.validating.foreign.pytest_nodes import PytestNodes
from pv_harness.validating.foreign.reading import is_contract, read_foreign
from pv_harness.validating.foreign.rules import RULES, Examined, Neighbours
from pv_harness.validating.rules.world import Place
from pv_harness.wording import counted


if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from pv_harness.documents.document import Document
    from pv_harness.validating.foreign.record import ForeignContract, Way
    from pv_harness.validating.rules.world import World

MOST_OF_ONE_CODE = 100
"""Findings of one code that a file lists; how many more there are is the last of them."""


@dataclass(frozen=True, slots=True)
class ForeignFile:
    """One file without `apiVersion`. `contract` is None where nothing in it is a contract's."""

    document: Document
    file: Path
    contract: ForeignContract | None


@dataclass(frozen=True, slots=True)
class ForeignCounts:
    """The denominators of foreign files; each is a number that a person can count out.

    Attributes:
        files: files without `apiVersion`.
        judged: those in which something is a contract's.
        falsifiers: top-level key -> falsifiers under it.
        inert: judged files without any falsifier.
        invariants, unnamed: invariants, and those that no falsifier names.
        references, dangling: names of things declared elsewhere, and those declared nowhere.
        statuses, unsupported: typed statuses, and those for which no evidence is stored.
        tests: kind of text under `test` -> how many.
    """

    files: int = 0
    judged: int = 0
    falsifiers: Mapping[str, int] = field(default_factory=dict)
    inert: int = 0
    invariants: int = 0
    unnamed: int = 0
    references: int = 0
    dangling: int = 0
    statuses: int = 0
    unsupported: int = 0
    tests: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ForeignReport:
    """What was found in the foreign files among those that are judged.

    Attributes:
        looked_for: paths outside these files that the findings rest on.
    """

    problems: tuple[Problem, ...] = ()
    looked_for: frozenset[str] = frozenset()
    counts: ForeignCounts = field(default_factory=ForeignCounts)


def read_foreign_file(document: Document, file: Path) -> ForeignFile:
    """The record of a document whose data is a mapping."""
    value = _with_written_versions(document)
    stem = PurePosixPath(document.path).stem
    return ForeignFile(
        document, file, read_foreign(value, stem) if is_contract(value) else None
    )


def _with_written_versions(document: Document) -> dict[str, Any]:
    """The data, its versions as they are written: to YAML, 1.10 without quotes is 1.1."""
    value: dict[str, Any] = document.value
    for way in (("version",), ("metadata", "version")):
        spelled = document.spelled(way)
        if spelled is None:
            continue
        if len(way) == 1:
            value = {**value, "version": spelled}
        else:
            value = {**value, "metadata": {**value["metadata"], "version": spelled}}
    return value


def judge_foreign(
    judged: Sequence[ForeignFile],
    around: Sequence[ForeignFile],
    world: World,
    recorded: Collection[str] = frozenset(),
) -> ForeignReport:
    """The findings on `judged`, held against those `around` them and the native contracts.

    `recorded` holds the IDs of the falsifiers for which evidence is stored.
    """
    everything = [*around, *judged]
    ids = _declared(everything)
    stems = _stems(everything, world.contract_ids)
    names = {f.contract.id for f in everything if f.contract and f.contract.id}
    lookups = Lookups()
    surroundings = Surroundings(
        names | stems.keys(), ids.keys() | world.falsifier_ids.keys(), world.complete, lookups
    )
    neighbours = Neighbours(ids, world.falsifier_ids, stems, PytestNodes(lookups))
    examined = [_examine(file, surroundings, recorded) for file in judged if file.contract]
    problems = [p for file in judged if file.contract is None for p in _refuse(file)]
    problems += [p for e in examined for p in _capped(e, neighbours)]
    counts = _count(examined, len(judged))
    return ForeignReport(tuple(problems), frozenset(lookups.paths), counts)


def _examine(file: ForeignFile, around: Surroundings, recorded: Collection[str]) -> Examined:
    contract = file.contract
    assert contract is not None
    whole = {falsifier.id for falsifier in contract.falsifiers}
    return Examined(
        file.document,
        file.file,
        contract,
        dangling_links(contract, file.file, around),
        unnamed_invariants(contract),
        tuple(
            claim
            for claim in contract.statuses
            if not _is_supported(whole if claim.about is None else claim.about, recorded)
        ),
    )


def _is_supported(about: Collection[str | None], recorded: Collection[str]) -> bool:
    """True where evidence is stored for each of the falsifiers that a status is about."""
    return bool(about) and all(identity in recorded for identity in about)


def _refuse(file: ForeignFile) -> Iterator[Problem]:
    what = "no apiVersion, and no key of a contract in any known dialect; not judged"
    place = file.document.position([])
    yield file.document.problem("PV014", what, place, Severity.WARNING)


def _capped(file: Examined, around: Neighbours) -> Iterator[Problem]:
    seen: Counter[str] = Counter()
    last: dict[str, Problem] = {}
    for rule in RULES:
        for problem in rule(file, around):
            seen[problem.code] += 1
            if seen[problem.code] <= MOST_OF_ONE_CODE:
                yield problem
            else:
                last.setdefault(problem.code, problem)
    for code, problem in last.items():
        more = f"and {seen[code] - MOST_OF_ONE_CODE} more like these, from here on"
        yield Problem(problem.path, problem.line, problem.column, code, more, problem.severity)


def _declared(files: Iterable[ForeignFile]) -> dict[str, tuple[Document, Way]]:
    """Every ID, with the place that counts as first."""
    ids: dict[str, tuple[Document, Way]] = {}
    for file in files:
        for declared in file.contract.names if file.contract else ():
            ids.setdefault(declared.id, (file.document, declared.way))
    return ids


def _stems(files: Iterable[ForeignFile], native: Mapping[str, Place]) -> dict[str, Place]:
    stems = dict(native)
    for file in files:
        if file.contract:
            stems.setdefault(file.contract.stem, Place(file.document.path, 1, 1))
    return stems


def _count(examined: Sequence[Examined], files: int) -> ForeignCounts:
    contracts = [file.contract for file in examined]
    falsifiers = [f for contract in contracts for f in contract.falsifiers]
    keys = Counter(falsifier.key for falsifier in falsifiers)
    kinds = Counter(classify_test(falsifier.test) for falsifier in falsifiers)
    return ForeignCounts(
        files=files,
        judged=len(examined),
        falsifiers=dict(sorted(keys.items(), key=lambda item: (-item[1], item[0]))),
        inert=sum(not contract.falsifiers for contract in contracts),
        invariants=sum(len(contract.all_invariants) for contract in contracts),
        unnamed=sum(len(file.unnamed) for file in examined),
        references=sum(len(contract.links) for contract in contracts),
        dangling=sum(len(file.dangling) for file in examined),
        statuses=sum(len(contract.statuses) for contract in contracts),
        unsupported=sum(len(file.unsupported) for file in examined),
        tests={kind.value: kinds[kind] for kind in TestKind if kinds[kind]},
    )


def render_foreign_counts(counts: ForeignCounts) -> str:
    """The denominators of the foreign files on one line."""
    files = f"foreign: {counted(counts.judged, 'file')} judged"
    if counts.files > counts.judged:
        files += f", {counts.files - counts.judged} not"
    statuses = "status" if counts.statuses == 1 else "statuses"
    total = sum(counts.falsifiers.values())
    keys = ", ".join(f"{key} {number}" for key, number in counts.falsifiers.items())
    return " · ".join(
        [
            files,
            counted(total, "falsifier") + (f" ({keys})" if keys else ""),
            f"{counts.inert} inert",
            f"{counted(counts.invariants, 'invariant')}, {counts.unnamed} without a falsifier",
            f"{counted(counts.references, 'reference')}, {counts.dangling} dangling",
            f"{counts.statuses} typed {statuses}, {counts.unsupported} without evidence",
        ]
    )
