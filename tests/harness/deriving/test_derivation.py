from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies as st

from pv_harness.contracts.contract import (
    Bound,
    Comparator,
    Control,
    Defect,
    Falsifier,
    Level,
    LevelRule,
    Patch,
    SeedRule,
    Seeds,
)
from pv_harness.deriving.derivation import derive_status
from pv_harness.deriving.status import Assessed, AssessedPatch, Status, StatusKind
from pv_harness.evidence.records import PatchOutcome, PatchRecord, RunRecord, Verdict
from pv_harness.fingerprint.manifest import Change, Entry, EntryKind, Manifest, mark_unasked
from pv_harness.judging.measurement import Measurement


if TYPE_CHECKING:
    import random


def patch(name: str) -> Patch:
    return Patch(name, PurePosixPath("m.py"), name, f"{name}!")


FALSIFIER = Falsifier(
    id="FALSIFY-X-001",
    rule="r",
    prediction="p",
    if_fails="f",
    covers=("m",),
    bounds=(Bound("gap", Comparator.GE, 3.0),),
    levels=(
        LevelRule(Level.PARTIAL),
        LevelRule(Level.INTEGRATION, reached=("m:main",)),
        LevelRule(
            Level.DISCHARGED,
            inputs=("pair",),
            measurements=(Bound("steps", Comparator.EQ, 500),),
        ),
    ),
    defects=(Defect(patch("d1"), "gap"), Defect(patch("d2"), "gap")),
    controls=(Control(patch("c1")),),
)
MANIFEST = Manifest(
    (
        Entry(EntryKind.SOURCE, "m.py", "s", "b"),
        Entry(EntryKind.INPUT, "pair.checkpoint=x.apr", "i"),
    )
)
CHANGED = (Change(EntryKind.SOURCE, "m.py", "changed"),)
GOOD = RunRecord(
    FALSIFIER.id,
    Verdict.PASSED,
    MANIFEST,
    (Measurement("gap", 4.0), Measurement("steps", 500)),
    reached=("m:main",),
    finished_s=10.0,
)


def planted(outcomes: dict[str, PatchOutcome], at_s: float = 11.0) -> list[AssessedPatch]:
    return [
        AssessedPatch(
            PatchRecord(
                FALSIFIER.id,
                plant.id,
                plant.digest,
                outcomes[plant.id],
                MANIFEST,
                reason="because",
                finished_s=at_s,
            )
        )
        for plant in FALSIFIER.plants
        if plant.id in outcomes
    ]


KILLED = {"d1": PatchOutcome.KILLED, "d2": PatchOutcome.KILLED, "c1": PatchOutcome.GREEN}
PROVEN = planted(KILLED)


def derive(
    runs: list[Assessed], patches: list[AssessedPatch] | None = None, *, bound: bool = True
) -> Status:
    proven = PROVEN if patches is None else patches
    return derive_status(FALSIFIER, bound=bound, runs=runs, patches=proven)


def fresh(**changes: object) -> Assessed:
    return Assessed(replace(GOOD, **changes))  # type: ignore[arg-type]


def test_everything_shown_is_the_ceiling() -> None:
    status = derive([fresh()])
    assert str(status) == "DISCHARGED/DISCHARGED"
    assert status.at_ceiling
    assert status.why == ""


@pytest.mark.parametrize(
    ("changes", "shown", "why"),
    [
        ({"measurements": (Measurement("gap", 4.0),)}, "INTEGRATION", "never measured"),
        (
            {"measurements": (Measurement("gap", 4.0), Measurement("steps", 499))},
            "INTEGRATION",
            "steps is 499",
        ),
        ({"manifest": Manifest(MANIFEST.entries[:1])}, "INTEGRATION", "input pair"),
        ({"reached": ()}, "PARTIAL", "m:main was not reached"),
        ({"reached": (), "reached_in_process": ("m:main",)}, "PARTIAL", "own process"),
    ],
)
def test_the_first_condition_that_does_not_hold_caps_the_level(
    changes: dict[str, object], shown: str, why: str
) -> None:
    status = derive([fresh(**changes)])
    assert str(status) == f"{shown}/DISCHARGED"
    assert why in status.why
    assert status.cure


def test_a_level_needs_the_levels_below_it() -> None:
    status = derive([fresh(reached=())])
    assert status.level is Level.PARTIAL


def test_no_check_is_unbound_whatever_the_evidence() -> None:
    assert derive([fresh()], bound=False).kind is StatusKind.UNBOUND


def test_nothing_measured_is_not_run() -> None:
    assert derive([]).kind is StatusKind.NOT_RUN


def test_a_pass_that_was_not_proven_holds_no_level() -> None:
    status = derive([fresh()], [])
    assert status.kind is StatusKind.NOT_RUN
    assert "not planted" in status.why
    assert status.cure == "pv prove FALSIFY-X-001"


@pytest.mark.parametrize("outcome", [o for o in PatchOutcome if not o.counts])
@pytest.mark.parametrize("name", ["d1", "d2", "c1"])
def test_anything_but_a_kill_or_a_green_control_is_vacuous(
    name: str, outcome: PatchOutcome
) -> None:
    status = derive([fresh()], planted({**KILLED, name: outcome}))
    assert status.kind is StatusKind.VACUOUS
    assert name in str(status)
    assert status.why == f"{name} {outcome.value}: because"


def test_each_change_that_did_not_do_as_asked_is_told_once_with_its_reason() -> None:
    survived = dict.fromkeys(KILLED, PatchOutcome.SURVIVED)
    two = derive([fresh()], planted({**survived, "d1": PatchOutcome.KILLED}))
    assert two.why == "d2 SURVIVED: because; c1 SURVIVED: because"
    assert two.detail == "d2 SURVIVED, c1 SURVIVED"
    silent = [AssessedPatch(replace(p.record, reason="")) for p in planted(survived)]
    assert derive([fresh()], silent).why == "d1 SURVIVED; d2 SURVIVED; c1 SURVIVED"


def test_of_many_changes_that_did_not_do_as_asked_the_first_are_told() -> None:
    defects = tuple(Defect(patch(f"d{n}"), "gap") for n in range(5))
    many = replace(FALSIFIER, defects=defects, controls=())
    records = [
        AssessedPatch(
            PatchRecord(many.id, d.id, d.digest, PatchOutcome.TIMEOUT, MANIFEST, "r", 0.0, 1.0)
        )
        for d in defects
    ]
    status = derive_status(many, bound=True, runs=[fresh()], patches=records)
    assert status.why == "d0 TIMEOUT: r; d1 TIMEOUT: r; d2 TIMEOUT: r; and 2 more"


def test_the_reason_is_that_of_the_outcome_that_counts() -> None:
    old = planted({**KILLED, "d1": PatchOutcome.SURVIVED}, at_s=1.0)
    new = [AssessedPatch(replace(p.record, reason="now", finished_s=2.0)) for p in old]
    assert derive([fresh()], [*new, *old]).why == "d1 SURVIVED: now"


@pytest.mark.parametrize("at_s", [1.0, 11.0, 20.0])
@pytest.mark.parametrize(
    "outcome",
    [
        PatchOutcome.SURVIVED,
        PatchOutcome.KILLED_FOR_ANOTHER_REASON,
        PatchOutcome.KILLED_BY_CRASH,
    ],
)
def test_a_survivor_is_not_retried_away(outcome: PatchOutcome, at_s: float) -> None:
    status = derive([fresh()], [*PROVEN, *planted({"d1": outcome}, at_s)])
    assert status.kind is StatusKind.VACUOUS
    assert status.why == f"d1 {outcome.value}: because (KILLED at another time)"


@pytest.mark.parametrize("at_s", [1.0, 11.0, 20.0])
@pytest.mark.parametrize(
    "outcome", [PatchOutcome.TIMEOUT, PatchOutcome.VOID, PatchOutcome.RED_ON_ARRIVAL]
)
def test_what_settles_nothing_is_an_answer_only_where_there_is_no_other(
    outcome: PatchOutcome, at_s: float
) -> None:
    unsettled = planted({"d1": outcome}, at_s)
    assert derive([fresh()], [*PROVEN, *unsettled]) == derive([fresh()])
    alone = [p for p in PROVEN if p.record.patch_id != "d1"]
    assert derive([fresh()], [*alone, *unsettled]).detail == f"d1 {outcome.value}"


def test_changes_that_could_not_be_planted_have_a_remedy_of_their_own() -> None:
    void = planted({**KILLED, "d1": PatchOutcome.VOID})
    assert "--verify-anchors" in derive([fresh()], void).cure
    both = planted({**KILLED, "d1": PatchOutcome.VOID, "d2": PatchOutcome.SURVIVED})
    assert derive([fresh()], both).cure == "sharpen the check, or correct the defect"


@pytest.mark.parametrize("outcome", [o for o in PatchOutcome if not o.counts])
def test_each_outcome_has_a_remedy_of_its_own(outcome: PatchOutcome) -> None:
    cures = {o: derive([fresh()], planted({**KILLED, "d1": o})).cure for o in PatchOutcome}
    others = {cure for other, cure in cures.items() if other is not outcome}
    assert cures[outcome]
    assert cures[outcome] not in others
    assert "{" not in cures[outcome]


def test_what_was_planted_in_vain_is_planted_again_by_the_command_that_is_told() -> None:
    late = planted({**KILLED, "d1": PatchOutcome.TIMEOUT})
    assert derive([fresh()], late).cure.startswith("pv prove FALSIFY-X-001;")
    flaky = planted({**KILLED, "d1": PatchOutcome.RED_ON_ARRIVAL})
    assert derive([fresh()], flaky).cure.endswith(": pv run FALSIFY-X-001 --repeat 5")


@pytest.mark.parametrize(
    "changes",
    [
        {"measurements": (Measurement("gap", 4.0), Measurement("steps", 499))},
        {"manifest": Manifest(MANIFEST.entries[:1])},
    ],
)
def test_what_a_fresh_record_lacks_is_measured_again_only_if_that_is_asked_for(
    changes: dict[str, object],
) -> None:
    assert derive([fresh(**changes)]).cure == "pv run FALSIFY-X-001 --again"


def test_a_level_for_a_device_names_the_machine_and_asks_to_measure_again() -> None:
    levels = (LevelRule(Level.PARTIAL), LevelRule(Level.INTEGRATION, device="cuda"))
    claim = replace(FALSIFIER, levels=levels)
    status = derive_status(claim, bound=True, runs=[fresh()], patches=PROVEN)
    assert status.cure == "pv run FALSIFY-X-001 --again, on a machine with cuda"


def test_a_value_in_another_unit_than_the_bound_is_an_error_whatever_was_recorded() -> None:
    bound = Bound("gap", Comparator.GE, 3.0, "nats")
    claim = replace(FALSIFIER, bounds=(bound,), levels=FALSIFIER.levels[:1])
    bits = fresh(measurements=(Measurement("gap", 4.0, "bits"),))
    status = derive_status(claim, bound=True, runs=[bits], patches=PROVEN)
    assert status.kind is StatusKind.ERROR
    assert status.why == "passed, but gap was measured in bits, the bound is in nats"
    assert status.cure == "pv explain FALSIFY-X-001"
    for unit in ("nats", None):
        fitting = fresh(measurements=(Measurement("gap", 4.0, unit),))
        status = derive_status(claim, bound=True, runs=[fitting], patches=PROVEN)
        assert status.kind is StatusKind.LEVEL


def test_only_what_may_differ_on_another_day_is_to_be_run_again_as_it_is() -> None:
    late = fresh(verdict=Verdict.ERROR, reason="a.py::a: did not end within 2 s and was killed")
    assert derive([late]).cure == "pv run FALSIFY-X-001 --again"
    broken = fresh(verdict=Verdict.ERROR, reason="ModuleNotFoundError: no module toy")
    assert derive([broken]).cure == "pv explain FALSIFY-X-001"


def test_red_is_failed_and_names_the_metric() -> None:
    status = derive([fresh(verdict=Verdict.FAILED, broken=("gap",), reason="gap is 1\nmore")])
    assert str(status) == "FAILED(gap)"
    assert status.why == "gap is 1"


def test_pass_and_fail_on_one_fingerprint_is_flaky_in_either_order() -> None:
    for at_s in (5.0, 15.0):
        red = fresh(verdict=Verdict.FAILED, finished_s=at_s)
        assert derive([fresh(), red]).kind is StatusKind.FLAKY


@pytest.mark.parametrize(
    ("verdict", "kind"),
    [
        (Verdict.ERROR, StatusKind.ERROR),
        (Verdict.SKIPPED, StatusKind.NOT_RUN),
        (Verdict.BLOCKED, StatusKind.BLOCKED),
    ],
)
def test_what_did_not_judge_is_no_pass(verdict: Verdict, kind: StatusKind) -> None:
    assert derive([fresh(verdict=verdict, reason="x")]).kind is kind
    assert derive([fresh(verdict=verdict, reason="x"), Assessed(GOOD, CHANGED)]).kind is kind
    earlier = fresh(verdict=verdict, reason="x", finished_s=1.0)
    assert derive([earlier, fresh()]).kind is StatusKind.LEVEL


@pytest.mark.parametrize("verdict", [Verdict.SKIPPED, Verdict.BLOCKED])
@pytest.mark.parametrize("at_s", [1.0, 10.0, 20.0])
def test_that_a_check_could_not_measure_is_no_news_about_the_claim(
    verdict: Verdict, at_s: float
) -> None:
    absent = fresh(verdict=verdict, reason="no GPU here", finished_s=at_s)
    assert derive([fresh(), absent]) == derive([fresh()])
    red = fresh(verdict=Verdict.FAILED, broken=("gap",), reason="gap is 1")
    assert derive([red, absent]) == derive([red])


@pytest.mark.parametrize(("at_s", "kind"), [(9.0, "LEVEL"), (10.0, "ERROR"), (20.0, "ERROR")])
def test_that_a_check_broke_is_news_until_something_newer_passed(
    at_s: float, kind: str
) -> None:
    broken = fresh(verdict=Verdict.ERROR, reason="crashed", finished_s=at_s)
    assert derive([fresh(), broken]).kind is StatusKind(kind)
    absent = fresh(verdict=Verdict.BLOCKED, reason="no GPU here", finished_s=30.0)
    assert derive([fresh(), broken, absent]).kind is StatusKind(kind)


def test_stale_says_what_it_was_and_which_byte_changed() -> None:
    stale = [AssessedPatch(p.record, CHANGED) for p in PROVEN]
    status = derive([Assessed(GOOD, CHANGED)], stale)
    assert str(status) == "STALE(was DISCHARGED, because m.py changed)"
    assert status.cure == "pv run --prove FALSIFY-X-001"
    assert status.record is GOOD


def stale_status(runs: list[RunRecord], patches: list[AssessedPatch]) -> str:
    old = [AssessedPatch(p.record, CHANGED) for p in patches]
    return derive([Assessed(run, CHANGED) for run in runs], old).detail.partition(",")[0]


def test_stale_was_what_all_records_of_that_fingerprint_said() -> None:
    red = replace(GOOD, verdict=Verdict.FAILED, finished_s=1.0)
    assert stale_status([GOOD, red], PROVEN) == "was FLAKY"
    assert (
        stale_status([GOOD], planted({**KILLED, "d1": PatchOutcome.SURVIVED})) == "was VACUOUS"
    )
    assert stale_status([GOOD], []) == "was PASSED"
    assert stale_status([red], PROVEN) == "was FAILED"
    elsewhere = replace(red, manifest=Manifest(MANIFEST.entries[:1]))
    assert stale_status([GOOD, elsewhere], PROVEN) == "was DISCHARGED"


def test_a_proof_at_another_fingerprint_does_not_count() -> None:
    stale = [AssessedPatch(p.record, CHANGED) for p in PROVEN]
    assert derive([fresh()], stale).kind is StatusKind.NOT_RUN


@pytest.mark.parametrize("verdict", [Verdict.SKIPPED, Verdict.BLOCKED, Verdict.PASSED])
def test_records_of_one_moment_are_ordered_by_what_they_say(verdict: Verdict) -> None:
    one, other = fresh(verdict=Verdict.ERROR, reason="a"), fresh(verdict=verdict, reason="b")
    assert str(derive([one, other])) == str(derive([other, one]))
    one, other = fresh(verdict=verdict, reason="a"), fresh(verdict=verdict, reason="b")
    assert derive([one, other]) == derive([other, one])


# properties, over boards that are proven and then disturbed


OTHER = Manifest((Entry(EntryKind.SOURCE, "m.py", "older", "b"), *MANIFEST.entries[1:]))
"""The fingerprint of the tree before it was edited."""


@dataclass(frozen=True)
class Drawn:
    """A claim, and the evidence for it."""

    claim: Falsifier
    runs: list[Assessed]
    patches: list[AssessedPatch]

    def derive(self, **changes: object) -> Status:
        drawn = replace(self, **changes)  # type: ignore[arg-type]
        return derive_status(drawn.claim, bound=True, runs=drawn.runs, patches=drawn.patches)


CLAIMS = st.builds(
    lambda levels, threshold, seeds, defects, controls: replace(
        FALSIFIER,
        levels=FALSIFIER.levels[:levels],
        bounds=(Bound("gap", Comparator.GE, threshold),),
        seeds=Seeds((0, 1), SeedRule.BOUND) if seeds else None,
        defects=FALSIFIER.defects[:defects],
        controls=FALSIFIER.controls[:controls],
    ),
    st.integers(1, 3),
    st.sampled_from([3.0, 3.0, 3.0, 4.5]),
    st.booleans(),
    st.integers(1, 2),
    st.integers(0, 1),
)
TIMES = st.integers(0, 6).map(float)


def run_of(claim: Falsifier, steps: int, *, is_stale: bool, **changes: object) -> Assessed:
    seeds: tuple[int | None, ...] = claim.seeds.values if claim.seeds else (None,)
    values = (("gap", 4.0), ("steps", steps))
    measured = tuple(Measurement(name, v, seed=seed) for name, v in values for seed in seeds)
    manifest = OTHER if is_stale else MANIFEST
    record = replace(GOOD, measurements=measured, manifest=manifest)
    record = replace(record, **changes)  # type: ignore[arg-type]
    return Assessed(record, CHANGED if is_stale else ())


def good_runs(claim: Falsifier) -> st.SearchStrategy[Assessed]:
    return st.builds(
        lambda steps, reached, at_s, lane: run_of(
            claim, steps, is_stale=False, reached=reached, finished_s=at_s, cuda_peak_bytes=lane
        ),
        st.sampled_from([1, 500]),
        st.sampled_from([(), ("m:main",)]),
        TIMES,
        st.sampled_from([0, 1]),
    )


def any_runs(claim: Falsifier) -> st.SearchStrategy[Assessed]:
    return st.builds(
        lambda verdict, is_stale, at_s: run_of(
            claim, 500, is_stale=is_stale, verdict=verdict, finished_s=at_s, reason="r"
        ),
        st.sampled_from(Verdict),
        st.sampled_from([True, True, False]),
        TIMES,
    )


def any_patches(claim: Falsifier) -> st.SearchStrategy[AssessedPatch]:
    return st.builds(
        lambda plant, outcome, is_stale, lane, at_s: AssessedPatch(
            PatchRecord(
                claim.id,
                plant.id,
                plant.digest,
                outcome,
                OTHER if is_stale else MANIFEST,
                "r",
                0.0,
                at_s,
                lane=lane,
            ),
            CHANGED if is_stale else (),
        ),
        st.sampled_from(claim.plants),
        st.sampled_from(PatchOutcome),
        st.sampled_from([True, True, False]),
        st.sampled_from(["cpu", "cuda"]),
        TIMES,
    )


def proof_of(claim: Falsifier, at_s: float = 1.0) -> list[AssessedPatch]:
    names = {plant.id for plant in claim.plants}
    return [p for p in planted(KILLED, at_s) if p.record.patch_id in names]


@st.composite
def boards(draw: st.DrawFn) -> Drawn:
    claim = draw(CLAIMS)
    runs = [draw(good_runs(claim)), *draw(st.lists(good_runs(claim), max_size=2))]
    runs += draw(st.lists(any_runs(claim), max_size=2))
    patches = proof_of(claim, draw(TIMES))
    gone = draw(st.sampled_from([None, None, None, *patches]))
    patches = [p for p in patches if p is not gone]
    patches += draw(st.lists(any_patches(claim), max_size=2))
    return Drawn(claim, runs, patches)


ORDER = (
    StatusKind.FAILED,
    StatusKind.FLAKY,
    StatusKind.ERROR,
    StatusKind.VACUOUS,
    StatusKind.BLOCKED,
    StatusKind.STALE,
    StatusKind.NOT_RUN,
    StatusKind.LEVEL,
)
"""From what says the most against a claim to what says something for it."""


def rank(status: Status) -> int:
    if status.kind is StatusKind.LEVEL and status.level is not None:
        return len(ORDER) + status.level.rank
    return ORDER.index(status.kind)


def level_rank(status: Status) -> int:
    return max(-1, rank(status) - len(ORDER))


def holds_of(claim: Falsifier, drawn: Drawn) -> int:
    """The level by another way of reckoning: from the records one by one; -1 for none."""
    now = [a.record for a in drawn.runs if not a.changes]
    answers = [p.record for p in drawn.patches if not p.changes]
    if claim.bounds[0].threshold == 4.5 or any(r.verdict is Verdict.FAILED for r in now):
        return -1
    for plant in claim.plants:
        said = {a.outcome for a in answers if a.patch_digest == plant.digest}
        good = {PatchOutcome.KILLED, PatchOutcome.GREEN} & said
        bad = {o for o in said - good if o.is_settled}
        if bad or not good:
            return -1
    passed = [r for r in now if r.verdict is Verdict.PASSED]
    errors = [r.finished_s for r in now if r.verdict is Verdict.ERROR]
    if not passed or max(errors, default=-1.0) >= max(r.finished_s for r in passed):
        return -1
    shown = [
        0 if not r.reached else 1 if not all(m.value == 500 for m in r.measurements[-1:]) else 2
        for r in passed
    ]
    return min(max(shown), len(claim.levels) - 1)


def test_a_level_holds_where_the_records_one_by_one_say_so_and_often() -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=400, derandomize=True)
    @given(boards())
    def check(drawn: Drawn) -> None:
        status = drawn.derive()
        seen[status.kind.value] += 1
        seen["all"] += 1
        assert level_rank(status) == holds_of(drawn.claim, drawn)
        if drawn.claim.seeds is not None and status.conditions:
            texts = [condition.text for condition in status.conditions]
            assert "measured with seeds 0, 1, bound" in texts

    check()
    assert seen["LEVEL"] >= 0.3 * seen["all"], (
        "hardly a board holds a level: this shows nothing"
    )
    assert {"FAILED", "FLAKY", "ERROR", "VACUOUS", "NOT_RUN"} <= set(seen)


@given(boards(), st.randoms(use_true_random=False))
def test_order_and_duplication_of_records_make_no_difference(
    drawn: Drawn, chance: random.Random
) -> None:
    more, further = drawn.runs * 2, drawn.patches * 2
    chance.shuffle(more)
    chance.shuffle(further)
    assert drawn.derive(runs=more, patches=further) == drawn.derive()


@given(boards(), st.data())
def test_more_good_evidence_never_lowers_a_status(drawn: Drawn, data: st.DataObject) -> None:
    before = drawn.derive()
    more = [*drawn.runs, data.draw(good_runs(drawn.claim))]
    assert level_rank(drawn.derive(runs=more)) >= level_rank(before)
    kills = proof_of(drawn.claim, data.draw(TIMES))
    assert rank(drawn.derive(patches=[*drawn.patches, *kills])) >= rank(before)


@given(boards())
def test_deleting_a_good_record_never_raises_a_status(drawn: Drawn) -> None:
    before = drawn.derive()
    for index, run in enumerate(drawn.runs):
        if run.record.verdict is Verdict.PASSED:
            less = drawn.runs[:index] + drawn.runs[index + 1 :]
            assert level_rank(drawn.derive(runs=less)) <= level_rank(before)
    for index, item in enumerate(drawn.patches):
        if item.record.outcome.counts:
            fewer = drawn.patches[:index] + drawn.patches[index + 1 :]
            assert rank(drawn.derive(patches=fewer)) <= rank(before)


@given(boards(), st.data())
def test_a_bad_record_more_never_raises_a_level(drawn: Drawn, data: st.DataObject) -> None:
    before = level_rank(drawn.derive())
    run = data.draw(any_runs(drawn.claim).filter(lambda r: r.record.verdict is Verdict.FAILED))
    assert level_rank(drawn.derive(runs=[*drawn.runs, run])) <= before
    item = data.draw(any_patches(drawn.claim).filter(lambda p: not p.record.outcome.counts))
    assert level_rank(drawn.derive(patches=[*drawn.patches, item])) <= before


@given(boards())
def test_a_change_of_a_covered_byte_never_raises_a_status(drawn: Drawn) -> None:
    stale_runs = [Assessed(r.record, CHANGED) for r in drawn.runs]
    stale_patches = [AssessedPatch(p.record, CHANGED) for p in drawn.patches]
    after = drawn.derive(runs=stale_runs, patches=stale_patches)
    assert after.kind is StatusKind.STALE
    # What it was is what held on one of both trees.
    trees = [
        drawn.derive(
            runs=[Assessed(r.record) for r in drawn.runs if r.record.manifest == manifest],
            patches=[
                AssessedPatch(p.record) for p in drawn.patches if p.record.manifest == manifest
            ],
        )
        for manifest in (MANIFEST, OTHER)
    ]
    assert after.level in {tree.level for tree in trees} | {None}


EXTRA = Entry(EntryKind.SOURCE, "extra.py", "e", "f")
EXTRA_CHANGED = (Change(EntryKind.SOURCE, "extra.py", "changed"),)


def wide_red(at_s: float, changes: tuple[Change, ...], verdict: Verdict) -> Assessed:
    """A red record whose checks imported one module more than those that passed."""
    manifest = Manifest((*MANIFEST.entries, EXTRA))
    return Assessed(
        replace(GOOD, verdict=verdict, manifest=manifest, finished_s=at_s, reason="r"), changes
    )


@pytest.mark.parametrize("verdict", [Verdict.FAILED, Verdict.ERROR])
def test_an_edit_of_what_only_the_red_record_rests_on_does_not_take_it_away(
    verdict: Verdict,
) -> None:
    red = wide_red(GOOD.finished_s + 1, EXTRA_CHANGED, verdict)
    status = derive([Assessed(GOOD), red], PROVEN)
    assert str(status) == f"STALE(was {verdict.value}, because extra.py changed)"
    assert status.cure == "pv run --prove FALSIFY-X-001 --again"
    assert status.potency.killed
    later_s = GOOD.finished_s + 2
    for entry in (EXTRA, Entry(EntryKind.ABSENT, EXTRA.name, "")):
        after = Manifest((*MANIFEST.entries, replace(entry, digest="edited")))
        overcome = Assessed(replace(GOOD, manifest=after, finished_s=later_s))
        assert derive([Assessed(GOOD), overcome, red], PROVEN).kind is StatusKind.LEVEL
    taken_back = wide_red(GOOD.finished_s + 1, (*EXTRA_CHANGED, *CHANGED), verdict)
    assert derive([Assessed(GOOD), taken_back], PROVEN).kind is StatusKind.LEVEL


def test_what_was_flaky_is_not_settled_by_an_edit_of_what_its_red_run_alone_imported() -> None:
    red = wide_red(GOOD.finished_s - 1, (), Verdict.FAILED)
    assert derive([Assessed(GOOD), red], PROVEN).kind is StatusKind.FLAKY
    edited = wide_red(GOOD.finished_s - 1, EXTRA_CHANGED, Verdict.FAILED)
    status = derive([Assessed(GOOD), edited], PROVEN)
    assert str(status) == "STALE(was FLAKY, because extra.py changed)"
    assert status.cure == "pv run --prove FALSIFY-X-001 --again"
    broken = wide_red(GOOD.finished_s - 1, EXTRA_CHANGED, Verdict.ERROR)
    assert derive([Assessed(GOOD), broken], PROVEN).kind is StatusKind.LEVEL


def test_a_survivor_is_not_taken_away_by_an_edit_of_what_it_alone_rests_on() -> None:
    wide = Manifest((*MANIFEST.entries, EXTRA))
    survived = [
        AssessedPatch(replace(p.record, manifest=wide), EXTRA_CHANGED)
        for p in planted({"d1": PatchOutcome.SURVIVED})
    ]
    status = derive([Assessed(GOOD)], [*PROVEN, *survived])
    assert str(status) == "STALE(was VACUOUS, because extra.py changed)"
    worse = derive([Assessed(GOOD)], [*planted({"d2": PatchOutcome.SURVIVED}), *survived])
    assert worse.kind is StatusKind.VACUOUS
    unsettled = [
        AssessedPatch(replace(p.record, outcome=PatchOutcome.TIMEOUT), p.changes)
        for p in survived
    ]
    assert derive([Assessed(GOOD)], [*PROVEN, *unsettled]).kind is StatusKind.LEVEL


def test_an_input_that_changed_is_known_by_its_name_and_not_by_its_path() -> None:
    older = Manifest((MANIFEST.entries[0], replace(MANIFEST.entries[1], digest="older")))
    change = Change(EntryKind.INPUT, "pair.checkpoint", "changed (x.apr)")
    red = replace(GOOD, verdict=Verdict.FAILED, manifest=older, finished_s=1.0)
    assert derive([Assessed(GOOD), Assessed(red, (change,))]).kind is StatusKind.LEVEL


@given(boards(), TIMES, st.sampled_from([Verdict.FAILED, Verdict.ERROR]))
def test_an_edit_never_raises_a_status_whatever_manifests_the_records_have(
    drawn: Drawn, at_s: float, verdict: Verdict
) -> None:
    before = drawn.derive(runs=[*drawn.runs, wide_red(at_s, (), verdict)])
    after = drawn.derive(runs=[*drawn.runs, wide_red(at_s, EXTRA_CHANGED, verdict)])
    assert level_rank(after) <= level_rank(before)


def test_an_input_that_no_check_asked_for_caps_the_level() -> None:
    unread = replace(GOOD, manifest=mark_unasked(MANIFEST, {"pair"}))
    status = derive([Assessed(unread)], PROVEN)
    assert str(status) == "INTEGRATION/DISCHARGED"
    assert status.why == "input pair was asked for by no check"
    assert status.cure == 'read it in the check: inputs("pair")'
