"""What a policy asks of one falsifier, condition by condition, and what would cure each.

A run counts if it alone meets every condition: the level, its age, its environment, its
signature. So each condition more leaves fewer runs, and no gate opens by asking for more.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from pv_harness.deriving.derivation import judged_again
from pv_harness.deriving.levels import highest_level
from pv_harness.deriving.order import newest_first
from pv_harness.deriving.potency import cure_of_weak, measure_potency
from pv_harness.deriving.status import AssessedPatch, StatusKind
from pv_harness.evidence.records import Verdict
from pv_harness.exit_code import ExitCode
from pv_harness.fingerprint.manifest import EntryKind


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pv_harness.board.scoreboard import Row
    from pv_harness.contracts.contract import Falsifier, Level
    from pv_harness.deriving.status import Potency
    from pv_harness.evidence.records import PatchRecord, RunRecord
    from pv_harness.policy.policy import Policy

_MEASURED = frozenset({StatusKind.LEVEL, StatusKind.VACUOUS, StatusKind.NOT_RUN})
_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


@dataclass(frozen=True, slots=True)
class Failure:
    """One condition of a policy that a falsifier does not meet.

    Attributes:
        condition: `status`, `stale`, `potency`, `level`, `age`, `lane`, `environment` or
            `signers`.
        text: what is, and what is asked.
        cure: the one command, or edit, that would change that.
        code: what it alone makes the gate end with.
    """

    condition: str
    text: str
    cure: str
    code: ExitCode


@dataclass(frozen=True, slots=True)
class Facts:
    """What a gate knows beside the board.

    Attributes:
        now_s: seconds since the epoch, which ages are counted to.
        signers: digest of a statement -> names of the trusted keys that signed it.
    """

    now_s: float
    signers: Mapping[str, frozenset[str]] = field(default_factory=dict)


def find_failures(row: Row, policy: Policy, wanted: Level, facts: Facts) -> tuple[Failure, ...]:
    """Every condition that stands in the way of one falsifier; none means that it passes."""
    status = row.status
    if status.kind is StatusKind.STALE and policy.stale_allowed:
        return _stale_failures(row, policy, wanted, facts)
    # NOT_RUN may mean that a run passed and is not proven yet, which a fraction may allow.
    passed = status.record is not None and status.record.verdict is Verdict.PASSED
    runs = _passed_runs(row)
    if status.kind not in _MEASURED or not passed or not runs:
        return (_status_failure(row),)
    failures = list(_potency_failures(row, policy, facts))
    lanes = _lanes(row.falsifier, policy)
    if not lanes:
        return (*failures, *_nearest(row, runs, policy, wanted, facts))
    by_lane = [
        (n, f) for n in lanes for f in _lane_failures(row, runs, policy, wanted, facts, n)
    ]
    return (*failures, *_over_lanes(by_lane))


def _status_failure(row: Row) -> Failure:
    status = row.status
    name = "stale" if status.kind is StatusKind.STALE else "status"
    # At BLOCKED nothing was judged, and a machine with the device may judge it.
    code = status.kind.exit_code or ExitCode.UNKNOWN
    return Failure(name, status.why or str(status), status.cure, code)


def _passed_runs(row: Row) -> list[RunRecord]:
    """Fresh runs whose own measurements bear out that they passed, newest first."""
    fresh = (judged_again(row.falsifier, record) for record in row.fresh_runs)
    passed = [record for record in fresh if record.verdict is Verdict.PASSED]
    return newest_first(passed)


def _stale_failures(
    row: Row, policy: Policy, wanted: Level, facts: Facts
) -> tuple[Failure, ...]:
    """What stood in the way at the fingerprint that was measured last, by the present claim."""
    if any(change.kind is EntryKind.CLAIM for change in row.changes):
        text = "the claim itself has changed since, and `stale: allow` excuses changed sources"
        return (Failure("stale", text, row.status.cure, ExitCode.UNKNOWN),)
    if _passed_runs(row):
        # What passed is fresh: a red record is what was changed, and no change excuses that.
        return (_status_failure(row),)
    before = row.at_last_fingerprint
    kind = before.status.kind
    if kind not in _MEASURED and kind.exit_code is not ExitCode.DENIED:
        return (_status_failure(row),)
    return find_failures(before, policy, wanted, facts)


def _potency_failures(row: Row, policy: Policy, facts: Facts) -> Iterator[Failure]:
    yield from _weak_potency(row, row.patches, policy)
    if policy.signers:
        # A defect that an unsigned record says was killed is not known to have been.
        # One that did not do as asked needs no signature to count against the claim.
        trusted = [
            patch
            for patch in row.patches
            if not patch.record.outcome.counts or _is_signed(patch.record, policy, facts)
        ]
        if measure_potency(row.falsifier, trusted) != measure_potency(
            row.falsifier, row.patches
        ):
            text = f"planted changes: {_signed_text(policy, frozenset())}"
            yield Failure("signers", text, _sign_cure(row.falsifier), ExitCode.INFRASTRUCTURE)


def _weak_potency(
    row: Row, patches: Sequence[AssessedPatch], policy: Policy
) -> Iterator[Failure]:
    """What keeps the planted changes from showing enough, one failure for each cure."""
    falsifier = row.falsifier
    potency = measure_potency(falsifier, patches)
    controls = {control.id for control in falsifier.controls}
    # What was not planted yet may still be killed; what survived will not.
    still_open = sum(name not in controls for name in potency.missing)
    enough = _is_enough(potency.killed, potency, policy)
    reachable = _is_enough(potency.killed + still_open, potency, policy)
    weak = [w for w in potency.weak if not reachable or _name(w) in controls]
    missing = [m for m in potency.missing if not enough or m in controls]
    asked = "all" if policy.potency >= 1 else f"at least {policy.potency:g}"
    text = f"potency {potency}, asks {asked}"
    by_cure: dict[str, list[str]] = {}
    for name in weak:
        by_cure.setdefault(cure_of_weak(falsifier.id, [name]), []).append(name)
    for cure, names in by_cure.items():
        yield Failure("potency", f"{text}; {', '.join(names)}", cure, ExitCode.DENIED)
    if missing:
        what = f"{text}; not planted: {', '.join(missing)}"
        yield Failure("potency", what, f"pv prove {falsifier.id}", ExitCode.UNKNOWN)
    if not (enough or weak or missing):
        yield Failure("potency", text, "declare defects in the contract", ExitCode.DENIED)


def _is_enough(killed: int, potency: Potency, policy: Policy) -> bool:
    return potency.planted > 0 and killed / potency.planted >= policy.potency


def _name(weak: str) -> str:
    """The name of a planted change, from `name OUTCOME`."""
    return weak.rpartition(" ")[0]


def _lane_failures(
    row: Row,
    runs: Sequence[RunRecord],
    policy: Policy,
    wanted: Level,
    facts: Facts,
    lane: str,
) -> Iterator[Failure]:
    falsifier = row.falsifier
    here = [run for run in runs if _in_lane(run, falsifier, lane)]
    if not here:
        # There is fresh evidence of another lane, which alone would be no reason to measure.
        cure = f"pv run --prove {falsifier.id} --again"
        yield Failure("lane", "no evidence", cure, ExitCode.UNKNOWN)
        return
    yield from _nearest(row, here, policy, wanted, facts)
    patches = [p for p in row.patches if _in_lane(p.record, falsifier, lane)]
    if not any(_weak_potency(row, row.patches, policy)):
        for failure in _weak_potency(row, patches, policy):
            # All of it has an answer of some lane, which alone would be no reason to plant.
            again = f"pv prove {falsifier.id} --again"
            is_command = failure.cure.startswith("pv prove")
            yield replace(failure, cure=again) if is_command else failure


def _over_lanes(by_lane: Iterable[tuple[str, Failure]]) -> Iterator[Failure]:
    """Each failure once, with the lanes that it holds for and where its cure is to be run."""
    lanes_of: dict[Failure, list[str]] = {}
    for lane, failure in by_lane:
        lanes_of.setdefault(failure, []).append(lane)
    for failure, lanes in lanes_of.items():
        several = "s" * (len(lanes) > 1)
        where = f"lane{several} {' and '.join(lanes)}"
        cure = failure.cure
        if cure.startswith("pv ") and ", on a machine with " not in cure:
            machine = f"machine{several}" if several else "a machine"
            cure = f"{cure}, on {machine} of the {where}"
        yield replace(failure, text=f"{where}: {failure.text}", cure=cure)


def _lanes(falsifier: Falsifier, policy: Policy) -> tuple[str, ...]:
    """The lanes asked for; a claim that needs one device can have evidence there alone."""
    needed = falsifier.requires or _device(falsifier)
    return tuple(lane for lane in policy.lanes if needed in {None, lane})


def _device(falsifier: Falsifier) -> str | None:
    """The device that a level asks to have been used."""
    return next((rule.device for rule in falsifier.levels if rule.device), None)


def _in_lane(record: RunRecord | PatchRecord, falsifier: Falsifier, lane: str) -> bool:
    """True if a record comes from that kind of machine.

    A claim with a level for a device must have used it. Any other is judged in the lane cuda
    when it ran where a GPU was, even if a parser of options has no use for one.
    """
    if record.lane == lane:
        return True
    devices = (record.environment or {}).get("devices", "").split(", ")
    return lane != "cpu" and _device(falsifier) is None and lane in devices


def _nearest(
    row: Row, runs: Sequence[RunRecord], policy: Policy, wanted: Level, facts: Facts
) -> list[Failure]:
    """What the run lacks that lacks least; of equals, the newest."""
    lacking = [
        [
            *_level_failures(row.falsifier, run, wanted),
            *_record_failures(row.falsifier, run, policy, facts),
        ]
        for run in runs
    ]
    return min(lacking, key=len)


def _level_failures(falsifier: Falsifier, run: RunRecord, wanted: Level) -> Iterator[Failure]:
    level, conditions = highest_level(falsifier, run)
    if level is not None and level.rank >= wanted.rank:
        return
    unmet = next((c for c in conditions if not c.holds), None)
    have = level.value if level else "no level"
    if unmet is None:
        why = f"its ceiling is {falsifier.ceiling.value}"
        cure = f"give the contract a level {wanted.value}, or ask for its ceiling"
    else:
        why, cure = unmet.text, unmet.cure
    text = f"{have} is below {wanted.value}: {why}"
    code = ExitCode.DENIED if level else ExitCode.UNKNOWN
    yield Failure("level", text, cure, code)


def _record_failures(
    falsifier: Falsifier, run: RunRecord, policy: Policy, facts: Facts
) -> Iterator[Failure]:
    again = f"pv run {falsifier.id} --again"
    age_s = facts.now_s - run.finished_s
    if policy.max_age_s is not None and age_s > policy.max_age_s:
        text = f"age {_span(age_s)}, at most {_span(policy.max_age_s)}"
        yield Failure("age", text, again, ExitCode.UNKNOWN)
    found = run.environment or {}
    for fact, pattern in sorted(policy.environment.items()):
        value = found.get(fact)
        if value is None or not fnmatchcase(value, pattern):
            has = f"{fact} {value}" if value is not None else _unrecorded(fact, found)
            cure = f"{again}, where {fact} is {pattern}"
            yield Failure("environment", f"{has}, asks {pattern}", cure, ExitCode.UNKNOWN)
    if policy.signers and not _is_signed(run, policy, facts):
        text = _signed_text(policy, facts.signers.get(run.statement, frozenset()))
        yield Failure("signers", text, _sign_cure(falsifier), ExitCode.INFRASTRUCTURE)


def _unrecorded(fact: str, found: Mapping[str, str]) -> str:
    near = difflib.get_close_matches(fact, sorted(found), n=1)
    return f"{fact} is not recorded" + (f" (did you mean {near[0]}?)" if near else "")


def _is_signed(record: RunRecord | PatchRecord, policy: Policy, facts: Facts) -> bool:
    return not facts.signers.get(record.statement, frozenset()).isdisjoint(policy.signers)


def _signed_text(policy: Policy, signed_by: frozenset[str]) -> str:
    who = ", ".join(sorted(signed_by)) or "nobody"
    return f"signed by {who}, asks {' or '.join(policy.signers)}"


def _sign_cure(falsifier: Falsifier) -> str:
    return f"pv run --prove {falsifier.id} --again --sign KEY"


def _span(seconds: float) -> str:
    """A duration in its two largest units, `30d 2h`, so that what is just too old shows."""
    parts, rest = [], max(0, int(seconds))
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2]) or "0s"
