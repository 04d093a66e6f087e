"""Files read as what they are: a contract's draft, a foreign file, another kind, or none."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pv_harness.contracts.reading import read_falsifier
from pv_harness.documents.problem import Problem, Severity
from pv_harness.policy.kinds import OTHER_KINDS
from pv_harness.validating.collisions import find_colliding
from pv_harness.validating.rules.world import Claim, Draft
from pv_harness.wording import printable, show


if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from pv_harness.contracts.file_search import FoundFile
    from pv_harness.documents.document import Document
    from pv_harness.project import Project
    from pv_harness.validating.foreign.judging import ForeignFile
    from pv_harness.validating.plain_files import PlainFile

_NAMING: Final = ("id", "metadata", "falsifiers")
"""Keys of a contract whose values rules ask for in a file that has errors, too."""
_LIMIT: Final = "PV002"
_DRAFT_CODES = frozenset({"PV005"})
"""Problems of the YAML that leave data worth judging: the first value of a key given twice."""


class ExaminedFile(NamedTuple):
    """One examined file: a contract's `draft`, another kind's `other`, `foreign`, or none."""

    path: str
    problems: tuple[Problem, ...]
    draft: Draft | None = None
    foreign: ForeignFile | None = None
    other: Document | None = None

    @property
    def is_understood(self) -> bool:
        """Whether it is of a kind that is judged."""
        return not (self.draft is None and self.foreign is None and self.other is None)

    @property
    def names_all(self) -> bool:
        """False where it may declare IDs that can't be read, under a misspelt key for one."""
        draft = self.draft
        if draft is None:
            return self.is_understood
        value: dict[str, Any] = draft.document.value
        if isinstance(value.get("falsifiers"), list):
            return len(list(draft.falsifier_ids())) == len(draft.entries)
        return not any(_may_name(key, part) for key, part in value.items())


class Examined(NamedTuple):
    """All files of a validation: those judged, and those around them, for their names."""

    judged: Sequence[ExaminedFile]
    around: Sequence[ExaminedFile]
    plain_judged: Sequence[PlainFile] = ()
    plain_around: Sequence[PlainFile] = ()

    @property
    def files(self) -> tuple[ExaminedFile, ...]:
        """All that were read with their places, those around first."""
        return (*self.around, *self.judged)

    @property
    def plain(self) -> tuple[PlainFile, ...]:
        """All in which nothing is wrong, those around first."""
        return (*self.plain_around, *self.plain_judged)

    @property
    def is_complete(self) -> bool:
        """Whether every name that the files declare is known."""
        return all(file.names_all for file in self.files)


def examine_all(
    files: Sequence[FoundFile],
    others: Sequence[FoundFile],
    project: Project,
    plain: Mapping[str, PlainFile],
) -> Examined:
    """The files, and the others of which only the names count; `plain` ones are not read again.

    A plain file that shares a name with another is read after all: a message names its place.
    """
    judged = {f.real: _examine(f, project) for f in files if f.real not in plain}
    around = {
        f.real: _examine(f, project, names_only=True) for f in others if f.real not in plain
    }
    colliding = _find_colliding(plain, [*judged.values(), *around.values()])
    judged |= {f.real: _examine(f, project) for f in files if f.real in colliding}
    around |= {
        f.real: _examine(f, project, names_only=True) for f in others if f.real in colliding
    }
    return Examined(
        [judged[f.real] for f in files if f.real in judged],
        [around[f.real] for f in others if f.real in around],
        [plain[f.real] for f in files if f.real not in judged],
        [plain[f.real] for f in others if f.real not in around],
    )


def with_unsaved(unsaved: Document, project: Project, examined: Examined) -> Examined:
    """The same with the unsaved document in place of the saved one."""
    path = project.root / unsaved.path
    judged = [file for file in examined.judged if file.path != unsaved.path]
    around = [file for file in examined.around if file.path != unsaved.path]
    return Examined([*judged, _examine_document(unsaved, path)], around)


def _find_colliding(
    plain: Mapping[str, PlainFile], files: Sequence[ExaminedFile]
) -> Collection[str]:
    drafts = [file.draft for file in files if file.draft is not None]
    foreign = [f.foreign.contract for f in files if f.foreign is not None]
    contracts = [draft.contract_id for draft in drafts if draft.contract_id is not None]
    contracts += [contract.stem for contract in foreign if contract is not None]
    falsifiers = [identity for draft in drafts for _, identity in draft.falsifier_ids()]
    falsifiers += [name.id for contract in foreign if contract for name in contract.names]
    return find_colliding(plain, contracts, falsifiers)


def _examine(file: FoundFile, project: Project, *, names_only: bool = False) -> ExaminedFile:
    from pv_harness.documents.loading import load_file  # noqa: PLC0415 - PyYAML: 10 ms

    path = Path(file.path)
    document = load_file(path, printable(project.relative(path)))
    return _without_waste(_examine_document(document, path, names_only=names_only))


def _without_waste(file: ExaminedFile) -> ExaminedFile:
    """The same, holding no more of a file that becomes no contract than rules ask for.

    A file of a megabyte holds a hundred of them, and there may be hundreds of files.
    """
    draft = file.draft
    if draft is None or all(p.severity is not Severity.ERROR for p in file.problems):
        return file
    value = draft.document.value
    kept = {key: value[key] for key in _NAMING if key in value}
    odd = (key for key, part in value.items() if _may_name(key, part))
    kept |= {key: type(value[key])() for key in islice(odd, 1) if key not in kept}
    document = draft.document.reduced_to(kept)
    claims = tuple(claim.within(document) for claim in draft.claims)
    return file._replace(draft=Draft(document, claims))


def _may_name(key: str, part: object) -> bool:
    """Whether what should stand under `falsifiers` may stand here."""
    return key not in {"metadata", "equations"} and isinstance(part, list | dict)


def _examine_document(
    document: Document, path: Path, *, names_only: bool = False
) -> ExaminedFile:
    if not document.readable:
        return ExaminedFile(document.path, document.problems)
    if not isinstance(document.value, dict):
        what = f"the file is {show(document.value)}; it should be a mapping"
        problem = document.problem("PV009", what, document.position([]))
        return ExaminedFile(document.path, (*document.problems, problem))
    if not _is_native(document.value):
        # Most projects have no such file, and its import takes longer than all else.
        from pv_harness.validating.foreign.judging import read_foreign_file  # noqa: PLC0415

        foreign = read_foreign_file(document, path)
        if foreign.contract is None:
            foreign = replace(foreign, document=document.reduced_to({}))
        return ExaminedFile(document.path, _milder(document.problems), foreign=foreign)
    kind = document.value.get("kind")
    if isinstance(kind, str) and kind in OTHER_KINDS:
        return ExaminedFile(document.path, document.problems, other=document)
    if names_only or any(problem.code not in _DRAFT_CODES for problem in document.problems):
        return ExaminedFile(document.path, document.problems, Draft(document, ()))
    return _read_native(document)


def _read_native(document: Document) -> ExaminedFile:
    from pv_harness.documents.schema_check import (  # noqa: PLC0415 - nearly all files are valid
        API_VERSION,
        check_schema,
    )

    schema_problems, broken = check_schema(document)
    problems = (*document.problems, *schema_problems)
    if document.value.get("apiVersion", API_VERSION) != API_VERSION:
        problems = tuple(problem for problem in problems if problem.code == "PV013")
        return ExaminedFile(document.path, problems, Draft(document, ()))
    entries = document.value.get("falsifiers")
    claims = tuple(
        Claim(document, index, read_falsifier(entry))
        for index, entry in enumerate(entries if isinstance(entries, list) else ())
        if index not in broken
    )
    return ExaminedFile(document.path, problems, Draft(document, claims))


def _is_native(value: dict[str, Any]) -> bool:
    """True for a file that says so, and for one that means to: a misspelt key is no way out."""
    return "falsifiers" in value or any(map(_means_version, value))


@lru_cache(maxsize=1024)  # thousands of foreign files have the same few keys
def _means_version(key: str) -> bool:
    spelled = key.lower().replace("_", "").replace("-", "")
    if spelled == "apiversion":
        return True
    import difflib  # noqa: PLC0415 - 2 ms that native files need not pay

    return bool(difflib.get_close_matches("apiversion", [spelled], 1, 0.85))


def _milder(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Of a foreign file: a key given twice, say. What is there in spite of it is judged.

    What goes beyond a limit was not read, whoever's file it is.
    """
    return tuple(
        problem if problem.code == _LIMIT else problem._replace(severity=Severity.WARNING)
        for problem in problems
    )
