"""The scoreboard as values: every falsifier with its derived status, and the counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from pv_harness.deriving.derivation import at_last_fingerprint, derive_status
from pv_harness.deriving.potency import answer_to
from pv_harness.deriving.status import Assessed, AssessedPatch, StatusKind
from pv_harness.evidence.records import PatchOutcome, PatchRecord
from pv_harness.exit_code import ExitCode, combine
from pv_harness.fingerprint.changes import find_changes
from pv_harness.fingerprint.manifest import Manifest
from pv_harness.judging.measurement import judge
from pv_harness.wording import HOLDS, counted


if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from pv_harness.contracts.bindings import Check
    from pv_harness.contracts.contract import Contract, Falsifier, Plant
    from pv_harness.deriving.status import Status
    from pv_harness.evidence.finding import Finding
    from pv_harness.evidence.records import RunRecord
    from pv_harness.fingerprint.manifest import Change
    from pv_harness.fingerprint.sources import SourceTree
    from pv_harness.judging.measurement import Judgement

_FINDINGS_TOLD = 3
_Record = TypeVar("_Record", "RunRecord", "PatchRecord")


@dataclass(frozen=True, slots=True)
class Row:
    """One falsifier on the board, with the records that its status was derived from.

    Attributes:
        checks: the checks bound to it on the tree as it is.
    """

    contract: Contract
    falsifier: Falsifier
    status: Status
    runs: tuple[Assessed, ...] = ()
    patches: tuple[AssessedPatch, ...] = ()
    checks: tuple[Check, ...] = ()

    @property
    def fresh_runs(self) -> tuple[RunRecord, ...]:
        """The run records at the present fingerprint."""
        return tuple(run.record for run in self.runs if not run.changes)

    @property
    def fresh_patches(self) -> tuple[PatchRecord, ...]:
        """The records of planted changes at the present fingerprint."""
        return tuple(patch.record for patch in self.patches if not patch.changes)

    @property
    def judgements(self) -> tuple[Judgement, ...]:
        """The measurements of the record that the status rests on, beside their bounds."""
        if self.status.record is None:
            return ()
        falsifier, record = self.falsifier, self.status.record
        return judge(falsifier.bounds, record.measurements, falsifier.seeds)[0]

    @property
    def changes(self) -> tuple[Change, ...]:
        """What has changed since the record that the status rests on; none if it is fresh."""
        record = self.status.record
        return next((run.changes for run in self.runs if run.record == record), ())

    @property
    def at_last_fingerprint(self) -> Row:
        """The row as it was when it was measured last, judged by the claim as it is now."""
        runs, patches = at_last_fingerprint(self.runs, self.patches)
        status = derive_status(self.falsifier, bound=bool(runs), runs=runs, patches=patches)
        return replace(self, status=status, runs=runs, patches=patches)

    def answer(self, plant: Plant, lane: str | None = None) -> PatchRecord | None:
        """What the planted change did at the present fingerprint: the record that decides.

        With `lane`, in that lane alone.
        """
        return answer_to(plant, (p for p in self.fresh_patches if lane in {None, p.lane}))

    @property
    def lanes(self) -> tuple[str, ...]:
        """The devices that fresh evidence was made on, in alphabetical order."""
        runs = {record.lane for record in self.fresh_runs}
        return tuple(sorted(runs | {record.lane for record in self.fresh_patches}))

    def killed_in(self, lane: str) -> int:
        """How many of the declared defects were killed in one lane."""
        answers = (self.answer(defect, lane) for defect in self.falsifier.defects)
        return sum(answer is not None and answer.outcome.counts for answer in answers)

    @property
    def headline(self) -> Judgement | None:
        """The judgement to show first: a broken one, else the worst of the first bound.

        Which bound comes first is the contract's to say. Nearness would not do: a counter that
        must be 0 is always nearer than the number that the claim is about.
        """
        first = {bound: place for place, bound in enumerate(self.falsifier.bounds)}
        return min(
            self.judgements,
            key=lambda j: (j.holds, first[j.bound] if j.holds else 0, closeness(j)),
            default=None,
        )


@dataclass(frozen=True, slots=True)
class Scoreboard:
    """All rows, and the counted fractions over them.

    Attributes:
        findings: what is wrong with the evidence that the rows were derived from, as a whole.
    """

    rows: tuple[Row, ...]
    findings: tuple[Finding, ...] = ()

    def of(self, ids: Collection[str]) -> Scoreboard:
        """The board of these falsifiers alone; what is wrong with the evidence stays."""
        rows = tuple(row for row in self.rows if row.falsifier.id in ids)
        return replace(self, rows=rows)

    @property
    def counted(self) -> tuple[Row, ...]:
        """The rows that are in the denominators."""
        return tuple(row for row in self.rows if row.falsifier.counted)

    @property
    def judged(self) -> tuple[Row, ...]:
        """The counted rows about which the evidence says something on this tree."""
        answered = {ExitCode.SATISFIED, ExitCode.DENIED}
        return tuple(r for r in self.counted if r.status.kind.exit_code in answered)

    @property
    def at_ceiling(self) -> tuple[Row, ...]:
        """The counted rows that show all that they can ever show."""
        return tuple(row for row in self.counted if row.status.at_ceiling)

    @property
    def tally(self) -> Counter[str]:
        """How many counted rows stand at each level, or in each other state."""
        return Counter(row.status.word for row in self.counted)

    @property
    def exit_code(self) -> ExitCode:
        """What a command ends with that is asked nothing more than how things stand.

        Blocked rows say nothing either way, and rows that are in no count are told and decide
        nothing, unless they are all that was asked about. Nothing judged is never a pass.
        """
        rows = self.counted or self.rows
        codes = [c for row in rows if (c := row.status.kind.exit_code) is not None]
        judged = bool(self.judged) or any(c is not ExitCode.SATISFIED for c in codes)
        if self.findings:
            return ExitCode.INFRASTRUCTURE
        return combine(codes) if judged else ExitCode.CANNOT_JUDGE

    def by_contract(self) -> tuple[tuple[Contract, tuple[Row, ...]], ...]:
        """The rows of each contract, in the order of the contracts."""
        groups: dict[str, list[Row]] = {}
        for row in self.rows:
            groups.setdefault(row.contract.id, []).append(row)
        return tuple((group[0].contract, tuple(group)) for group in groups.values())


def derive_scoreboard(
    contracts: Sequence[Contract],
    checks: Mapping[str, Sequence[Check]],
    runs: Sequence[RunRecord],
    patches: Sequence[PatchRecord],
    tree: SourceTree,
    void: Mapping[str, Mapping[str, str]] | None = None,
) -> Scoreboard:
    """The scoreboard of these contracts on this evidence and this tree.

    Args:
        contracts: the claims.
        checks: falsifier ID -> the checks bound to it.
        runs: every run record.
        patches: every record of a planted change.
        tree: the project's sources.
        void: falsifier ID -> name of a change that can't be planted on this tree -> why; it
            counts as VOID, whatever records say.
    """
    freshness = Freshness(checks, tree)
    runs_by_id = _grouped(runs)
    patches_by_id = _grouped(patches)
    rows = []
    for contract in contracts:
        for falsifier in contract.falsifiers:
            own_runs = tuple(
                Assessed(r, freshness.changes(r.manifest, falsifier))
                for r in runs_by_id.get(falsifier.id, ())
            )
            own_patches = tuple(
                AssessedPatch(p, freshness.changes(p.manifest, falsifier))
                for p in patches_by_id.get(falsifier.id, ())
            )
            own_void = (void or {}).get(falsifier.id, {})
            if own_void:
                own_patches = _with_void(falsifier, own_patches, own_void)
            bound = bool(checks.get(falsifier.id))
            status = derive_status(falsifier, bound=bound, runs=own_runs, patches=own_patches)
            status = _with_planted(status, own_void)
            bound_checks = tuple(checks.get(falsifier.id, ()))
            rows.append(Row(contract, falsifier, status, own_runs, own_patches, bound_checks))
    return Scoreboard(tuple(rows))


def _with_void(
    falsifier: Falsifier, patches: tuple[AssessedPatch, ...], void: Mapping[str, str]
) -> tuple[AssessedPatch, ...]:
    """The records with a VOID one in place of any fresh one of what can't be planted now."""
    plants = [plant for plant in falsifier.plants if plant.id in void]
    digests = {plant.digest for plant in plants}
    kept = (p for p in patches if p.changes or p.record.patch_digest not in digests)
    made = (
        PatchRecord(
            falsifier.id,
            plant.id,
            plant.digest,
            PatchOutcome.VOID,
            Manifest(()),
            reason=void[plant.id],
        )
        for plant in plants
    )
    return (*kept, *map(AssessedPatch, made))


def _with_planted(status: Status, void: Mapping[str, str]) -> Status:
    """The status; of a failure told with the defect that the tree holds, if it holds one."""
    held = next((why for why in void.values() if HOLDS in why), "")
    if status.kind is not StatusKind.FAILED or not held:
        return status
    return replace(status, why=f"{status.why}; {held}")


class DefectCounts(NamedTuple):
    """Declared defects of the counted rows, and those whose row waits for a device."""

    killed: int
    planted: int
    waiting: int


def defect_counts(board: Scoreboard) -> DefectCounts:
    """How many of the declared defects were killed; the counted rows alone."""
    blocked = [row for row in board.counted if row.status.kind is StatusKind.BLOCKED]
    return DefectCounts(
        killed=sum(row.status.potency.killed for row in board.counted),
        planted=sum(row.status.potency.planted for row in board.counted),
        waiting=sum(row.status.potency.planted for row in blocked),
    )


def summary_lines(board: Scoreboard) -> tuple[str, ...]:
    """The counted fractions, each with its denominator."""
    rows = board.counted
    tally = " · ".join(f"{word} {count}" for word, count in sorted(board.tally.items()))
    defects = defect_counts(board)
    waits = "waits for its" if defects.waiting == 1 else "wait for their"
    waiting = f" · {defects.waiting} {waits} device" if defects.waiting else ""
    apart = len(board.rows) - len(rows)
    lines = [
        (
            f"{len(board.judged)} of {len(rows)} falsifiers judged · "
            f"{len(board.at_ceiling)} of {len(rows)} at their ceiling"
        ),
        f"{defects.killed} of {defects.planted} declared defects killed{waiting}",
        tally or "no falsifier",
    ]
    if apart:
        lines.append(f"{apart} reported apart (¹ `counted: false`), in no count")
    return (*lines, *_finding_lines(board.findings))


def _finding_lines(findings: Sequence[Finding]) -> Iterator[str]:
    """What is wrong with the evidence, as `pv evidence verify` says it too."""
    if findings:
        yield f"the evidence can't be trusted, {counted(len(findings), 'finding')}:"
    yield from map(str, findings[:_FINDINGS_TOLD])
    if len(findings) > _FINDINGS_TOLD:
        yield f"and {len(findings) - _FINDINGS_TOLD} more: pv evidence verify"


def closeness(judgement: Judgement) -> tuple[bool, float]:
    """A sorting key: broken bounds first, then the margin relative to the threshold."""
    margin = judgement.margin
    threshold = judgement.bound.threshold
    scale = abs(float(threshold)) if isinstance(threshold, (int, float)) and threshold else 1.0
    return (judgement.holds, float("inf") if margin is None else margin / scale)


class Freshness:
    """What has changed since a manifest was made; each manifest is compared once."""

    def __init__(self, checks: Mapping[str, Sequence[Check]], tree: SourceTree) -> None:
        self._checks = checks
        self._tree = tree
        self._same: dict[tuple[str, int], tuple[Manifest, tuple[Change, ...]]] = {}
        self._equal: dict[tuple[str, Manifest], tuple[Change, ...]] = {}

    def changes(self, manifest: Manifest, falsifier: Falsifier) -> tuple[Change, ...]:
        """Every entry that differs from the tree; none means fresh."""
        # Records mostly share one manifest, and to look an equal one up costs its hash.
        same = (falsifier.id, id(manifest))
        if same not in self._same:
            self._same[same] = (manifest, self._compare(manifest, falsifier))
        return self._same[same][1]

    def _compare(self, manifest: Manifest, falsifier: Falsifier) -> tuple[Change, ...]:
        equal = (falsifier.id, manifest)
        if equal not in self._equal:
            bound = self._checks.get(falsifier.id, ())
            self._equal[equal] = find_changes(manifest, falsifier, bound, self._tree)
        return self._equal[equal]


def _grouped(records: Iterable[_Record]) -> dict[str, list[_Record]]:
    groups: dict[str, list[_Record]] = {}
    for record in records:
        groups.setdefault(record.falsifier_id, []).append(record)
    return groups
