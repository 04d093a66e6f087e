"""Are these contracts fit to be judged? Every problem in them, and the denominators.

Four families never mix: an invalid contract (here), a refuted claim, an errored check and a
skipped one. Nothing is imported and nothing is run.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from pv_harness.contracts.bindings import scan_checks
from pv_harness.contracts.file_search import (
    CONTRACT_SUFFIXES,
    FoundFile,
    in_parts,
    list_contract_files,
    list_files,
)
from pv_harness.contracts.reading import read_contract
from pv_harness.documents.problem import Problem, Severity, sort_and_limit
from pv_harness.errors import ContractError
from pv_harness.policy.kinds import OTHER_KINDS
from pv_harness.project import no_contracts
from pv_harness.validating.examining import examine_all, with_unsaved
from pv_harness.validating.report import Report
from pv_harness.validating.rules import apply_rules
from pv_harness.validating.rules.planting import UNPLANTABLE, find_unplantable
from pv_harness.validating.rules.world import survey


if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import date

    from pv_harness.contracts.bindings import Bindings, Check
    from pv_harness.contracts.contract import Contract
    from pv_harness.documents.document import Document
    from pv_harness.policy.rules import Surroundings
    from pv_harness.project import Project
    from pv_harness.validating.examining import Examined, ExaminedFile
    from pv_harness.validating.foreign.judging import ForeignReport
    from pv_harness.validating.plain_files import PlainFile, PlainReading
    from pv_harness.validating.rules.world import World


def validate(
    paths: Sequence[str],
    project: Project,
    today: date | None = None,
    recorded: Collection[str] = frozenset(),
    unsaved: Document | None = None,
    *,
    read_plain: PlainReading | None = None,
) -> Report:
    """The report on the contracts that `paths` name: files, folders and globs.

    References, duplicates and bindings are judged against the whole project: the contracts
    below `project.contracts` are read too, and what is wrong inside them is left to their turn.
    Waivers are held against `today` where it is given. `recorded` holds the IDs of falsifiers
    that have evidence: a status that a foreign file types is held against it. `unsaved` is one
    more document, judged in place of the file that it is called by.

    With `read_plain` files without any fault are read by that, faster; the report then has
    their counts and no records.

    Raises:
        UsageError: a path names nothing, or a folder can't be listed.
    """
    files = list_contract_files(paths)
    seen = {file.real for file in files}
    others = [file for file in _project_files(project) if file.real not in seen]
    bindings = scan_checks(project)
    plain: Mapping[str, PlainFile] = {}
    if read_plain is not None and unsaved is None:
        around = survey(project, (), bindings.checks, complete=True, named=bindings.named)
        plain = read_plain([*files, *others], around)
    examined = examine_all(files, others, project, plain)
    if unsaved is not None:
        examined = with_unsaved(unsaved, project, examined)
    return _judge(examined, project, bindings, today, recorded)


def load_contracts(project: Project) -> tuple[tuple[Contract, ...], tuple[Check, ...]]:
    """The project's contracts, sorted by file, and all its checks; as `load_judged`."""
    judged = load_judged(project)
    return judged.contracts, judged.checks


class Judged(NamedTuple):
    """The contracts of a project, and its checks, without any error that forbids to judge.

    Attributes:
        contracts: sorted by file.
        void: falsifier ID -> name of a change that can't be planted on this tree -> why.
    """

    contracts: tuple[Contract, ...]
    checks: tuple[Check, ...]
    void: dict[str, dict[str, str]]


def load_judged(project: Project) -> Judged:
    """The project's contracts, all its checks, and which changes can't be planted now.

    A change that can't be planted, or that no longer lies in what its claim covers, says
    something about the tree: it shows nothing, and all other claims are judged all the same.

    Raises:
        UsageError: the project has no contract.
        ContractError: any other error in a contract or check; it holds every problem found.
    """
    files = [file.path for file in _project_files(project)]
    if not files:
        raise no_contracts(project)
    report = validate(files, project)
    errors = [p for p in report.problems if p.severity is Severity.ERROR]
    if any(problem.code not in UNPLANTABLE for problem in errors):
        raise ContractError(report.problems)
    if not report.contracts:
        raise no_contracts(project)
    falsifiers = [f for contract in report.contracts for f in contract.falsifiers]
    void = find_unplantable(project, falsifiers) if errors else {}
    return Judged(report.contracts, report.checks, void)


def _judge(
    examined: Examined,
    project: Project,
    bindings: Bindings,
    today: date | None,
    recorded: Collection[str],
) -> Report:
    drafts = [file.draft for file in examined.judged if file.draft is not None]
    world = survey(
        project,
        [file.draft for file in examined.files if file.draft is not None],
        bindings.checks,
        complete=examined.is_complete,
        named=bindings.named,
        known=[(f.path, f.contract_id, [c.id for c in f.claims]) for f in examined.plain],
    )
    problems = [problem for file in examined.judged for problem in file.problems]
    problems += [problem for plain in examined.plain_judged for problem in plain.problems]
    problems += [*bindings.problems, *apply_rules(drafts, world)]
    if any(file.other is not None for file in examined.judged):
        around = _surroundings(project, examined, today)
        problems += [p for file in examined.judged for p in _judge_other(file, around)]
    foreign = _judge_foreign(examined, world, recorded)
    return _report(
        examined,
        [*problems, *(foreign.problems if foreign else ())],
        bindings.checks,
        foreign,
    )


def _judge_foreign(
    examined: Examined, world: World, recorded: Collection[str]
) -> ForeignReport | None:
    judged = [file.foreign for file in examined.judged if file.foreign is not None]
    if not judged:
        return None
    from pv_harness.validating.foreign.judging import judge_foreign  # noqa: PLC0415 - see above

    around = [file.foreign for file in examined.around if file.foreign is not None]
    return judge_foreign(judged, around, world, recorded)


def _project_files(project: Project) -> list[FoundFile]:
    """Files below `project.contracts`; an empty or absent folder is for the caller to judge."""
    files: dict[str, FoundFile] = {}
    for place in project.contracts:
        path = str(place)
        if place.is_dir():
            files |= {file.real: file for file in list_files(path, CONTRACT_SUFFIXES)}
        elif place.exists():
            files[path] = FoundFile(path, str(place.resolve()))
    return sorted(files.values(), key=lambda file: in_parts(file.path))


def _surroundings(project: Project, examined: Examined, today: date | None) -> Surroundings:
    """What policies are held against; names only where every contract could be read."""
    from pv_harness.policy.rules import Surroundings  # noqa: PLC0415 - 13 ms, for few files

    drafts = [file.draft for file in examined.files if file.draft is not None]
    names = {
        identity: draft.contract_id or ""
        for draft in drafts
        for _, identity in draft.falsifier_ids()
    }
    names |= {claim.id: f.contract_id for f in examined.plain for claim in f.claims}
    return Surroundings(names if examined.is_complete else None, tuple(project.keys), today)


def _judge_other(file: ExaminedFile, around: Surroundings) -> tuple[Problem, ...]:
    """The problems of a native file that declares no falsifier."""
    if file.other is None:
        return ()
    return OTHER_KINDS[file.other.value["kind"]](file.other, around)


def _report(
    examined: Examined,
    problems: Iterable[Problem],
    checks: tuple[Check, ...],
    foreign: ForeignReport | None,
) -> Report:
    judged, plain = examined.judged, examined.plain_judged
    names = [*(file.path for file in judged), *(file.path for file in plain)]
    listed = sort_and_limit(problems)
    errors = (problem for problem in listed if problem.severity is Severity.ERROR)
    bad = {problem.path for problem in errors if problem.code not in UNPLANTABLE}
    drafts = [file.draft for file in judged if file.draft is not None]
    return Report(
        problems=listed,
        contracts=tuple(
            read_contract(draft.document) for draft in drafts if draft.document.path not in bad
        ),
        falsifiers=tuple(claim.falsifier for draft in drafts for claim in draft.claims),
        unread=sum(len(draft.entries) - len(draft.claims) for draft in drafts),
        native=len(drafts) + len(plain),
        foreign=sum(file.foreign is not None for file in judged),
        unreadable=sum(not file.is_understood for file in judged),
        checks=checks,
        others=Counter(file.other.value["kind"] for file in judged if file.other is not None),
        paths=tuple(sorted(names, key=in_parts)),
        plain=tuple(plain),
        foreign_found=foreign.counts if foreign else None,
        looked_for=foreign.looked_for if foreign else frozenset(),
    )
