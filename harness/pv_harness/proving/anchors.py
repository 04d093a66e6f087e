"""Whether every declared change can still be planted, from the text of the files alone.

A refactoring moves the text that a planted defect is anchored in, and `pv prove` says VOID,
minutes later. This says so at once: nothing is copied, started or imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pv_harness.contracts.file_search import CONTRACT_SUFFIXES, walk_files
from pv_harness.contracts.reading import read_contract
from pv_harness.contracts.selection import select_falsifiers
from pv_harness.documents.loading import load_file
from pv_harness.documents.problem import Severity, sort_key
from pv_harness.documents.schema_check import check_schema
from pv_harness.errors import ContractError
from pv_harness.validating.rules.planting import (
    planted_changes_apply,
    planted_changes_hit_the_subject,
    planted_names_are_unique,
)
from pv_harness.validating.rules.world import Claim, Draft, survey
from pv_harness.wording import counted, printable


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pv_harness.contracts.contract import Contract, Falsifier
    from pv_harness.documents.document import Document
    from pv_harness.documents.problem import Problem
    from pv_harness.project import Project

_RULES = (planted_names_are_unique, planted_changes_apply, planted_changes_hit_the_subject)
_API_VERSION = "pv/v1"


@dataclass(frozen=True, slots=True)
class AnchorReport:
    """What was looked at, and every declared change that can't be planted.

    Attributes:
        falsifiers: those that were asked about.
        problems: at least one for each change that can't be planted, sorted by place.
        broken: how many changes that are.
    """

    falsifiers: tuple[Falsifier, ...]
    problems: tuple[Problem, ...]
    broken: int

    @property
    def defects(self) -> int:
        """Declared defects of these falsifiers."""
        return sum(len(f.defects) for f in self.falsifiers)

    @property
    def controls(self) -> int:
        """Declared controls of these falsifiers."""
        return sum(len(f.controls) for f in self.falsifiers)

    @property
    def files(self) -> int:
        """The files that these changes are declared for."""
        return len({item.patch.file for f in self.falsifiers for item in f.plants})


def verify_anchors(project: Project, names: Sequence[str]) -> AnchorReport:
    """Whether each change that these falsifiers declare applies, changes, compiles and counts.

    It applies where its text stands exactly once in its file; it counts where that file is
    covered by the claim, or imported by what is. All falsifiers without names.

    Raises:
        ContractError: a contract can't be read; `pv validate` says the same.
        UsageError: a name means nothing.
    """
    documents = list(_native_documents(project))
    contracts = [read_contract(document) for document in documents]
    selected = select_falsifiers(contracts, names)
    wanted = {falsifier.id for falsifier in selected}
    drafts = [Draft(d, tuple(_claims(d, c))) for d, c in zip(documents, contracts, strict=True)]
    world = survey(project, drafts, (), complete=True)
    claims = [c for draft in drafts for c in draft.claims if c.falsifier.id in wanted]
    found = [[p for rule in _RULES for p in rule(claim, world)] for claim in claims]
    problems = {p for per_claim in found for p in per_claim}
    broken = sum(_count_changes(claim, own) for claim, own in zip(claims, found, strict=True))
    return AnchorReport(selected, tuple(sorted(problems, key=sort_key)), broken)


def render_anchors(report: AnchorReport) -> str:
    """One line per change that can't be planted, and last the counts."""
    declared = report.defects + report.controls
    counts = (
        f"{declared - report.broken} of {counted(declared, 'planted change')} apply "
        f"({counted(report.defects, 'defect')}, {counted(report.controls, 'control')}) · "
        f"{counted(len(report.falsifiers), 'falsifier')} · {counted(report.files, 'file')}"
    )
    return "\n".join([*map(str, report.problems), counts])


def _native_documents(project: Project) -> Iterator[Document]:
    problems: list[Problem] = []
    documents = []
    for path in _contract_files(project):
        document = load_file(path, printable(project.relative(path)))
        value = document.value
        if not isinstance(value, dict) or value.get("apiVersion") != _API_VERSION:
            # A foreign contract plants nothing; a file that can't be read might.
            problems += [] if isinstance(value, dict) else document.problems
            continue
        if "kind" in value and "falsifiers" not in value:
            continue  # a policy, say
        faults, _broken = check_schema(document)
        problems += (p for p in (*document.problems, *faults) if p.severity is Severity.ERROR)
        documents.append(document)
    if problems:
        raise ContractError(sorted(problems, key=sort_key))
    yield from documents


def _contract_files(project: Project) -> list[Path]:
    files: set[Path] = set()
    for place in project.contracts:
        files |= set(walk_files(place, CONTRACT_SUFFIXES)) if place.is_dir() else {place}
    return sorted(file for file in files if file.exists())


def _claims(document: Document, contract: Contract) -> Iterator[Claim]:
    for index, falsifier in enumerate(contract.falsifiers):
        yield Claim(document, index, falsifier)


def _count_changes(claim: Claim, problems: Sequence[Problem]) -> int:
    """How many declared changes of a claim these problems are about."""
    places = {(p.line, p.column) for p in problems}
    if not places:
        return 0
    kinds = (("defects", claim.falsifier.defects), ("controls", claim.falsifier.controls))
    starts = sorted(
        claim.document.position(["falsifiers", claim.index, kind, index])
        for kind, items in kinds
        for index in range(len(items))
    )
    hit = {max((s for s in starts if s <= place), default=place) for place in places}
    return len(hit)
