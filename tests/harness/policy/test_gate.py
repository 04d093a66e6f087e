from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings, strategies as st

from pv_harness.board.scoreboard import Row, Scoreboard
from pv_harness.contracts.contract import Level, LevelRule
from pv_harness.deriving.derivation import judged_again
from pv_harness.deriving.status import StatusKind
from pv_harness.evidence.records import Verdict
from pv_harness.exit_code import ExitCode
from pv_harness.fingerprint.manifest import Change, EntryKind
from pv_harness.policy.conditions import Facts, find_failures
from pv_harness.policy.gate import GateDecision, Outcome, decide_gate, today_at
from pv_harness.policy.policy import Policy, Requirement, Waiver
from pv_harness.policy.waiving import apply_waivers


if TYPE_CHECKING:
    from tests.harness.policy.conftest import Build

    from pv_harness.evidence.records import PatchRecord, RunRecord

CEILING = (Requirement("*"),)
NOW_S = 1_800_000_000.0
TODAY = today_at(NOW_S)


def policy(**facts: Any) -> Policy:
    return Policy(**{"name": "merge", "require": CEILING, **facts})


def decide(rows: list[Row], asked: Policy, **more: Any) -> GateDecision:
    facts = Facts(NOW_S, more.pop("signers", {}))
    return decide_gate(rows, asked, facts, **more)


def texts(row: Row, asked: Policy, **signers: frozenset[str]) -> list[str]:
    wanted = asked.level_for(row)
    assert wanted is not None
    found = find_failures(row, asked, wanted, Facts(NOW_S, signers))
    assert all(failure.cure for failure in found)
    return [f"{f.condition}: {f.text} [{f.code.value}]" for f in found]


def waiver(falsifier: str = "FALSIFY-A-001", **facts: Any) -> Waiver:
    day = timedelta(days=1)
    given_facts = {"created": TODAY - day, "expires": TODAY + day, **facts}
    return Waiver("WAIVE-1", falsifier, "why", "who", "#1", **given_facts)


@pytest.mark.parametrize(
    ("statuses", "required", "code"),
    [
        ("F", None, 0),
        ("P", None, 1),
        ("P", "PARTIAL", 0),
        ("F", "DISCHARGED", 1),
        ("P", "DISCHARGED", 1),
        ("Fs", None, 3),
        ("sX", None, 1),
        ("XE", None, 4),
        ("V", "PARTIAL", 1),
        ("~", "PARTIAL", 1),
        ("U", "PARTIAL", 3),
        ("BF", None, 3),
        ("", None, 2),
        ("0", None, 2),
    ],
)
def test_the_gate_asks_for_the_level_or_for_all_that_is_possible(
    build: Build, statuses: str, required: str | None, code: int
) -> None:
    rows = [row_of(build, letter) for letter in statuses]
    level = Level(required) if required else None
    asked = policy(require=(Requirement("*", level),))
    assert decide(rows, asked).exit_code == code


RED = {"verdict": "FAILED", "value": 1}
LETTERS: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "F": ([{}], {}),
    "P": ([{"level": "PARTIAL"}], {}),
    "s": ([{"stale": True}], {"stale": True}),
    "X": ([RED], {}),
    "E": ([{"verdict": "ERROR"}], {}),
    "V": ([{}], {"outcomes": "KSKG"}),
    "~": ([{}, RED], {}),
    "U": ([], {"bound": False}),
    "B": ([{"verdict": "BLOCKED"}], {"outcomes": "----", "requires": "cuda"}),
    "N": ([], {}),
    "S": ([{"verdict": "SKIPPED"}], {}),
    "K": ([{"age_s": 5}, {"verdict": "SKIPPED"}], {}),
    "0": ([{}], {"counted": False}),
}
"""Full, Partial, stale, refuted, Error, Vacuous, flaky, Unbound, Blocked, Never run, Skipped,
sKipped after it passed, and what is in no count: the runs, and what else makes the row."""


def row_of(build: Build, letter: str) -> Row:
    runs, facts = LETTERS[letter]
    return build.row(*(build.run(**run) for run in runs), **facts)


def test_blocked_rows_are_left_out_only_if_the_gate_allows_it_and_never_alone(
    build: Build,
) -> None:
    full, blocked = row_of(build, "F"), row_of(build, "B")
    asked = policy(blocked_left_out=True)
    decision = decide([full, blocked], asked)
    assert decision.exit_code is ExitCode.SATISFIED
    assert [r.row for r in decision.of(Outcome.LEFT_OUT)] == [blocked]
    assert decide([blocked], asked).exit_code is ExitCode.CANNOT_JUDGE


@pytest.mark.parametrize(
    ("letter", "expected"),
    [
        ("F", []),
        ("X", ["status: wrong is not 0 [1]"]),
        ("s", ["stale: src/a.py changed [3]"]),
        ("N", ["status: never measured [3]"]),
        ("S", ["status: wrong is not 0 [3]"]),
        ("K", []),
        ("U", ["status: no check is bound to it [3]"]),
        ("E", ["status: wrong is not 0 [4]"]),
        ("B", ["status: wrong is not 0 [3]"]),
        ("V", ["potency: potency 2/3, asks all; two SURVIVED [1]"]),
        ("P", ["level: PARTIAL is below INTEGRATION: a.cli:main was not reached [1]"]),
    ],
)
def test_each_failing_falsifier_names_the_condition(
    build: Build, letter: str, expected: list[str]
) -> None:
    assert texts(row_of(build, letter), policy()) == expected


def test_a_level_above_the_ceiling_is_denied_and_says_so(build: Build) -> None:
    asked = policy(require=(Requirement("*", Level.DISCHARGED),))
    assert texts(build.row(build.run()), asked) == [
        "level: INTEGRATION is below DISCHARGED: its ceiling is INTEGRATION [1]"
    ]
    row = build.row(build.run(), ceiling="DISCHARGED")
    assert texts(row, asked) == [
        "level: INTEGRATION is below DISCHARGED: input corpus present, by digest [1]"
    ]


def test_the_strictest_of_all_matching_requirements_applies_in_any_order(build: Build) -> None:
    both = (Requirement("FALSIFY-A-*", Level.PARTIAL), Requirement("a-v1", Level.INTEGRATION))
    row = build.row(build.run("PARTIAL"))
    for require in (both, both[::-1]):
        assert policy(require=require).level_for(row) is Level.INTEGRATION
    assert policy(require=both[:1]).level_for(row) is Level.PARTIAL


def test_what_no_requirement_names_is_not_asked_about_and_never_a_pass(build: Build) -> None:
    asked = policy(require=(Requirement("FALSIFY-B-*"),))
    rows = [build.row(build.run(verdict="FAILED"))]
    decision = decide(rows, asked)
    assert [r.outcome for r in decision.results] == [Outcome.NOT_ASKED]
    assert decision.exit_code is ExitCode.CANNOT_JUDGE


@pytest.mark.parametrize(
    ("age_s", "expected"),
    [
        (86_400.0, []),
        (86_400.5, ["age: age 1d, at most 1d [3]"]),
        (41 * 86_400.0, ["age: age 41d, at most 1d [3]"]),
        (90_000.0, ["age: age 1d 1h, at most 1d [3]"]),
    ],
)
def test_a_run_may_be_just_as_old_as_the_policy_says(
    build: Build, age_s: float, expected: list[str]
) -> None:
    row = build.row(build.run(age_s=age_s))
    assert texts(row, policy(max_age_s=build.day_s)) == expected


def test_stale_evidence_counts_for_what_it_showed_where_that_is_allowed(build: Build) -> None:
    allowed = policy(stale_allowed=True)
    full = build.row(build.run(stale=True), stale=True)
    partial = build.row(build.run("PARTIAL", stale=True), stale=True)
    red = build.row(build.run(verdict="FAILED", stale=True), stale=True)
    assert texts(full, allowed) == []
    below = "PARTIAL is below INTEGRATION: a.cli:main was not reached"
    assert texts(partial, allowed) == [f"level: {below} [1]"]
    assert texts(red, allowed) == ["status: wrong is not 0 [1]"]
    old = policy(stale_allowed=True, max_age_s=60.0)
    assert texts(build.row(build.run(stale=True, age_s=61), stale=True), old) == [
        "age: age 1m 1s, at most 1m [3]"
    ]


def test_a_number_that_breaks_the_present_bound_passes_no_gate_for_being_stale(
    build: Build,
) -> None:
    row = build.row(build.run(value=1, stale=True), stale=True)
    assert row.status.kind is StatusKind.STALE
    expected = ["status: wrong is 1, but must be = 0 [1]"]
    assert texts(row, policy(stale_allowed=True)) == expected


def test_what_was_flaky_is_not_excused_by_an_edit(build: Build) -> None:
    red = build.run(verdict="FAILED", age_s=60, stale=True)
    row = build.row(build.run(stale=True), red, stale=True)
    assert str(row.status) == "STALE(was FLAKY, because src/a.py changed)"
    expected = ["status: passed and failed on one fingerprint [1]"]
    assert texts(row, policy(stale_allowed=True)) == expected


def test_no_edit_of_what_a_red_run_alone_rests_on_is_excused(build: Build) -> None:
    red = build.run(verdict="FAILED", age_s=60, stale=True)
    # Newer than the red one, and of another tree: the last fingerprint would be this one's.
    elsewhere = build.run("DISCHARGED", stale=True)
    row = build.row(build.run(age_s=30), red, elsewhere)
    assert str(row.status) == "STALE(was FLAKY, because src/a.py changed)"
    expected = ["stale: src/a.py changed [3]"]
    assert texts(row, policy(stale_allowed=True)) == expected


def test_a_stale_proof_is_asked_for_its_signature_and_its_lane(build: Build) -> None:
    signed = policy(stale_allowed=True, signers=("ci",))
    forged = build.row(build.run(stale=True), stale=True, patch_statement="t")
    assert texts(forged, signed, s=frozenset({"ci"})) == [
        "signers: planted changes: signed by nobody, asks ci [4]"
    ]
    lanes = policy(stale_allowed=True, lanes=("cuda",))
    on_cpu = build.row(build.run(cuda=True, stale=True), stale=True)
    assert texts(on_cpu, lanes) == [
        "potency: lane cuda: potency 0/3, asks all; not planted: one, two, three, four [3]"
    ]


def test_stale_evidence_of_another_claim_shows_nothing_of_this_one(build: Build) -> None:
    row = build.row(build.run(stale=True), stale=True)
    claim = Change(EntryKind.CLAIM, "c", "changed")
    changed = replace(row, runs=tuple(replace(run, changes=(claim,)) for run in row.runs))
    assert texts(changed, policy(stale_allowed=True)) == [
        (
            "stale: the claim itself has changed since, and `stale: allow` excuses changed "
            "sources [3]"
        )
    ]


def test_that_a_planted_change_survived_needs_no_signature_to_count(build: Build) -> None:
    row = build.row(build.run(), outcomes="KSKG", patch_statement="t")
    found = texts(row, policy(signers=("ci",)))
    assert "potency: potency 2/3, asks all; two SURVIVED [1]" in found


@pytest.mark.parametrize(
    ("outcomes", "fraction", "expected"),
    [
        ("KKKG", 1.0, []),
        ("KKSG", 0.66, []),
        ("KKSG", 0.67, ["potency: potency 2/3, asks at least 0.67; three SURVIVED [1]"]),
        ("KK-G", 0.5, []),
        ("K--G", 0.5, ["potency: potency 1/3, asks at least 0.5; not planted: two, three [3]"]),
        ("KK-G", 1.0, ["potency: potency 2/3, asks all; not planted: three [3]"]),
        ("KKKR", 0.5, ["potency: potency 3/3, asks at least 0.5; four RED [1]"]),
        ("KKK-", 0.5, ["potency: potency 3/3, asks at least 0.5; not planted: four [3]"]),
    ],
)
def test_a_fraction_of_the_defects_may_do_and_controls_stay_green(
    build: Build, outcomes: str, fraction: float, expected: list[str]
) -> None:
    row = build.row(build.run(), outcomes=outcomes)
    assert texts(row, policy(potency=fraction)) == expected


SHARPEN = "sharpen the check, or correct the defect"
VERIFY = "correct what the contract plants: pv prove --verify-anchors"
PROVE = "pv prove FALSIFY-A-001"


@pytest.mark.parametrize(
    ("outcomes", "fraction", "expected"),
    [
        ("VVVV", 1.0, {"one VOID, two VOID, three VOID, four VOID": (VERIFY, 1)}),
        ("VSKG", 1.0, {"one VOID": (VERIFY, 1), "two SURVIVED": (SHARPEN, 1)}),
        ("S-KG", 1.0, {"one SURVIVED": (SHARPEN, 1), "not planted: two": (PROVE, 3)}),
        ("TKKG", 1.0, {"one TIMEOUT": (f"{PROVE}; if it hangs every time, `accept` it", 1)}),
        ("KKKR", 1.0, {"four RED": ("widen the check, or correct the control", 1)}),
        # One survivor of three is allowed here, and so are two defects that are still open.
        ("S-KG", 0.6, {"not planted: two": (PROVE, 3)}),
        ("SSVR", 0.0, {"four RED": ("widen the check, or correct the control", 1)}),
        ("S-SG", 0.6, {"one SURVIVED, three SURVIVED": (SHARPEN, 1), "not planted: two": None}),
    ],
)
def test_each_way_to_lack_potency_has_its_own_remedy(
    build: Build, outcomes: str, fraction: float, expected: dict[str, tuple[str, int] | None]
) -> None:
    row, asked = build.row(build.run(), outcomes=outcomes), policy(potency=fraction)
    found = find_failures(row, asked, Level.INTEGRATION, Facts(NOW_S))
    told = {f.text.partition("; ")[2]: (f.cure, f.code.value) for f in found}
    assert told.keys() == expected.keys()
    assert all(expected[text] in {None, cure} for text, cure in told.items())


def test_a_claim_without_a_defect_has_no_potency(build: Build) -> None:
    row = build.row(build.run())
    bare = replace(row, falsifier=replace(row.falsifier, defects=(), controls=()))
    assert texts(bare, policy()) == ["potency: potency 0/0, asks all [1]"]


def test_what_is_lacking_in_several_lanes_is_told_once(build: Build) -> None:
    asked = policy(lanes=("cpu", "cuda"), max_age_s=60.0)
    everywhere = {"environment": build.cuda}
    row = build.row(build.run("PARTIAL", age_s=61, **everywhere), **everywhere)
    found = find_failures(row, asked, Level.INTEGRATION, Facts(NOW_S))
    assert [(f.condition, f.text, f.cure) for f in found] == [
        (
            "level",
            "lanes cpu and cuda: PARTIAL is below INTEGRATION: a.cli:main was not reached",
            "run the command in the check, with `cli`; scripts as `python -m a.cli`",
        ),
        (
            "age",
            "lanes cpu and cuda: age 1m 1s, at most 1m",
            "pv run FALSIFY-A-001 --again, on machines of the lanes cpu and cuda",
        ),
    ]


def test_a_cure_in_a_lane_measures_and_plants_in_spite_of_fresh_evidence(build: Build) -> None:
    def cures(row: Row) -> list[str]:
        asked = policy(lanes=("cpu", "cuda"))
        found = find_failures(row, asked, Level.INTEGRATION, Facts(NOW_S))
        return [failure.cure for failure in found]

    where = ", on a machine of the lane cuda"
    assert cures(build.row(build.run())) == [f"pv run --prove FALSIFY-A-001 --again{where}"]
    unplanted = build.row(build.run(environment=build.cuda))
    assert cures(unplanted) == [f"pv prove FALSIFY-A-001 --again{where}"]


def test_each_lane_needs_evidence_of_its_own(build: Build) -> None:
    asked = policy(lanes=("cpu", "cuda"))
    here = build.row(build.run())
    assert texts(here, asked) == ["lane: lane cuda: no evidence [3]"]
    both = build.row(
        build.run(),
        build.run("PARTIAL", environment=build.cuda, age_s=1),
        environment=build.cuda,
    )
    assert texts(both, asked) == [
        "level: lane cuda: PARTIAL is below INTEGRATION: a.cli:main was not reached [1]"
    ]
    unplanted = build.row(build.run(), build.run(environment=build.cuda, age_s=1))
    assert texts(unplanted, asked) == [
        "potency: lane cuda: potency 0/3, asks all; not planted: one, two, three, four [3]"
    ]
    full = build.row(
        build.run(), build.run(environment=build.cuda, age_s=1), environment=build.cuda
    )
    assert texts(full, asked) == []


def test_a_claim_that_used_the_gpu_has_no_evidence_in_the_lane_cpu(build: Build) -> None:
    row = build.row(build.run(cuda=True, environment=build.cuda), lane="cuda")
    assert texts(row, policy(lanes=("cpu",))) == ["lane: lane cpu: no evidence [3]"]


def test_a_claim_that_needs_a_device_is_asked_for_that_lane_alone(build: Build) -> None:
    row = build.row(build.run(environment=build.cuda), environment=build.cuda, requires="cuda")
    assert texts(row, policy(lanes=("cpu", "cuda"))) == []
    # Its level is still asked for where none of its lanes is.
    low = build.row(build.run("PARTIAL", environment=build.cuda), requires="cuda")
    assert len(texts(low, policy(lanes=("cpu",)))) == 1


def test_a_level_for_a_device_asks_that_it_was_used(build: Build) -> None:
    row = build.row(build.run(environment=build.cuda), environment=build.cuda)
    rules = (row.falsifier.levels[0], LevelRule(Level.INTEGRATION, device="cuda"))
    on_cuda = replace(row, falsifier=replace(row.falsifier, levels=rules))
    assert "lane: lane cuda: no evidence [3]" in texts(on_cuda, policy(lanes=("cuda",)))


def test_the_environment_has_to_match_fact_by_fact(build: Build) -> None:
    row = build.row(build.run())
    assert texts(row, policy(environment={"python": "3.11.*"})) == []
    assert texts(row, policy(environment={"python": "3.12.*", "pythn": "*"})) == [
        "environment: pythn is not recorded (did you mean python?), asks * [3]",
        "environment: python 3.11.2, asks 3.12.* [3]",
    ]


def test_evidence_has_to_be_signed_by_one_of_the_signers(build: Build) -> None:
    asked = policy(signers=("ci", "lead"))
    row = build.row(build.run())
    assert texts(row, asked, s=frozenset({"lead"})) == []
    assert texts(row, asked, s=frozenset({"eve"})) == [
        "signers: planted changes: signed by nobody, asks ci or lead [4]",
        "signers: signed by eve, asks ci or lead [4]",
    ]
    only_run = build.row(build.run(statement="r"))
    assert texts(only_run, asked, r=frozenset({"ci"})) == [
        "signers: planted changes: signed by nobody, asks ci or lead [4]"
    ]


def test_one_run_has_to_meet_all_conditions_and_an_older_one_may(build: Build) -> None:
    asked = policy(signers=("ci",), max_age_s=100.0)
    new_unsigned, old_signed = build.run(statement="u"), build.run(age_s=50)
    signed = {"s": frozenset({"ci"})}
    assert texts(build.row(new_unsigned, old_signed), asked, **signed) == []
    too_old = build.run(age_s=200)
    assert texts(build.row(new_unsigned, too_old), asked, **signed) == [
        "signers: signed by nobody, asks ci [4]"
    ]


def test_a_passed_record_whose_numbers_are_broken_passes_no_gate(build: Build) -> None:
    assert texts(build.row(build.run(value=1)), policy())


def test_a_waiver_excuses_until_its_last_day_and_is_tallied_apart(build: Build) -> None:
    rows = [row_of(build, "F"), build.row(build.run("PARTIAL"), name="FALSIFY-A-002")]
    held = waiver("FALSIFY-A-002", expires=TODAY)
    decision = decide(rows, policy(), waivers=[held])
    assert decision.exit_code is ExitCode.SATISFIED
    assert [r.outcome for r in decision.results] == [Outcome.PASSED, Outcome.WAIVED]
    assert len(decision.judged) == 1
    assert decision.results[1].failures
    over = replace(held, expires=TODAY - timedelta(days=1))
    assert decide(rows, policy(), waivers=[over]).exit_code is ExitCode.DENIED


def test_a_waiver_that_nothing_needs_can_not_stay(build: Build) -> None:
    decision = decide([row_of(build, "F")], policy(), waivers=[waiver()])
    assert decision.exit_code is ExitCode.CANNOT_JUDGE
    assert [w.id for w in decision.unused] == ["WAIVE-1"]


def test_a_waiver_limited_to_another_policy_has_no_effect(build: Build) -> None:
    rows = [row_of(build, "F"), build.row(build.run("PARTIAL"), name="FALSIFY-A-002")]
    held = waiver("FALSIFY-A-002", policies=("release",))
    assert decide(rows, policy(), waivers=[held]).exit_code is ExitCode.DENIED
    assert not decide([row_of(build, "F")], policy(), waivers=[replace(held)]).unused


@pytest.mark.parametrize("letter", ["E"])
def test_no_waiver_and_no_ratchet_covers_exit_code_4(build: Build, letter: str) -> None:
    rows = [row_of(build, letter)]
    decision = decide(rows, policy(), waivers=[waiver()], allowed={"FALSIFY-A-001"})
    assert decision.exit_code is ExitCode.INFRASTRUCTURE
    unsigned = [row_of(build, "F")]
    forged = decide(unsigned, policy(signers=("ci",)), waivers=[waiver()])
    assert forged.exit_code is ExitCode.INFRASTRUCTURE


def test_where_everything_is_excused_nothing_was_judged(build: Build) -> None:
    rows = [row_of(build, "P")]
    assert decide(rows, policy(), waivers=[waiver()]).exit_code is ExitCode.CANNOT_JUDGE
    allowed = decide(rows, policy(), allowed={"FALSIFY-A-001"})
    assert allowed.exit_code is ExitCode.CANNOT_JUDGE


def test_a_ratchet_allows_what_it_lists_and_has_to_shrink(build: Build) -> None:
    low = build.row(build.run("PARTIAL"), name="FALSIFY-A-002")
    rows = [row_of(build, "F"), low]
    decision = decide(rows, policy(), allowed={"FALSIFY-A-002"})
    assert decision.exit_code is ExitCode.SATISFIED
    assert len(decision.of(Outcome.ALLOWED)) == 1
    loose = decide(rows, policy(), allowed={"FALSIFY-A-001", "FALSIFY-A-002"})
    assert (loose.exit_code, loose.loose) == (ExitCode.DENIED, ("FALSIFY-A-001",))
    known = {"FALSIFY-A-001", "FALSIFY-A-002"}
    gone = decide(rows, policy(), allowed={"FALSIFY-A-002", "FALSIFY-A-009"}, known=known)
    assert (gone.exit_code, gone.loose) == (ExitCode.DENIED, ("FALSIFY-A-009",))
    # A line to delete is no judgement: where nothing was judged, that is the answer.
    nothing = decide([low], policy(), allowed={"FALSIFY-A-002", "FALSIFY-A-009"}, known=known)
    assert (nothing.exit_code, nothing.loose) == (ExitCode.CANNOT_JUDGE, ("FALSIFY-A-009",))


# Properties: what is drawn is a whole board, derived from records, and a whole policy.

RUNS = st.fixed_dictionaries(
    {
        "level": st.sampled_from([level.value for level in Level]),
        "verdict": st.sampled_from(
            ["PASSED", "PASSED", "PASSED", "FAILED", "ERROR", "BLOCKED"]
        ),
        "age_s": st.integers(0, 5).map(lambda days: days * 86_400.0),
        "cuda": st.booleans(),
        "statement": st.sampled_from(["s", "t"]),
        "stale": st.booleans(),
        "environment": st.sampled_from(
            [{"python": "3.11", "devices": "cpu"}, {"python": "3.12", "devices": "cpu, cuda"}]
        ),
    }
)
ROWS = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["FALSIFY-A-001", "FALSIFY-A-002", "FALSIFY-B-001"]),
        "ceiling": st.sampled_from([level.value for level in Level]),
        "outcomes": st.sampled_from(["KKKG", "KKKG", "KKSG", "KK-G", "KKKR", "----"]),
        "lane": st.sampled_from(["cpu", "cuda"]),
        "runs": st.lists(RUNS, max_size=3),
    }
)
BOARDS = st.lists(ROWS, min_size=1, max_size=3, unique_by=lambda row: str(row["name"]))
PATTERNS = st.sampled_from(["*", "FALSIFY-A-*", "FALSIFY-B-001", "a-v1"])
REQUIREMENTS = st.builds(Requirement, PATTERNS, st.sampled_from([None, *Level]))
POLICIES = st.builds(
    Policy,
    st.just("merge"),
    st.lists(REQUIREMENTS, min_size=1, max_size=3).map(tuple),
    stale_allowed=st.booleans(),
    max_age_s=st.sampled_from([None, 2 * 86_400.0]),
    potency=st.sampled_from([0.5, 1.0]),
    lanes=st.sampled_from([(), ("cpu",), ("cuda",), ("cpu", "cuda")]),
    signers=st.sampled_from([(), ("ci",)]),
    blocked_left_out=st.booleans(),
    environment=st.sampled_from([{}, {"python": "3.11"}]),
)
SIGNED = {"s": frozenset({"ci"})}


def board_of(build: Build, drawn: list[dict[str, Any]]) -> list[Row]:
    rows = []
    for facts in drawn:
        runs = [build.run(**run) for run in facts["runs"]]
        rows.append(build.row(*runs, **{k: v for k, v in facts.items() if k != "runs"}))
    return rows


def failing(decision: GateDecision) -> set[str]:
    return {result.row.falsifier.id for result in decision.of(Outcome.FAILED)}


STRICTER: list[dict[str, Any]] = [
    {"stale_allowed": False},
    {"max_age_s": 86_400.0},
    {"potency": 1.0},
    {"signers": ("ci",)},
    {"blocked_left_out": False},
    {"environment": {"python": "3.11", "devices": "cpu"}},
]


@settings(max_examples=40)
@given(drawn=BOARDS, asked=POLICIES, change=st.sampled_from(STRICTER))
def test_loosening_a_field_never_denies_more(
    build: Build, drawn: list[dict[str, Any]], asked: Policy, change: dict[str, Any]
) -> None:
    rows = board_of(build, drawn)
    loose = decide(rows, asked, signers=SIGNED)
    strict = decide(rows, replace(asked, **change), signers=SIGNED)
    assert failing(loose) <= failing(strict)


def counted_on(row: Row) -> tuple[list[RunRecord], list[PatchRecord]]:
    """The records at the fingerprint that a gate can count: the present one, else the last."""
    fresh = [run.record for run in row.runs if not run.changes]
    if fresh:
        return fresh, [p.record for p in row.patches if not p.changes]
    last = max((run.record for run in row.runs), key=lambda run: run.finished_s).manifest
    return (
        [run.record for run in row.runs if run.record.manifest == last],
        [patch.record for patch in row.patches],
    )


def test_no_gate_passes_what_a_record_it_counts_speaks_against(build: Build) -> None:
    passed: list[bool] = []

    @settings(max_examples=200, derandomize=True)
    @given(
        runs=st.lists(RUNS, min_size=1, max_size=3),
        value=st.sampled_from([0, 0, 0, 1]),
        is_stale=st.booleans(),
        outcomes=st.sampled_from(["KKKG", "KKKG", "KKSG", "KKKR"]),
        asked=POLICIES,
    )
    def check(**drawn: Any) -> None:
        stale = {"stale": drawn["is_stale"]}
        runs = [build.run(**{**facts, **stale}) for facts in drawn["runs"]]
        runs.append(build.run(value=drawn["value"], age_s=1.0, **stale))
        row = build.row(*runs, outcomes=drawn["outcomes"], **stale)
        lenient = {"require": (Requirement("*", Level.PARTIAL),), "environment": {}}
        asked = replace(drawn["asked"], stale_allowed=True, lanes=(), **lenient)
        decision = decide([row], asked, signers=SIGNED)
        for result in decision.of(Outcome.PASSED):
            passed.append(drawn["is_stale"])
            found, planted = counted_on(result.row)
            verdicts = {judged_again(row.falsifier, run).verdict for run in found}
            assert Verdict.FAILED not in verdicts
            assert all(p.outcome.counts for p in planted) or drawn["asked"].potency < 1

    check()
    assert min(passed.count(True), passed.count(False)) >= 10, "too few pass to show anything"


@settings(max_examples=40)
@given(drawn=BOARDS, asked=POLICIES, lane=st.sampled_from(["cpu", "cuda"]))
def test_a_lane_more_never_opens_the_gate(
    build: Build, drawn: list[dict[str, Any]], asked: Policy, lane: str
) -> None:
    rows = board_of(build, drawn)
    more = replace(asked, lanes=tuple(sorted({*asked.lanes, lane})))
    assert failing(decide(rows, asked, signers=SIGNED)) <= failing(
        decide(rows, more, signers=SIGNED)
    )


@settings(max_examples=40)
@given(drawn=BOARDS, asked=POLICIES, more=REQUIREMENTS)
def test_a_requirement_more_never_turns_a_failing_gate_into_a_passing_one(
    build: Build, drawn: list[dict[str, Any]], asked: Policy, more: Requirement
) -> None:
    rows = board_of(build, drawn)
    before = decide(rows, asked, signers=SIGNED)
    after = decide(rows, replace(asked, require=(*asked.require, more)), signers=SIGNED)
    assert failing(before) <= failing(after)
    if before.exit_code not in {ExitCode.SATISFIED, ExitCode.CANNOT_JUDGE}:
        assert after.exit_code is not ExitCode.SATISFIED


@settings(max_examples=40)
@given(drawn=BOARDS, asked=POLICIES, name=st.sampled_from(["FALSIFY-A-001", "FALSIFY-Z-001"]))
def test_a_waiver_affects_its_falsifier_alone(
    build: Build, drawn: list[dict[str, Any]], asked: Policy, name: str
) -> None:
    rows = board_of(build, drawn)
    plain = decide(rows, asked, signers=SIGNED)
    waived = decide(rows, asked, signers=SIGNED, waivers=[waiver(name)])
    for before, after in zip(plain.results, waived.results, strict=True):
        if before.row.falsifier.id == name and after.outcome is Outcome.WAIVED:
            assert (before.outcome, before.failures) == (Outcome.FAILED, after.failures)
        else:
            assert before == after


@settings(max_examples=40)
@given(drawn=BOARDS, asked=POLICIES)
def test_every_falsifier_that_stands_in_the_way_says_why_and_a_passing_one_nothing(
    build: Build, drawn: list[dict[str, Any]], asked: Policy
) -> None:
    decision = decide(board_of(build, drawn), asked, signers=SIGNED)
    for result in decision.results:
        assert bool(result.failures) is (result.outcome is Outcome.FAILED)
        assert all(f.code is not ExitCode.SATISFIED and f.cure for f in result.failures)
    satisfied = decision.exit_code is ExitCode.SATISFIED
    assert satisfied is (bool(decision.judged) and not failing(decision))


@settings(max_examples=40)
@given(drawn=BOARDS, asked=POLICIES, order=st.randoms(use_true_random=False))
def test_the_order_of_records_makes_no_difference(
    build: Build, drawn: list[dict[str, Any]], asked: Policy, order: Any
) -> None:
    rows = board_of(build, drawn)
    shuffled = []
    for row in rows:
        runs, patches = list(row.runs), list(row.patches)
        order.shuffle(runs)
        order.shuffle(patches)
        shuffled.append(replace(row, runs=tuple(runs), patches=tuple(patches)))
    before, after = (decide(r, asked, signers=SIGNED) for r in (rows, shuffled))
    assert before.exit_code is after.exit_code
    assert [r.outcome for r in before.results] == [r.outcome for r in after.results]


# Waivers on the board.


def test_a_waived_row_shows_until_when_and_keeps_its_own_status(build: Build) -> None:
    board = Scoreboard((row_of(build, "F"), build.row(name="FALSIFY-A-002")))
    shown = apply_waivers(board, [waiver("FALSIFY-A-002", expires=date(2027, 1, 15))], TODAY)
    assert [str(row.status) for row in shown.rows] == [
        "INTEGRATION/INTEGRATION",
        "WAIVED(until 2027-01-15)",
    ]
    assert shown.rows[1].status.why == "WAIVE-1, who: NOT_RUN: never measured"
    assert shown.tally == {"INTEGRATION": 1, "WAIVED": 1}
    assert (len(shown.judged), len(shown.counted)) == (1, 2)
    assert (board.exit_code, shown.exit_code) == (ExitCode.UNKNOWN, ExitCode.SATISFIED)


def test_the_board_waives_no_broken_check_nothing_at_its_ceiling_and_nothing_alone(
    build: Build,
) -> None:
    for letter in "EF":
        board = Scoreboard((row_of(build, letter),))
        assert apply_waivers(board, [waiver()], TODAY) == board
    limited = Scoreboard((row_of(build, "P"),))
    assert apply_waivers(limited, [waiver(policies=("merge",))], TODAY) == limited
    alone = apply_waivers(limited, [waiver()], TODAY)
    assert alone.exit_code is ExitCode.CANNOT_JUDGE


@settings(max_examples=40)
@given(drawn=BOARDS, days=st.integers(-3, 3), name=st.sampled_from(["FALSIFY-A-001", "Z"]))
def test_waivers_on_the_board_touch_their_own_row_in_their_own_time(
    build: Build, drawn: list[dict[str, Any]], days: int, name: str
) -> None:
    board = Scoreboard(tuple(board_of(build, drawn)))
    shown = apply_waivers(board, [waiver(name)], TODAY + timedelta(days=days))
    for before, after in zip(board.rows, shown.rows, strict=True):
        if before != after:
            assert before.falsifier.id == name
            assert abs(days) <= 1


@pytest.mark.parametrize(
    ("letters", "code"),
    [("FB", 0), ("P", 0), ("B", 2), ("", 2), ("0", 2), ("FN", 3), ("FVs", 1)],
)
def test_the_board_never_passes_with_nothing_judged(
    build: Build, letters: str, code: int
) -> None:
    rows = tuple(row_of(build, letter) for letter in letters)
    assert Scoreboard(rows).exit_code == code


def test_the_board_counts_only_what_is_counted(build: Build) -> None:
    board = Scoreboard(tuple(row_of(build, letter) for letter in "FPB0"))
    assert (len(board.counted), len(board.judged), len(board.at_ceiling)) == (3, 2, 1)
    assert board.tally == {"INTEGRATION": 1, "PARTIAL": 1, "BLOCKED": 1}
