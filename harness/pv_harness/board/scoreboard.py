"""The scoreboard as values: every falsifier with its derived status, and the counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from pv_harness.exit_code import ExitCode, combine
from pv_harness.fingerprint.manifest import find_changes
from pv_harness.judging.measurement import judge
from pv_harness.judging.status import Assessed, AssessedPatch, StatusKind, derive_status


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pv_harness.contracts.bindings import Check
    from pv_harness.contracts.contract import Contract, Falsifier
    from pv_harness.evidence.records import PatchRecord, RunRecord
    from pv_harness.fingerprint.manifest import Change, Manifest
    from pv_harness.fingerprint.sources import SourceTree
    from pv_harness.judging.measurement import Judgement
    from pv_harness.judging.status import Status

_Record = TypeVar("_Record", "RunRecord", "PatchRecord")


@dataclass(frozen=True, slots=True)
class Row:
    """One falsifier on the board, with the records that its status was derived from."""

    contract: Contract
    falsifier: Falsifier
    status: Status
    runs: tuple[Assessed, ...] = ()
    patches: tuple[AssessedPatch, ...] = ()

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
        return judge(self.falsifier.bounds, self.status.record.measurements)[0]

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
        names = dict.fromkeys(row.contract.id for row in self.rows)
        groups = [tuple(r for r in self.rows if r.contract.id == name) for name in names]
        return tuple((group[0].contract, group) for group in groups)


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
            rows.append(Row(contract, falsifier, status, own_runs, own_patches))
    return Scoreboard(tuple(rows))


def summary_lines(board: Scoreboard) -> tuple[str, ...]:
    """The counted fractions, each with its denominator."""
    counted = board.counted
    tally = " · ".join(f"{word} {count}" for word, count in sorted(board.tally.items()))
    killed = sum(row.status.potency.killed for row in counted)
    declared = sum(row.status.potency.planted for row in counted)
    blocked = sum(
        row.status.potency.planted for row in counted if row.status.kind is StatusKind.BLOCKED
    )
    waiting = f" · {blocked} wait for their device" if blocked else ""
    apart = len(board.rows) - len(counted)
    lines = [
        (
            f"{len(board.judged)} of {len(counted)} falsifiers judged · "
            f"{len(board.at_ceiling)} of {len(counted)} at their ceiling"
        ),
        f"{killed} of {declared} declared defects killed{waiting}",
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


def _grouped(records: Iterable[_Record]) -> dict[str, list[_Record]]:
    groups: dict[str, list[_Record]] = {}
    for record in records:
        groups.setdefault(record.falsifier_id, []).append(record)
    return groups


def _tally_word(status: Status) -> str:
    if status.kind is StatusKind.LEVEL and status.level is not None:
        return status.level.value
    return status.kind.value
