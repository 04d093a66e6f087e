"""What the evidence says about the checks themselves: each concern, and its absence."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given, strategies as st

from pv_harness.board.scoreboard import Row
from pv_harness.contracts.bindings import Check
from pv_harness.contracts.contract import (
    Bound,
    Comparator,
    Contract,
    Control,
    Defect,
    Falsifier,
    Level,
    LevelRule,
    Patch,
)
from pv_harness.deriving.derivation import derive_status
from pv_harness.deriving.status import Assessed, AssessedPatch
from pv_harness.evidence.records import PatchOutcome, PatchRecord, RunRecord, Verdict
from pv_harness.fingerprint.manifest import Change, Entry, EntryKind, Manifest
from pv_harness.insight.finding import Concern
from pv_harness.insight.health import DAY_S, Health, examine
from pv_harness.insight.health_faces import render_json, render_text
from pv_harness.insight.margins import describe_far
from pv_harness.judging.measurement import Measurement


NOW_S = 100 * DAY_S
NAME = "FALSIFY-X-001"


def patch(name: str) -> Patch:
    return Patch(name, PurePosixPath("m.py"), name, f"{name}!")


CLAIM = Falsifier(
    id=NAME,
    rule="r",
    prediction="p",
    if_fails="f",
    covers=("m",),
    bounds=(Bound("gap", Comparator.GE, 3.0),),
    levels=(LevelRule(Level.PARTIAL),),
    defects=(Defect(patch("d1"), "gap"), Defect(patch("d2"), "gap")),
    controls=(Control(patch("c1")),),
)
CONTRACT = Contract("x-v1", "1.0.0", "t", PurePosixPath("contracts/x-v1.yaml"), (CLAIM,))
MANIFEST = Manifest((Entry(EntryKind.SOURCE, "m.py", "s", "b"),))
OTHER = Manifest((Entry(EntryKind.SOURCE, "m.py", "t", "c"),))
CHECK = Check(NAME, "checks/test_x.py", 3, "test_x", "checks/test_x.py::test_x")
RUN = RunRecord(
    NAME,
    Verdict.PASSED,
    MANIFEST,
    (Measurement("gap", 4.0),),
    duration_s=1.5,
    finished_s=NOW_S - DAY_S,
)
FAILED = replace(RUN, verdict=Verdict.FAILED, measurements=(Measurement("gap", 1.0),))


def planted(plant: Any, outcome: PatchOutcome, **parts: Any) -> PatchRecord:
    return PatchRecord(
        NAME,
        plant.id,
        plant.digest,
        outcome,
        MANIFEST,
        duration_s=2.0,
        finished_s=NOW_S,
        **parts,
    )


PROVEN = (
    planted(CLAIM.defects[0], PatchOutcome.KILLED),
    planted(CLAIM.defects[1], PatchOutcome.KILLED),
    planted(CLAIM.controls[0], PatchOutcome.GREEN),
)


def row(
    *runs: RunRecord,
    claim: Falsifier = CLAIM,
    patches: tuple[PatchRecord, ...] = PROVEN,
    checks: tuple[Check, ...] = (CHECK,),
) -> Row:
    changed = (Change(EntryKind.SOURCE, "m.py", "changed"),)
    assessed = tuple(Assessed(r, () if r.manifest == MANIFEST else changed) for r in runs)
    found = tuple(AssessedPatch(p) for p in patches)
    status = derive_status(claim, bound=bool(checks), runs=assessed, patches=found)
    return Row(CONTRACT, claim, status, assessed, found, checks)


def look(*rows: Row, slowest: int = 5) -> Health:
    return examine(rows, now_s=NOW_S, max_age_s=30 * DAY_S, slowest=slowest)


def concerns(*rows: Row) -> list[tuple[Concern, str]]:
    return [(finding.concern, finding.text) for finding in look(*rows).findings]


def test_a_proven_claim_is_no_concern() -> None:
    health = look(row(RUN))
    assert health.findings == ()
    assert (health.falsifiers, health.runs, health.patches) == (1, 1, 3)


def test_passed_and_failed_on_one_fingerprint_is_flaky_even_long_ago() -> None:
    then = (replace(RUN, manifest=OTHER), replace(FAILED, manifest=OTHER))
    assert concerns(row(RUN, *then)) == [
        (Concern.FLAKY, "passed and failed on 1 fingerprint of 2")
    ]
    assert concerns(row(RUN, replace(FAILED, manifest=OTHER))) == []


def test_a_planted_change_that_was_killed_and_survived_on_one_fingerprint_is_flaky() -> None:
    survived = planted(CLAIM.defects[0], PatchOutcome.SURVIVED)
    name = CLAIM.defects[0].id
    assert concerns(row(RUN, patches=(*PROVEN, survived))) == [
        (Concern.FLAKY, f"{name} did as asked and did not on 1 fingerprint of 1")
    ]
    slow = planted(CLAIM.defects[0], PatchOutcome.TIMEOUT)
    assert concerns(row(RUN, patches=(*PROVEN, slow))) == []


def test_a_check_that_no_defect_ever_failed_is_told() -> None:
    survived = tuple(planted(d, PatchOutcome.SURVIVED) for d in CLAIM.defects)
    assert concerns(row(RUN, patches=survived)) == [
        (Concern.NEVER_FAILED, "2 planted, none killed: SURVIVED")
    ]
    once = (*survived, replace(PROVEN[0], manifest=OTHER))
    assert concerns(row(RUN, patches=once)) == []


def test_a_check_whose_defects_were_never_planted_is_told() -> None:
    assert concerns(row(RUN, patches=())) == [
        (Concern.NEVER_PLANTED, "2 defects declared, none planted")
    ]


@pytest.mark.parametrize(
    ("runs", "checks", "concern", "text"),
    [
        ((), (CHECK,), Concern.NEVER_RAN, "no record of it"),
        ((), (), Concern.NEVER_RAN, "no check is bound to it"),
        (
            (replace(RUN, verdict=Verdict.SKIPPED, reason="no time\nmore"),) * 2,
            (CHECK,),
            Concern.ALWAYS_SKIPPED,
            "2 runs: no time",
        ),
        (
            (replace(RUN, verdict=Verdict.BLOCKED, reason="needs cuda"),),
            (CHECK,),
            Concern.ALWAYS_BLOCKED,
            "1 run: needs cuda",
        ),
        (
            (replace(RUN, verdict=Verdict.SKIPPED),),
            (CHECK,),
            Concern.ALWAYS_SKIPPED,
            "1 run: no reason given",
        ),
    ],
)
def test_a_check_that_never_did_its_work_is_told(
    runs: tuple[RunRecord, ...], checks: tuple[Check, ...], concern: Concern, text: str
) -> None:
    assert concerns(row(*runs, checks=checks, patches=())) == [(concern, text)]
    assert concern not in {c for c, _ in concerns(row(*runs, RUN, checks=checks))}


def test_fewer_than_two_defects_are_told_where_the_claim_counts() -> None:
    one = replace(CLAIM, defects=CLAIM.defects[:1])
    assert concerns(row(RUN, claim=one)) == [(Concern.FEW_DEFECTS, "only d1")]
    none = replace(CLAIM, defects=())
    assert concerns(row(RUN, claim=none)) == [(Concern.FEW_DEFECTS, "none declared")]
    assert concerns(row(RUN, claim=replace(none, counted=False))) == []


def test_a_missing_control_is_advice() -> None:
    (finding,) = look(row(RUN, claim=replace(CLAIM, controls=()))).findings
    assert finding.concern is Concern.NO_CONTROL
    assert look(row(RUN, claim=replace(CLAIM, controls=()))).grave == ()


def test_a_bound_that_nothing_ever_came_near_is_told() -> None:
    claim = replace(CLAIM, bounds=(*CLAIM.bounds, Bound("time", Comparator.LE, 60, "s")))
    fast = replace(RUN, measurements=(*RUN.measurements, Measurement("time", 0.5)))
    assert concerns(row(fast, claim=claim)) == [
        (Concern.UNTESTED_BOUND, "time ≤ 60 s: at most 0.5 in 1 measured")
    ]
    slow = replace(RUN, measurements=(*RUN.measurements, Measurement("time", 50.0)))
    assert concerns(row(fast, slow, claim=claim)) == []
    aimed = replace(claim, defects=(CLAIM.defects[0], Defect(patch("d2"), "time")))
    assert Concern.UNTESTED_BOUND not in {c for c, _ in concerns(row(fast, claim=aimed))}


@pytest.mark.parametrize(
    ("comparator", "threshold", "values", "shown"),
    [
        ("le", 5, [0.4, 0.5], "at most 0.5 in 2 measured"),
        ("le", 5, [0.4, 0.51], ""),
        ("le", 5, [-1.0], "at most -1 in 1 measured"),
        ("ge", 5, [50, 60], "at least 50 in 2 measured"),
        ("ge", 5, [49], ""),
        ("ge", -5.0, [-0.5], "at least -0.5 in 1 measured"),
        ("ge", -5.0, [-0.6], ""),
        ("le", -5, [-50], "at most -50 in 1 measured"),
        ("le", -5, [-49], ""),
        ("le", 0, [-9.0], ""),
        ("eq", 5, [5], ""),
        ("le", 5, [], ""),
        ("le", 5, [True], ""),
        ("le", 5, [float("-inf")], ""),
    ],
)
def test_far_is_a_factor_of_ten_towards_the_inside(
    comparator: str, threshold: float, values: list[float], shown: str
) -> None:
    assert describe_far(Bound("m", Comparator(comparator), threshold), values) == shown


def test_a_value_within_one_percent_of_its_bound_is_advice() -> None:
    near = replace(RUN, measurements=(Measurement("gap", 3.02),))
    assert concerns(row(near)) == [
        (Concern.NEAR_BOUND, "gap is 3.02, must be ≥ 3, margin 0.02")
    ]
    count = replace(RUN, measurements=(Measurement("gap", 3),))
    assert concerns(row(count)) == []


def test_files_that_nothing_declares_are_told() -> None:
    opened = replace(RUN, opened=("a", "b", "c", "d"))
    assert concerns(row(opened)) == [(Concern.UNDECLARED_FILE, "a, b, c and 1 more")]
    assert concerns(row(RUN, replace(opened, manifest=OTHER))) == []


def test_evidence_of_more_than_so_many_days_is_told() -> None:
    old = replace(RUN, finished_s=NOW_S - 31 * DAY_S)
    assert concerns(row(old)) == [(Concern.OLD_EVIDENCE, "31 days, at most 30 are asked for")]
    assert concerns(row(replace(RUN, finished_s=NOW_S - 30 * DAY_S))) == []


def attempts(*verdicts: Verdict) -> tuple[RunRecord, ...]:
    return tuple(
        replace(RUN, verdict=verdict, attempt=number, finished_s=NOW_S - 100 + number)
        for number, verdict in enumerate(verdicts, 1)
    )


def test_a_retry_is_advice() -> None:
    runs = attempts(Verdict.ERROR, Verdict.ERROR, Verdict.PASSED)
    told = (Concern.RETRIED, "3 attempts in one run, 2 retries in all")
    assert told in concerns(row(*runs))


def test_a_repetition_that_was_asked_for_is_none() -> None:
    runs = attempts(Verdict.PASSED, Verdict.PASSED, Verdict.PASSED)
    assert concerns(row(*runs)) == []


def test_the_slowest_come_first_and_only_so_many() -> None:
    fast = replace(RUN, duration_s=0.1)
    slow = look(row(fast, patches=()), row(RUN), slowest=1)
    (timing,) = slow.timings
    assert (timing.measured_s, timing.planted_s, timing.planted) == (1.5, 6.0, 3)
    assert look(row()).timings == ()


def test_only_the_newest_duration_of_a_planted_change_counts() -> None:
    older = replace(PROVEN[0], duration_s=90.0, finished_s=1.0)
    assert look(row(RUN, patches=(older, *PROVEN))).timings[0].planted_s == 6.0


def test_the_text_has_the_gravest_last_and_its_denominators() -> None:
    survived = tuple(planted(d, PatchOutcome.SURVIVED) for d in CLAIM.defects)
    claim = replace(CLAIM, controls=())
    text = render_text(look(row(RUN, claim=claim, patches=survived), row(RUN)), width=80)
    assert text.splitlines() == [
        "slowest",
        f"  {NAME}      1.5 s      6.0 s for 3 planted",
        f"  {NAME}      1.5 s      4.0 s for 2 planted",
        "",
        "no control: 1 of 2 (advice)",
        "  nothing shows that the check allows what the rule allows",
        f"  {NAME}  2 defects, nothing that must stay green",
        "      → declare a change that the rule permits under `controls`",
        "",
        "never failed under any defect: 1 of 2",
        "  a check that never failed has not been seen to be able to",
        f"  {NAME}  2 planted, none killed: SURVIVED",
        "      → sharpen the check, or correct the defects",
        "",
        "1 of 2 falsifiers with something to look at · 1 finding, 1 piece of advice ·",
        "from 2 runs and 5 planted changes",
    ]


def test_the_json_holds_every_finding() -> None:
    document = json.loads(render_json(look(row(RUN, patches=()))))
    assert document["format"] == "pv-health/1"
    assert document["counts"]["by_concern"]["no defect was ever planted"] == 1
    (finding,) = document["findings"]
    assert finding == {
        "advice": False,
        "concern": "no defect was ever planted",
        "contract": "x-v1",
        "cure": f"pv prove {NAME}",
        "falsifier": NAME,
        "text": "2 defects declared, none planted",
    }


@given(st.text(), st.integers(40, 160))
def test_no_reason_of_a_check_drives_the_terminal(reason: str, width: int) -> None:
    skipped = replace(RUN, verdict=Verdict.SKIPPED, reason=f"\x1b[31m{reason}")
    health = look(row(skipped, patches=()))
    text = render_text(health, width=width)
    assert all(c.isprintable() or c == "\n" for c in text)
    json.loads(render_json(health))
