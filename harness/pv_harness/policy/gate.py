"""`pv gate`: whether the statuses are good enough, and what would cure those that are not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING

from pv_harness.deriving.status import StatusKind
from pv_harness.exit_code import ExitCode, combine
from pv_harness.policy.conditions import find_failures


if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import date

    from pv_harness.board.scoreboard import Row
    from pv_harness.contracts.contract import Level
    from pv_harness.documents.problem import Problem
    from pv_harness.evidence.finding import Finding
    from pv_harness.policy.conditions import Facts, Failure
    from pv_harness.policy.policy import Policy, Waiver
    from pv_harness.policy.ratchet import Ratchet


class Outcome(Enum):
    """What a gate makes of one falsifier."""

    PASSED = "passed"
    FAILED = "failed"
    WAIVED = "waived"
    """It stands in the way, and somebody has excused it until a date."""
    ALLOWED = "allowed"
    """It stands in the way, and the ratchet lists it."""
    LEFT_OUT = "left-out"
    """Its device is absent, and the policy leaves such falsifiers out."""
    NOT_ASKED = "not-asked"
    """No requirement of the policy names it."""


@dataclass(frozen=True, slots=True)
class GateResult:
    """One falsifier held against a policy.

    Attributes:
        required: the level asked for; None if it is not asked about.
        failures: the conditions that it does not meet, excused or not.
        waiver: the waiver that excuses it.
    """

    row: Row
    outcome: Outcome
    required: Level | None = None
    failures: tuple[Failure, ...] = ()
    waiver: Waiver | None = None

    @property
    def passed(self) -> bool:
        """True if every condition is met."""
        return self.outcome is Outcome.PASSED


@dataclass(frozen=True, slots=True)
class GateDecision:
    """The answer of a gate.

    Attributes:
        results: one per counted falsifier that was looked at.
        unused: waivers for falsifiers that pass.
        loose: IDs that the ratchet allows to be below what is asked, and that are not.
    """

    policy: Policy
    results: tuple[GateResult, ...]
    unused: tuple[Waiver, ...] = ()
    loose: tuple[str, ...] = ()

    def of(self, outcome: Outcome) -> tuple[GateResult, ...]:
        """The results with that outcome."""
        return tuple(result for result in self.results if result.outcome is outcome)

    @property
    def judged(self) -> tuple[GateResult, ...]:
        """The results in the denominator: those that pass, and those that stand in the way."""
        return tuple(r for r in self.results if r.outcome in {Outcome.PASSED, Outcome.FAILED})

    @property
    def exit_code(self) -> ExitCode:
        """0 only if something was asked about, and all of it is good enough.

        What is excused says nothing either way: where everything is, nothing was judged.
        """
        codes = [ExitCode.SATISFIED for _ in self.of(Outcome.PASSED)]
        codes += [f.code for r in self.of(Outcome.FAILED) for f in r.failures]
        if not codes or self.unused:
            codes.append(ExitCode.CANNOT_JUDGE)
        if self.loose:
            codes.append(ExitCode.DENIED)
        return combine(codes)


@dataclass(frozen=True, slots=True)
class GateAnswer:
    """The decision of a gate, and what is wrong around it.

    Attributes:
        problems: waivers that nothing needs, at their places in the policy file.
        findings: what is wrong with the stored evidence.
        ratchet: the ratchet of the policy, if it has one.
    """

    decision: GateDecision
    problems: tuple[Problem, ...] = ()
    findings: tuple[Finding, ...] = ()
    ratchet: Ratchet | None = None

    @property
    def exit_code(self) -> ExitCode:
        """The decision's, unless the evidence itself is not to be trusted."""
        codes = [self.decision.exit_code]
        if self.findings:
            codes.append(ExitCode.INFRASTRUCTURE)
        return combine(codes)


def decide_gate(
    rows: Sequence[Row],
    policy: Policy,
    facts: Facts,
    *,
    waivers: Sequence[Waiver] = (),
    allowed: Collection[str] = (),
    known: Collection[str] | None = None,
) -> GateDecision:
    """Hold every counted row against a policy.

    Args:
        rows: the rows that the gate is asked about, as the evidence has them: nothing waived.
        policy: what is asked.
        facts: the time, and who signed what.
        waivers: all of the project; those of other rows, policies and times have no effect.
        allowed: IDs that the policy's ratchet lists.
        known: IDs of all counted falsifiers of the project; None leaves open which there are.
    """
    today = today_at(facts.now_s)
    valid = {w.falsifier_id: w for w in waivers if w.holds(today) and w.is_for(policy.name)}
    counted = [row for row in rows if row.falsifier.counted]
    results = tuple(_hold(row, policy, facts, valid, allowed) for row in counted)
    passed = {result.row.falsifier.id for result in results if result.passed}
    not_asked = {
        result.row.falsifier.id for result in results if result.outcome is Outcome.NOT_ASKED
    }
    gone = set() if known is None else set(allowed) - set(known)
    return GateDecision(
        policy,
        results,
        unused=tuple(w for name, w in sorted(valid.items()) if name in passed),
        loose=tuple(sorted(((passed | not_asked) & set(allowed)) | gone)),
    )


def _hold(
    row: Row,
    policy: Policy,
    facts: Facts,
    waivers: dict[str, Waiver],
    allowed: Collection[str],
) -> GateResult:
    wanted = policy.level_for(row)
    if wanted is None:
        return GateResult(row, Outcome.NOT_ASKED)
    if policy.blocked_left_out and row.status.kind is StatusKind.BLOCKED:
        return GateResult(row, Outcome.LEFT_OUT, wanted)
    failures = find_failures(row, policy, wanted, facts)
    if not failures:
        return GateResult(row, Outcome.PASSED, wanted)
    waiver = waivers.get(row.falsifier.id)
    if any(failure.code is ExitCode.INFRASTRUCTURE for failure in failures):
        # A broken check, or evidence that can't be trusted, is nothing that anybody may excuse.
        return GateResult(row, Outcome.FAILED, wanted, failures)
    if waiver is not None:
        return GateResult(row, Outcome.WAIVED, wanted, failures, waiver)
    outcome = Outcome.ALLOWED if row.falsifier.id in allowed else Outcome.FAILED
    return GateResult(row, outcome, wanted, failures)


def today_at(now_s: float) -> date:
    """The day in UTC at a time in seconds since the epoch."""
    return datetime.fromtimestamp(now_s, UTC).date()
