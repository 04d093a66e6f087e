"""How healthy the claims of a project are: what its evidence says about the checks themselves.

One generator per concern, named like it; each sees one row of the board with all its records,
those of other fingerprints included. Pure: a clock is an argument.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pv_harness.evidence.records import PatchOutcome, Verdict
from pv_harness.insight.finding import Concern, Finding, Timing
from pv_harness.insight.margins import describe_far, is_near
from pv_harness.wording import counted, first_line


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pv_harness.board.scoreboard import Row
    from pv_harness.evidence.records import PatchRecord, RunRecord

DAY_S = 86_400.0
_SHOWN_FILES = 3


@dataclass(frozen=True, slots=True)
class Health:
    """What was found, out of how much.

    Attributes:
        falsifiers: how many were looked at.
        runs: how many measurements of them are stored.
        patches: how many outcomes of planted changes.
        findings: the gravest concern first.
        timings: the slowest first.
    """

    falsifiers: int
    runs: int
    patches: int
    findings: tuple[Finding, ...]
    timings: tuple[Timing, ...]

    @property
    def grave(self) -> tuple[Finding, ...]:
        """The findings that are more than advice."""
        return tuple(f for f in self.findings if not f.concern.is_advice)

    def of(self, concern: Concern) -> tuple[Finding, ...]:
        """The findings of one concern."""
        return tuple(f for f in self.findings if f.concern is concern)


def examine(rows: Sequence[Row], *, now_s: float, max_age_s: float, slowest: int) -> Health:
    """The health of these rows; evidence older than `max_age_s` is a concern."""
    rules: tuple[Callable[[Row], Iterator[Finding]], ...] = (
        _flaky,
        _never_failed,
        _never_ran,
        _few_defects,
        _untested_bounds,
        _undeclared_files,
        lambda row: _old_evidence(row, now_s, max_age_s),
        _retried,
        _near_bounds,
        _no_control,
    )
    found = [finding for row in rows for rule in rules for finding in rule(row)]
    order = list(Concern)
    timings = sorted((t for row in rows for t in _timing(row)), key=lambda t: -t.total_s)
    return Health(
        falsifiers=len(rows),
        runs=sum(len(row.runs) for row in rows),
        patches=sum(len(row.patches) for row in rows),
        findings=tuple(sorted(found, key=lambda f: order.index(f.concern))),
        timings=tuple(timings[:slowest]),
    )


def _flaky(row: Row) -> Iterator[Finding]:
    verdicts: dict[str, set[Verdict]] = {}
    for record in _runs(row):
        verdicts.setdefault(record.manifest.fingerprint, set()).add(record.verdict)
    both = [f for f, seen in verdicts.items() if {Verdict.PASSED, Verdict.FAILED} <= seen]
    if both:
        text = f"passed and failed on {counted(len(both), 'fingerprint')} of {len(verdicts)}"
        cure = "make the check deterministic, or give it seeds"
        yield _finding(Concern.FLAKY, row, text, cure)
    yield from _flaky_plants(row)


def _flaky_plants(row: Row) -> Iterator[Finding]:
    """Planted changes that did as asked and did not, with nothing changed between the two."""
    answers: dict[str, dict[str, set[bool]]] = {}
    for record in _patches(row):
        if record.outcome.is_settled:
            prints = answers.setdefault(record.patch_digest, {})
            prints.setdefault(record.manifest.fingerprint, set()).add(record.outcome.counts)
    for plant in row.falsifier.plants:
        prints = answers.get(plant.digest, {})
        both = sum(len(seen) > 1 for seen in prints.values())
        if both:
            text = f"{plant.id} did as asked and did not on {counted(both, 'fingerprint')}"
            cure = "make the check deterministic, or choose a defect that it can't miss"
            yield _finding(Concern.FLAKY, row, f"{text} of {len(prints)}", cure)


def _never_failed(row: Row) -> Iterator[Finding]:
    """No defect was ever killed, though some were planted; or none was ever planted."""
    digests = {defect.digest for defect in row.falsifier.defects}
    planted = [p for p in _patches(row) if p.patch_digest in digests]
    killed = any(p.outcome is PatchOutcome.KILLED for p in _patches(row))
    if planted and not killed:
        outcomes = ", ".join(sorted({p.outcome.value for p in planted}))
        text = f"{len(planted)} planted, none killed: {outcomes}"
        yield _finding(
            Concern.NEVER_FAILED, row, text, "sharpen the check, or correct the defects"
        )
    passed = any(record.verdict is Verdict.PASSED for record in _runs(row))
    if digests and passed and not planted:
        text = f"{counted(len(digests), 'defect')} declared, none planted"
        cure = f"pv prove {row.falsifier.id}"
        yield _finding(Concern.NEVER_PLANTED, row, text, cure)


def _never_ran(row: Row) -> Iterator[Finding]:
    """No record at all, or none of a check that did its work."""
    verdicts = {record.verdict for record in _runs(row)}
    name, records = row.falsifier.id, len(row.runs)
    if not verdicts:
        if row.checks:
            yield _finding(Concern.NEVER_RAN, row, "no record of it", f"pv run {name}")
        else:
            cure = f'write a check marked @pytest.mark.falsifies("{name}")'
            yield _finding(Concern.NEVER_RAN, row, "no check is bound to it", cure)
    elif verdicts == {Verdict.SKIPPED}:
        text = (
            f"{counted(records, 'run')}: {first_line(_newest(row).reason) or 'no reason given'}"
        )
        yield _finding(Concern.ALWAYS_SKIPPED, row, text, "take away the reason to skip it")
    elif verdicts <= {Verdict.BLOCKED, Verdict.SKIPPED}:
        text = (
            f"{counted(records, 'run')}: {first_line(_newest(row).reason) or 'no reason given'}"
        )
        cure = f"pv run --prove {name}, where {row.falsifier.requires or 'it can run'} is"
        yield _finding(Concern.ALWAYS_BLOCKED, row, text, cure)


def _few_defects(row: Row) -> Iterator[Finding]:
    number = len(row.falsifier.defects)
    if row.falsifier.counted and number < 2:
        text = "none declared" if number == 0 else f"only {row.falsifier.defects[0].id}"
        cure = f"pv prove --suggest {row.falsifier.id}"
        yield _finding(Concern.FEW_DEFECTS, row, text, cure)


def _untested_bounds(row: Row) -> Iterator[Finding]:
    """Bounds that no defect is expected to break and from which every value was far away."""
    expected = {defect.expect for defect in row.falsifier.defects}
    for bound in row.falsifier.bounds:
        values = [
            m.value for r in _runs(row) for m in r.measurements if m.metric == bound.metric
        ]
        far = describe_far(bound, values)
        if far and bound.metric not in expected:
            cure = f"plant a defect that breaks {bound.metric}, or tighten the bound"
            yield _finding(Concern.UNTESTED_BOUND, row, f"{bound}: {far}", cure)


def _undeclared_files(row: Row) -> Iterator[Finding]:
    opened = sorted({name for record in row.fresh_runs for name in record.opened})
    if opened:
        shown = ", ".join(opened[:_SHOWN_FILES])
        more = len(opened) - _SHOWN_FILES
        text = shown + (f" and {more} more" if more > 0 else "")
        cure = "declare it as an input, or read it from a covered module"
        yield _finding(Concern.UNDECLARED_FILE, row, text, cure)


def _old_evidence(row: Row, now_s: float, max_age_s: float) -> Iterator[Finding]:
    record = row.status.record
    if record is not None and now_s - record.finished_s > max_age_s:
        days = int((now_s - record.finished_s) // DAY_S)
        text = f"{days} days, at most {max_age_s / DAY_S:g} are asked for"
        cure = f"pv run --prove --again {row.falsifier.id}"
        yield _finding(Concern.OLD_EVIDENCE, row, text, cure)


def _retried(row: Row) -> Iterator[Finding]:
    # A check that is repeated because somebody asked for it lacked nothing.
    ordered = sorted(_runs(row), key=lambda record: record.finished_s)
    again = [
        record
        for before, record in itertools.pairwise(ordered)
        if record.attempt == before.attempt + 1 and before.verdict is not Verdict.PASSED
    ]
    if again:
        most = max(record.attempt for record in again)
        text = f"{most} attempts in one run, {counted(len(again), 'retry')} in all"
        yield _finding(Concern.RETRIED, row, text, "find out what the first attempt lacked")


def _near_bounds(row: Row) -> Iterator[Finding]:
    for judgement in row.judgements:
        if judgement.holds and is_near(judgement):
            text = f"{judgement}, margin {judgement.margin:.3g}"
            cure = "find out how much the value varies: pv run --again"
            yield _finding(Concern.NEAR_BOUND, row, text, f"{cure} {row.falsifier.id}")


def _no_control(row: Row) -> Iterator[Finding]:
    if row.falsifier.defects and not row.falsifier.controls:
        text = f"{counted(len(row.falsifier.defects), 'defect')}, nothing that must stay green"
        cure = "declare a change that the rule permits under `controls`"
        yield _finding(Concern.NO_CONTROL, row, text, cure)


def _timing(row: Row) -> Iterator[Timing]:
    runs = [r for r in _runs(row) if r.verdict in {Verdict.PASSED, Verdict.FAILED}]
    if not runs:
        return
    newest = max(runs, key=lambda r: r.finished_s)
    last: dict[str, PatchRecord] = {}
    for patch in sorted(_patches(row), key=lambda p: p.finished_s):
        last[patch.patch_digest] = patch
    declared = [last[p.digest] for p in row.falsifier.plants if p.digest in last]
    planted_s = sum(patch.duration_s for patch in declared)
    yield Timing(row.falsifier.id, newest.duration_s, planted_s, len(declared))


def _finding(concern: Concern, row: Row, text: str, cure: str) -> Finding:
    return Finding(concern, row.contract.id, row.falsifier.id, text, cure)


def _runs(row: Row) -> tuple[RunRecord, ...]:
    return tuple(run.record for run in row.runs)


def _patches(row: Row) -> tuple[PatchRecord, ...]:
    return tuple(patch.record for patch in row.patches)


def _newest(row: Row) -> RunRecord:
    return max(_runs(row), key=lambda record: (record.finished_s, record.reason))
