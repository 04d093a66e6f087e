"""Are these contracts fit to be judged? Every problem in them, and the denominators.

Four families never mix: an invalid contract (here), a refuted claim, an errored check and a
skipped one. Nothing is imported and nothing is run.
"""

from __future__ import annotations

import difflib
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pv_harness.contracts.bindings import scan_checks
from pv_harness.contracts.file_search import CONTRACT_SUFFIXES, find_contract_files, walk_files
from pv_harness.contracts.reading import read_contract, read_falsifier
from pv_harness.contracts.rules import apply_rules
from pv_harness.contracts.rules.world import Claim, Draft, survey
from pv_harness.documents.loading import load_file
from pv_harness.documents.problem import Problem, Severity, sort_key
from pv_harness.documents.schema_check import API_VERSION, check_schema
from pv_harness.errors import ContractError, UsageError
from pv_harness.exit_code import ExitCode
from pv_harness.policy.kinds import OTHER_KINDS
from pv_harness.policy.rules import Surroundings
from pv_harness.wording import printable, show


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from pv_harness.contracts.bindings import Check
    from pv_harness.contracts.contract import Contract, Falsifier
    from pv_harness.documents.loading import Document
    from pv_harness.project import Project

_DRAFT_CODES = frozenset({"PV005"})
"""Problems of the YAML that leave data worth judging: the first value of a key given twice."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a validation found. Facts are stored; counts and the exit code are derived.

    Attributes:
        problems: all of them, sorted by place.
        contracts: the contracts of the files that have no error.
        falsifiers: the falsifiers that could be read, also from files with errors elsewhere.
        unread: entries of `falsifiers` too broken to be read.
        native: files of the native format; `foreign` and `unreadable` are apart.
        checks: all checks of the project, bound to these falsifiers or to others.
        others: native files that declare no falsifier, `release` say, and how many of each.
    """

    problems: tuple[Problem, ...]
    contracts: tuple[Contract, ...]
    falsifiers: tuple[Falsifier, ...]
    unread: int
    native: int
    foreign: int
    unreadable: int
    checks: tuple[Check, ...]
    others: Mapping[str, int] = field(default_factory=dict)

    @property
    def files(self) -> int:
        """Files looked at."""
        return self.native + self.foreign + self.unreadable + sum(self.others.values())

    @property
    def errors(self) -> int:
        """Problems that make a contract unfit to be judged."""
        return sum(problem.severity is Severity.ERROR for problem in self.problems)

    @property
    def warnings(self) -> int:
        """Problems that do not."""
        return len(self.problems) - self.errors

    @property
    def bound(self) -> int:
        """Falsifiers with at least one check."""
        known = {check.falsifier_id for check in self.checks}
        return sum(falsifier.id in known for falsifier in self.falsifiers)

    @property
    def bound_checks(self) -> int:
        """Test functions that are bound to at least one of these falsifiers."""
        known = {falsifier.id for falsifier in self.falsifiers}
        return len({check.node_id for check in self.checks if check.falsifier_id in known})

    @property
    def exit_code(self) -> ExitCode:
        """SATISFIED without errors; nothing judged is never a pass."""
        judged = (self.native > 0 or bool(self.others)) and not self.errors
        return ExitCode.SATISFIED if judged else ExitCode.CANNOT_JUDGE


def validate(paths: Sequence[str], project: Project, today: date | None = None) -> Report:
    """The report on the contracts that `paths` name: files, folders and globs.

    References, duplicates and bindings are judged against the whole project: the contracts
    below `project.contracts` are read too, and what is wrong inside them is left to their turn.
    Waivers are held against `today` where it is given.

    Raises:
        UsageError: a path names nothing, or a folder can't be listed.
    """
    files = find_contract_files(paths)
    seen = {path.resolve() for path in files}
    others = [path for path in _project_files(project) if path.resolve() not in seen]
    judged = [_examine(path, project) for path in files]
    around = [_examine(path, project, names_only=True) for path in others]
    bindings = scan_checks(project)
    drafts = [file.draft for file in judged if file.draft is not None]
    world = survey(
        project,
        [file.draft for file in (*around, *judged) if file.draft is not None],
        bindings.checks,
        complete=all(file.is_understood for file in (*around, *judged)),
    )
    problems = [problem for file in judged for problem in file.problems]
    problems += [*bindings.problems, *apply_rules(drafts, world)]
    around_policies = _surroundings(project, [*around, *judged], today)
    problems += [p for file in judged for p in _judge_other(file, around_policies)]
    return _report(judged, problems, bindings.checks)


def load_contracts(project: Project) -> tuple[tuple[Contract, ...], tuple[Check, ...]]:
    """The project's contracts, sorted by file, and all its checks, without any error.

    Raises:
        UsageError: the project has no contract.
        ContractError: an error in any contract or check; it holds every problem found.
    """
    files = [str(path) for path in _project_files(project)]
    report = validate(files, project)
    if report.errors:
        raise ContractError(report.problems)
    if not report.contracts:
        where = ", ".join(map(project.relative, project.contracts))
        raise UsageError(f"{where}: no contract to judge; write one there")
    return report.contracts, report.checks


def render_report(report: Report, with_evidence: int | None = None) -> str:
    """The problems, one per line, and last the denominators. Ends without a newline.

    `with_evidence` is the number of falsifiers that have a record, where the caller knows it.
    """
    lines = [str(problem) for problem in report.problems]
    return "\n".join([*lines, _denominators(report, with_evidence)])


@dataclass(frozen=True, slots=True)
class _File:
    """One examined file: a contract's `draft`, another kind's `other`, `foreign`, or none."""

    problems: tuple[Problem, ...]
    draft: Draft | None = None
    foreign: bool = False
    other: Document | None = None

    @property
    def is_understood(self) -> bool:
        return self.draft is not None or self.foreign or self.other is not None


def _project_files(project: Project) -> tuple[Path, ...]:
    """Files below `project.contracts`; an empty or absent folder is for the caller to judge."""
    files: list[Path] = []
    for place in project.contracts:
        if place.is_dir():
            files += walk_files(place, CONTRACT_SUFFIXES)
        elif place.exists():
            files.append(place)
    return tuple(sorted(set(files)))


def _examine(path: Path, project: Project, *, names_only: bool = False) -> _File:
    document = load_file(path, printable(project.relative(path)))
    if not document.readable:
        return _File(document.problems)
    if not isinstance(document.value, dict):
        what = f"the file is {show(document.value)}; it should be a mapping"
        problem = document.problem("PV009", what, document.position([]))
        return _File((*document.problems, problem))
    if not _is_native(document.value):
        return _File(_foreign_problems(document), foreign=True)
    kind = document.value.get("kind")
    if isinstance(kind, str) and kind in OTHER_KINDS:
        return _File(document.problems, other=document)
    if names_only or any(problem.code not in _DRAFT_CODES for problem in document.problems):
        return _File(document.problems, Draft(document, ()))
    return _judge_native(document)


def _judge_native(document: Document) -> _File:
    schema_problems, broken = check_schema(document)
    problems = (*document.problems, *schema_problems)
    if document.value.get("apiVersion", API_VERSION) != API_VERSION:
        problems = tuple(problem for problem in problems if problem.code == "PV013")
        return _File(problems, Draft(document, ()))
    entries = document.value.get("falsifiers")
    claims = tuple(
        Claim(document, index, read_falsifier(entry))
        for index, entry in enumerate(entries if isinstance(entries, list) else ())
        if index not in broken
    )
    return _File(problems, Draft(document, claims))


def _is_native(value: dict[str, Any]) -> bool:
    """True for a file that says so, and for one that means to: a misspelt key is no way out."""
    spelled = {key.lower().replace("_", "").replace("-", "") for key in value}
    return "falsifiers" in value or bool(
        difflib.get_close_matches("apiversion", spelled, 1, 0.85)
    )


def _surroundings(project: Project, files: Sequence[_File], today: date | None) -> Surroundings:
    """What policies are held against; names only where every contract could be read."""
    drafts = [file.draft for file in files if file.draft is not None]
    names = {
        identity: draft.contract_id or ""
        for draft in drafts
        for _, identity in draft.falsifier_ids()
    }
    complete = all(file.is_understood for file in files)
    return Surroundings(names if complete else None, tuple(project.keys), today)


def _judge_other(file: _File, around: Surroundings) -> tuple[Problem, ...]:
    """The problems of a native file that declares no falsifier."""
    if file.other is None:
        return ()
    return OTHER_KINDS[file.other.value["kind"]](file.other, around)


def _foreign_problems(document: Document) -> tuple[Problem, ...]:
    what = (
        "foreign contract: no apiVersion; not judged "
        "(normalising foreign dialects is not supported yet)"
    )
    problem = document.problem("PV014", what, document.position([]), Severity.WARNING)
    milder = (replace(item, severity=Severity.WARNING) for item in document.problems)
    return (problem, *milder)


def _report(
    judged: Sequence[_File], problems: Iterable[Problem], checks: tuple[Check, ...]
) -> Report:
    listed = tuple(sorted(set(problems), key=sort_key))
    bad = {problem.path for problem in listed if problem.severity is Severity.ERROR}
    drafts = [file.draft for file in judged if file.draft is not None]
    return Report(
        problems=listed,
        contracts=tuple(
            read_contract(draft.document) for draft in drafts if draft.document.path not in bad
        ),
        falsifiers=tuple(claim.falsifier for draft in drafts for claim in draft.claims),
        unread=sum(len(draft.entries) - len(draft.claims) for draft in drafts),
        native=len(drafts),
        foreign=sum(file.foreign for file in judged),
        unreadable=sum(not file.is_understood for file in judged),
        checks=checks,
        others=Counter(file.other.value["kind"] for file in judged if file.other is not None),
    )


def _denominators(report: Report, with_evidence: int | None) -> str:
    falsifiers = report.falsifiers
    files = f"{_count(report.files, 'file')}: {report.native} native, "
    files += f"{report.foreign} foreign (not judged)"
    files += "".join(f", {_count(n, kind)}" for kind, n in sorted(report.others.items()))
    if report.unreadable:
        files += f", {report.unreadable} unreadable"
    claims = f"{_count(len(falsifiers), 'falsifier')}, {report.bound} bound to "
    claims += _count(report.bound_checks, "check")
    if with_evidence is not None:
        claims += f", {with_evidence} with evidence"
    claims += f", {sum(falsifier.counted for falsifier in falsifiers)} counted"
    if report.unread:
        claims += f", {report.unread} more unreadable"
    defects = _count(sum(len(item.defects) for item in falsifiers), "planted defect")
    controls = _count(sum(len(item.controls) for item in falsifiers), "control")
    found = f"{_count(report.errors, 'error')}, {_count(report.warnings, 'warning')}"
    parts = [files, claims, f"{defects}, {controls}", found]
    judged = report.native or report.others
    return " · ".join(parts if judged else [*parts, "nothing judged"])


def _count(number: int, noun: str) -> str:
    if number == 1:
        return f"1 {noun}"
    return f"{number} {noun[:-1]}ies" if noun.endswith("y") else f"{number} {noun}s"
