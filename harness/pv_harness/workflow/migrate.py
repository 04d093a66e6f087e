"""What `pv migrate` does: one foreign file read, its native form made, judged, and written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pv_harness.atomic_file import write_atomically
from pv_harness.contracts.file_search import CONTRACT_SUFFIXES, walk_files
from pv_harness.contracts.reading import read_falsifier
from pv_harness.documents.loading import load, load_file
from pv_harness.documents.problem import Severity
from pv_harness.documents.schema_check import check_schema
from pv_harness.errors import ContractError, InfrastructureError, UsageError
from pv_harness.regular_file import reason
from pv_harness.validating.foreign.judging import read_foreign_file
from pv_harness.validating.foreign.migration import Migration, Request, migrate
from pv_harness.validating.foreign.native_ids import CONTRACT_ID, contract_id
from pv_harness.validating.rules import apply_rules
from pv_harness.validating.rules.world import Claim, Draft, survey
from pv_harness.wording import printable, show


if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pv_harness.documents.document import Document
    from pv_harness.documents.problem import Problem
    from pv_harness.project import Project


@dataclass(frozen=True, slots=True)
class Migrated:
    """A native contract that validates in the project, and what it was made from.

    Attributes:
        name: what the file should be called.
        source: the foreign file, for the places of what was left out.
    """

    name: str
    migration: Migration
    source: Document


def migrate_file(
    project: Project, file: Path, output: Path | None, covers: Sequence[str] = ()
) -> Migrated:
    """The native form of a foreign file; nothing is written.

    Raises:
        UsageError: the file is native, no contract of a known dialect, or an output's name is
            not one that a contract can have; or what would be written is not valid here.
        ContractError: the file can't be read.
    """
    document = _read(project, file)
    foreign = read_foreign_file(document, file)
    if foreign.contract is None:
        raise UsageError(f"{document.path}: no key of a contract in any known dialect")
    drafts = [draft for draft in _native(project) if not _is_at(project, draft, output)]
    request = Request(
        id=contract_id(file.stem) if output is None else _named(output),
        source=printable(file.name),
        covers=tuple(dict.fromkeys(covers)),
        contracts=frozenset(d.contract_id for d in drafts if d.contract_id),
        taken=frozenset(identity for d in drafts for _, identity in d.falsifier_ids()),
    )
    migration = migrate(foreign.contract, request)
    name = f"{request.id}.yaml" if output is None else printable(str(output))
    _refuse_problems(project, drafts, migration, name)
    return Migrated(name, migration, document)


def write_migrated(migrated: Migrated, output: Path, *, force: bool = False) -> None:
    """Put the native text at `output`, whole or not at all.

    Raises:
        UsageError: something is there already, and it is not to be replaced; or the folder
            is not there.
        InfrastructureError: the folder can't be written.
    """
    if not output.parent.is_dir():
        raise UsageError(f"{printable(str(output))}: its folder does not exist; make it first")
    if not force and (output.exists() or output.is_symlink()):
        raise UsageError(f"{printable(str(output))}: is there already; --force replaces it")
    try:
        write_atomically(output, migrated.migration.text.encode())
    except OSError as error:
        where = printable(str(output))
        raise InfrastructureError(f"{where}: can't be written: {reason(error)}") from error


def _read(project: Project, file: Path) -> Document:
    document = load_file(file, printable(project.relative(file)))
    if not document.readable:
        raise ContractError(document.problems)
    if not isinstance(document.value, dict):
        what = f"the file is {show(document.value)}; a contract is a mapping"
        raise UsageError(f"{document.path}: {what}")
    if "apiVersion" in document.value:
        raise UsageError(f"{document.path}: has an apiVersion; only foreign files are migrated")
    return document


def _named(output: Path) -> str:
    """The ID that a contract in this file has to have."""
    if output.suffix not in CONTRACT_SUFFIXES:
        raise UsageError(f"--output {show(str(output))}: a contract is a .yaml file")
    if CONTRACT_ID.fullmatch(output.stem) is None:
        near = f"{contract_id(output.stem)}{output.suffix}"
        raise UsageError(
            f"--output {show(str(output))}: a contract is called by its ID, lower-case words "
            f"joined by hyphens; call it {near}"
        )
    return output.stem


def _native(project: Project) -> list[Draft]:
    """The native contracts of the project, however broken they are."""
    places = [place for place in project.contracts if place.exists()]
    files = [
        f for p in places for f in (walk_files(p, CONTRACT_SUFFIXES) if p.is_dir() else [p])
    ]
    documents = [load_file(file, printable(project.relative(file))) for file in files]
    natives = [d for d in documents if isinstance(d.value, dict) and "apiVersion" in d.value]
    return [Draft(document, ()) for document in natives]


def _is_at(project: Project, draft: Draft, output: Path | None) -> bool:
    """True for the contract that would be replaced."""
    return output is not None and draft.document.path == project.relative(output.absolute())


def _refuse_problems(
    project: Project, drafts: list[Draft], migration: Migration, name: str
) -> None:
    """The new text is judged before anybody has it, by the rules that will judge the file."""
    problems = _errors(project, drafts, load(migration.text.encode(), name))
    if problems:
        raise UsageError(f"the native form would not be valid here: {problems[0]}")


def _errors(project: Project, drafts: list[Draft], document: Document) -> list[Problem]:
    if document.problems or not document.readable:
        return list(document.problems)
    found, _broken = check_schema(document)
    if not found:
        entries = document.value["falsifiers"]
        claims = [Claim(document, i, read_falsifier(entry)) for i, entry in enumerate(entries)]
        draft = Draft(document, tuple(claims))
        world = survey(project, [*drafts, draft], (), complete=True)
        found = tuple(apply_rules([draft], world))
    return [problem for problem in found if problem.severity is Severity.ERROR]
