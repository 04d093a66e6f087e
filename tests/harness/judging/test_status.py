from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

import pytest
from hypothesis import given, strategies as st

from pv_harness.contracts.contract import (
    Bound,
    Comparator,
    Control,
    Defect,
    Falsifier,
    Level,
    LevelRule,
    Patch,
)
from pv_harness.evidence.records import PatchOutcome, PatchRecord, RunRecord, Verdict
from pv_harness.fingerprint.manifest import Change, Entry, EntryKind, Manifest
from pv_harness.judging.measurement import Measurement
from pv_harness.judging.status import Assessed, AssessedPatch, Status, StatusKind, derive_status


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
    assert status.why == f"{name}: because"


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
    later = fresh(verdict=verdict, reason="x", finished_s=20.0)
    assert derive([fresh(), later]).kind is kind
    earlier = fresh(verdict=verdict, reason="x", finished_s=1.0)
    assert derive([earlier, fresh()]).kind is StatusKind.LEVEL


def test_stale_says_what_it_was_and_which_byte_changed() -> None:
    stale = [AssessedPatch(p.record, CHANGED) for p in PROVEN]
    status = derive([Assessed(GOOD, CHANGED)], stale)
    assert str(status) == "STALE(was DISCHARGED, because m.py changed)"
    assert status.cure == "pv run --prove FALSIFY-X-001"


def test_a_proof_at_another_fingerprint_does_not_count() -> None:
    stale = [AssessedPatch(p.record, CHANGED) for p in PROVEN]
    assert derive([fresh()], stale).kind is StatusKind.NOT_RUN


@pytest.mark.parametrize("verdict", [Verdict.SKIPPED, Verdict.BLOCKED, Verdict.PASSED])
def test_records_of_one_moment_are_ordered_by_what_they_say(verdict: Verdict) -> None:
    one, other = fresh(verdict=Verdict.ERROR, reason="a"), fresh(verdict=verdict, reason="b")
    assert str(derive([one, other])) == str(derive([other, one]))


RUNS = st.lists(
    st.builds(
        lambda verdict, reached, steps, at_s, stale: Assessed(
            replace(
                GOOD,
                verdict=verdict,
                reached=reached,
                measurements=(Measurement("gap", 4.0), Measurement("steps", steps)),
                finished_s=at_s,
            ),
            CHANGED if stale else (),
        ),
        st.sampled_from(Verdict),
        st.sampled_from([(), ("m:main",)]),
        st.sampled_from([1, 500]),
        st.floats(0, 100),
        st.booleans(),
    ),
    max_size=5,
)
PATCHES = st.lists(
    st.builds(
        lambda plant, outcome, at_s, stale: AssessedPatch(
            PatchRecord(
                FALSIFIER.id, plant.id, plant.digest, outcome, MANIFEST, "r", 0.0, at_s
            ),
            CHANGED if stale else (),
        ),
        st.sampled_from(FALSIFIER.plants),
        st.sampled_from(PatchOutcome),
        st.floats(0, 100),
        st.booleans(),
    ),
    max_size=8,
)


def rank(status: Status) -> int:
    if status.kind is not StatusKind.LEVEL or status.level is None:
        return -1
    return status.level.rank


def is_good(patch_record: PatchRecord) -> bool:
    return patch_record.outcome.counts


@given(RUNS, PATCHES, st.randoms())
def test_order_and_duplication_of_records_make_no_difference(
    runs: list[Assessed], patches: list[AssessedPatch], random: object
) -> None:
    more, further = runs + runs, patches + patches
    random.shuffle(more)  # type: ignore[attr-defined]
    random.shuffle(further)  # type: ignore[attr-defined]
    one, other = derive(runs, patches), derive(more, further)
    assert (str(one), rank(one)) == (str(other), rank(other))


@given(RUNS, PATCHES, st.sampled_from([(), ("m:main",)]), st.floats(0, 100))
def test_more_good_evidence_never_lowers_a_status(
    runs: list[Assessed],
    patches: list[AssessedPatch],
    reached: tuple[str, ...],
    at_s: float,
) -> None:
    more = [*runs, fresh(reached=reached, finished_s=at_s)]
    assert rank(derive(more, patches)) >= rank(derive(runs, patches))
    kills = [AssessedPatch(replace(p.record, finished_s=at_s)) for p in PROVEN]
    assert rank(derive(runs, [*patches, *kills])) >= rank(derive(runs, patches))


@given(RUNS, PATCHES)
def test_deleting_a_good_record_never_raises_a_status(
    runs: list[Assessed], patches: list[AssessedPatch]
) -> None:
    before = rank(derive(runs, patches))
    for index, run in enumerate(runs):
        if run.record.verdict is Verdict.PASSED:
            assert rank(derive(runs[:index] + runs[index + 1 :], patches)) <= before
    for index, item in enumerate(patches):
        if is_good(item.record):
            assert rank(derive(runs, patches[:index] + patches[index + 1 :])) <= before


@given(RUNS, PATCHES)
def test_a_change_of_a_covered_byte_never_raises_a_status(
    runs: list[Assessed], patches: list[AssessedPatch]
) -> None:
    stale_runs = [Assessed(r.record, CHANGED) for r in runs]
    stale_patches = [AssessedPatch(p.record, CHANGED) for p in patches]
    after = derive(stale_runs, stale_patches)
    assert rank(after) <= rank(derive(runs, patches))
    assert after.kind in {StatusKind.STALE, StatusKind.NOT_RUN}
