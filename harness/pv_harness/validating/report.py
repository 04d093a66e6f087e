"""What a validation found: the problems, the denominators, and the exit code that follows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pv_harness.documents.problem import Problem, Severity
from pv_harness.exit_code import ExitCode
from pv_harness.validating.plain_files import Counted, PlainFile, count_falsifier
from pv_harness.wording import counted


if TYPE_CHECKING:
    from collections.abc import Mapping

    from pv_harness.contracts.bindings import Check
    from pv_harness.contracts.contract import Contract, Falsifier
    from pv_harness.validating.foreign.judging import ForeignCounts


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
        paths: the names of all files looked at, in the order in which they were.
        foreign_found: what the foreign files declare; nothing in them counts as native. None
            without any.
        looked_for: paths that foreign files name, and that findings on them rest on.
        plain: native files without any fault of which only this much was kept; what they
            declare is in neither `contracts` nor `falsifiers`.
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
    paths: tuple[str, ...] = ()
    foreign_found: ForeignCounts | None = None
    plain: tuple[PlainFile, ...] = ()
    looked_for: frozenset[str] = frozenset()

    @property
    def claims(self) -> tuple[Counted, ...]:
        """Every falsifier that could be read, as far as it is counted."""
        told = (claim for file in self.plain for claim in file.claims)
        return (*map(count_falsifier, self.falsifiers), *told)

    @property
    def foreign_counts(self) -> ForeignCounts:
        """What the foreign files declare, all zero without any."""
        # Most projects have none, and what judges them takes longer to import than all else.
        from pv_harness.validating.foreign.judging import ForeignCounts  # noqa: PLC0415

        return self.foreign_found or ForeignCounts()

    @property
    def planted(self) -> frozenset[str]:
        """The files that defects and controls change, as the contracts call them."""
        told = frozenset(name for file in self.plain for name in file.planted)
        return told.union(str(p.patch.file) for f in self.falsifiers for p in f.plants)

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
        return sum(claim.id in known for claim in self.claims)

    @property
    def bound_checks(self) -> int:
        """Test functions that are bound to at least one of these falsifiers."""
        known = {claim.id for claim in self.claims}
        return len({check.node_id for check in self.checks if check.falsifier_id in known})

    @property
    def exit_code(self) -> ExitCode:
        """SATISFIED without errors; nothing judged is never a pass."""
        satisfied = self.judged > 0 and not self.errors
        return ExitCode.SATISFIED if satisfied else ExitCode.CANNOT_JUDGE

    @property
    def judged(self) -> int:
        """Files in which something was held against a rule."""
        native = self.native + sum(self.others.values())
        return native + (self.foreign_found.judged if self.foreign_found else 0)


def render_report(report: Report, with_evidence: int | None = None) -> str:
    """The problems, one per line, and last the denominators. Ends without a newline.

    `with_evidence` is the number of falsifiers that have a record, where the caller knows it.
    """
    lines = [str(problem) for problem in report.problems]
    return "\n".join([*lines, render_counts(report, with_evidence)])


def render_counts(report: Report, with_evidence: int | None = None) -> str:
    """The denominators alone: a line for foreign files if there are any, and one for all."""
    if report.foreign_found is None:
        return _denominators(report, with_evidence)
    from pv_harness.validating.foreign.judging import render_foreign_counts  # noqa: PLC0415

    foreign = render_foreign_counts(report.foreign_found)
    return f"{foreign}\n{_denominators(report, with_evidence)}"


def _denominators(report: Report, with_evidence: int | None) -> str:
    declared = report.claims
    files = f"{counted(report.files, 'file')}: {report.native} native, "
    files += f"{report.foreign} foreign"
    files += "".join(f", {counted(n, kind)}" for kind, n in sorted(report.others.items()))
    if report.unreadable:
        files += f", {report.unreadable} unreadable"
    noun = "native falsifier" if report.foreign else "falsifier"
    claims = f"{counted(len(declared), noun)}, {report.bound} bound to "
    claims += counted(report.bound_checks, "check")
    if with_evidence is not None:
        claims += f", {with_evidence} with evidence"
    claims += f", {sum(claim.counted for claim in declared)} counted"
    if report.unread:
        claims += f", {report.unread} more unreadable"
    defects = counted(sum(claim.defects for claim in declared), "planted defect")
    controls = counted(sum(claim.controls for claim in declared), "control")
    found = f"{counted(report.errors, 'error')}, {counted(report.warnings, 'warning')}"
    parts = [files, claims, f"{defects}, {controls}", found]
    return " · ".join(parts if report.judged else [*parts, "nothing judged"])
