"""The scoreboard as values: every falsifier with its derived status, and the counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from pv_harness.contracts.contract import Defect
from pv_harness.exit_code import ExitCode, combine
from pv_harness.fingerprint.manifest import find_changes
from pv_harness.judging.measurement import judge
from pv_harness.judging.status import Assessed, AssessedPatch, StatusKind, derive_status


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pv_harness.contracts.bindings import Check
    from pv_harness.contracts.contract import Contract, Falsifier, Plant
    from pv_harness.evidence.records import PatchOutcome, PatchRecord, RunRecord
    from pv_harness.fingerprint.manifest import Change, Manifest
    from pv_harness.fingerprint.sources import SourceTree
    from pv_harness.judging.measurement import Judgement
    from pv_harness.judging.status import Status

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

    def answer(self, plant: Plant, lane: str | None = None) -> PatchRecord | None:
        """What the planted change did at the present fingerprint, by its newest record.

        Of two records of one moment the bad one counts. With `lane`, in that lane alone.
        """
        digest = plant.digest
        found = [
            record
            for record in self.fresh_patches
            if record.patch_digest == digest and lane in {None, record.lane}
        ]
        return max(found, key=_newest_and_worst_last, default=None)

    @property
    def lanes(self) -> tuple[str, ...]:
        """The devices that fresh evidence was made on, in alphabetical order."""
        runs = {record.lane for record in self.fresh_runs}
        return tuple(sorted(runs | {record.lane for record in self.fresh_patches}))

    def killed_in(self, lane: str) -> int:
        """How many of the declared defects were killed in one lane."""
        answers = ((defect, self.answer(defect, lane)) for defect in self.falsifier.defects)
        return sum(a is not None and is_as_asked(defect, a.outcome) for defect, a in answers)

    @property
    def tightest(self) -> Judgement | None:
        """The judgement to show first: a broken one, else the one nearest to its bound."""
        if not self.judgements:
            return None
        return min(self.judgements, key=closeness)


@dataclass(frozen=True, slots=True)
class Scoreboard:
    """All rows, and the counted fractions over them."""

    rows: tuple[Row, ...]

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
        return Counter(_tally_word(row.status) for row in self.counted)

    @property
    def exit_code(self) -> ExitCode:
        """What a command ends with that is asked nothing more than how things stand.

        Blocked rows say nothing either way. Nothing judged is never a pass.
        """
        codes = [c for row in self.rows if (c := row.status.kind.exit_code) is not None]
        judged = bool(self.judged) or any(c is not ExitCode.SATISFIED for c in codes)
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
) -> Scoreboard:
    """The scoreboard of these contracts on this evidence and this tree."""
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
            bound = bool(checks.get(falsifier.id))
            status = derive_status(falsifier, bound=bound, runs=own_runs, patches=own_patches)
            bound_checks = tuple(checks.get(falsifier.id, ()))
            rows.append(Row(contract, falsifier, status, own_runs, own_patches, bound_checks))
    return Scoreboard(tuple(rows))


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
    counted = board.counted
    tally = " · ".join(f"{word} {count}" for word, count in sorted(board.tally.items()))
    defects = defect_counts(board)
    waiting = f" · {defects.waiting} wait for their device" if defects.waiting else ""
    apart = len(board.rows) - len(counted)
    lines = [
        (
            f"{len(board.judged)} of {len(counted)} falsifiers judged · "
            f"{len(board.at_ceiling)} of {len(counted)} at their ceiling"
        ),
        f"{defects.killed} of {defects.planted} declared defects killed{waiting}",
        tally or "no falsifier",
    ]
    if apart:
        lines.append(f"{apart} reported apart (¹), in no count")
    return tuple(lines)


def closeness(judgement: Judgement) -> tuple[bool, float]:
    """A sorting key: broken bounds first, then the margin relative to the threshold."""
    margin = judgement.margin
    threshold = judgement.bound.threshold
    scale = abs(float(threshold)) if isinstance(threshold, (int, float)) and threshold else 1.0
    return (judgement.holds, float("inf") if margin is None else margin / scale)


def is_as_asked(plant: Plant, outcome: PatchOutcome) -> bool:
    """True if the planted change did what it is there to show, or what the contract accepts."""
    accepted = plant.accept if isinstance(plant, Defect) else ()
    return outcome.counts or outcome.value in accepted


class Freshness:
    """What has changed since a manifest was made; each manifest is compared once."""

    def __init__(self, checks: Mapping[str, Sequence[Check]], tree: SourceTree) -> None:
        self._checks = checks
        self._tree = tree
        self._known: dict[tuple[str, Manifest], tuple[Change, ...]] = {}

    def changes(self, manifest: Manifest, falsifier: Falsifier) -> tuple[Change, ...]:
        """Every entry that differs from the tree; none means fresh."""
        key = (falsifier.id, manifest)
        if key not in self._known:
            bound = self._checks.get(falsifier.id, ())
            self._known[key] = find_changes(manifest, falsifier, bound, self._tree)
        return self._known[key]


def _newest_and_worst_last(record: PatchRecord) -> tuple[float, bool, str]:
    return (record.finished_s, not record.outcome.counts, record.outcome.value)


def _grouped(records: Iterable[_Record]) -> dict[str, list[_Record]]:
    groups: dict[str, list[_Record]] = {}
    for record in records:
        groups.setdefault(record.falsifier_id, []).append(record)
    return groups


def _tally_word(status: Status) -> str:
    if status.kind is StatusKind.LEVEL and status.level is not None:
        return status.level.value
    return status.kind.value
