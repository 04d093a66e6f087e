"""Every way in which a claim can ask for less is called so, whatever the claim is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, strategies as st

from pv_harness.board.json_document import scoreboard_document
from pv_harness.board.scoreboard import Row, Scoreboard
from pv_harness.comparing.bounds import compare_accepted
from pv_harness.comparing.change import Effect, Part
from pv_harness.comparing.comparison import compare_documents
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
    SeedRule,
    Seeds,
)
from pv_harness.deriving.derivation import derive_status


if TYPE_CHECKING:
    from collections.abc import Iterator

    from pv_harness.comparing.change import Change
    from pv_harness.comparing.comparison import Comparison

UPPER, LOWER = (Comparator.LE, Comparator.LT), (Comparator.GE, Comparator.GT)
WORDS = st.text("abcxyz", min_size=1, max_size=4)
NUMBERS = st.integers(-100, 100) | st.floats(-100, 100)
THRESHOLDS = NUMBERS | st.booleans() | WORDS


def bounds(metrics: st.SearchStrategy[str] = WORDS) -> st.SearchStrategy[Bound]:
    exact = st.builds(
        Bound, metrics, st.sampled_from([Comparator.EQ, Comparator.NE]), THRESHOLDS
    )
    return exact | st.builds(Bound, metrics, st.sampled_from([*UPPER, *LOWER]), NUMBERS)


def names(count: int = 3) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(WORDS, max_size=count, unique=True).map(tuple)


def patches(kind: str) -> st.SearchStrategy[tuple[Patch, ...]]:
    def make(found: list[str]) -> tuple[Patch, ...]:
        return tuple(
            Patch(f"{kind}-{name}", PurePosixPath("m.py"), name, f"{name}!") for name in found
        )

    return st.lists(WORDS, max_size=3, unique=True).map(make)


@st.composite
def level_rules(draw: st.DrawFn) -> tuple[LevelRule, ...]:
    levels = [Level.PARTIAL, *(level for level in list(Level)[1:] if draw(st.booleans()))]
    return tuple(
        LevelRule(
            level,
            reached=draw(names(2)),
            device=draw(st.sampled_from([None, "cpu", "cuda"])),
            inputs=draw(names(2)),
            measurements=tuple(draw(st.lists(bounds(), max_size=2))),
        )
        for level in levels
    )


@st.composite
def falsifiers(draw: st.DrawFn) -> Falsifier:
    listed = draw(st.lists(bounds(), min_size=1, max_size=3, unique_by=lambda b: b.metric))
    rule = draw(st.sampled_from(SeedRule))
    confidence = draw(st.floats(0.5, 0.99)) if rule is SeedRule.T_TEST else None
    values = tuple(draw(st.lists(st.integers(0, 9), min_size=2, unique=True)))
    return Falsifier(
        id="FALSIFY-X-001",
        rule=draw(WORDS),
        prediction=draw(WORDS),
        if_fails=draw(WORDS),
        covers=draw(names()),
        bounds=tuple(listed),
        levels=draw(level_rules()),
        defects=tuple(Defect(p, listed[0].metric) for p in draw(patches("d"))),
        controls=tuple(map(Control, draw(patches("c")))),
        requires=draw(st.sampled_from([None, "cuda"])),
        inputs=draw(names()),
        counted=draw(st.booleans()),
        seeds=draw(st.sampled_from([None, Seeds(values, rule, confidence)])),
    )


def document(*claims: Falsifier, version: str = "1.0.0", title: str = "t") -> dict[str, Any]:
    contract = Contract("x-v1", version, title, PurePosixPath("contracts/x-v1.yaml"), claims)
    rows = [Row(contract, f, derive_status(f, bound=True, runs=[], patches=[])) for f in claims]
    return scoreboard_document(Scoreboard(tuple(rows)), now_s=0.0)


def compare_claim(old: Falsifier, new: Falsifier) -> Comparison:
    return compare_documents(document(old), document(new))


def effects(found: Comparison, part: Part) -> set[Effect]:
    return {change.effect for change in found.changes if change.difference.part is part}


def put(claim: Falsifier, **parts: Any) -> Falsifier:
    return replace(claim, **parts)


@given(falsifiers())
def test_a_claim_does_not_differ_from_itself(claim: Falsifier) -> None:
    assert compare_claim(claim, claim).is_empty


@given(falsifiers(), falsifiers())
def test_changing_sides_mirrors_every_difference(old: Falsifier, new: Falsifier) -> None:
    there, back = compare_claim(old, new), compare_claim(new, old)

    def key(change: Change) -> tuple[str, str, str]:
        return (str(change.difference), change.effect.value, change.subject)

    mirrored = sorted((change.mirrored for change in there.changes), key=key)
    assert mirrored == sorted(back.changes, key=key)
    assert {key(c.mirrored) for c in there.loosened} == {key(c) for c in back.tightened}


PARTS = ("rule", "covers", "bounds", "levels", "defects", "controls", "inputs", "seeds")


@given(falsifiers(), falsifiers(), st.sampled_from(PARTS))
def test_no_change_of_a_claim_goes_unnoticed(
    old: Falsifier, other: Falsifier, part: str
) -> None:
    new = put(old, **{part: getattr(other, part)})
    same = old.claim_digest == new.claim_digest and old.plants == new.plants
    assert compare_claim(old, new).is_empty == same


def without(items: tuple[Any, ...], index: int) -> tuple[Any, ...]:
    return items[:index] + items[index + 1 :]


def looser(bound: Bound, by: float) -> Bound:
    """A bound that accepts everything that this one accepts, and more."""
    threshold: Any = bound.threshold
    if bound.comparator in UPPER:
        return replace(bound, threshold=threshold + by)
    if bound.comparator in LOWER:
        return replace(bound, threshold=threshold - by)
    if isinstance(threshold, bool | str):
        return replace(bound, threshold=f"another than {threshold}")
    return replace(bound, comparator=Comparator.LE)


def weaker_bounds(claim: Falsifier, by: float) -> Iterator[tuple[Part, Falsifier]]:
    for index, bound in enumerate(claim.bounds):
        yield Part.BOUND, put(claim, bounds=without(claim.bounds, index))
        if bound.comparator is not Comparator.NE:
            wider = (*claim.bounds[:index], looser(bound, by), *claim.bounds[index + 1 :])
            yield Part.BOUND, put(claim, bounds=wider)


def weaker_levels(claim: Falsifier) -> Iterator[tuple[Part, Falsifier]]:
    if len(claim.levels) > 1:
        yield Part.CEILING, put(claim, levels=claim.levels[:-1])
    for index, rule in enumerate(claim.levels):
        below = claim.levels[:index]
        for name in ("reached", "inputs"):
            for item, asked in enumerate(getattr(rule, name)):
                parts: dict[str, Any] = {name: without(getattr(rule, name), item)}
                levels = (*below, replace(rule, **parts), *claim.levels[index + 1 :])
                # What a level below asks for as well is still asked for.
                if not any(asked in getattr(r, name) for r in below):
                    yield Part.LEVEL, put(claim, levels=levels)


def shorter_lists(claim: Falsifier) -> Iterator[tuple[Part, Falsifier]]:
    for name, part in (
        ("covers", Part.COVERS),
        ("inputs", Part.INPUTS),
        ("defects", Part.DEFECT),
        ("controls", Part.CONTROL),
    ):
        for item in range(len(getattr(claim, name))):
            yield part, put(claim, **{name: without(getattr(claim, name), item)})


def weaker_conditions(claim: Falsifier) -> Iterator[tuple[Part, Falsifier]]:
    if claim.counted:
        yield Part.COUNTED, put(claim, counted=False)
    if claim.requires is None:
        yield Part.REQUIRES, put(claim, requires="cuda")
    for item, defect in enumerate(claim.defects):
        easier = replace(defect, accept=("KILLED_BY_CRASH",))
        plants = (*claim.defects[:item], easier, *claim.defects[item + 1 :])
        yield Part.DEFECT, put(claim, defects=plants)
    if claim.seeds is not None:
        yield Part.SEEDS, put(claim, seeds=None)
        fewer = replace(claim.seeds, values=claim.seeds.values[1:])
        yield Part.SEEDS, put(claim, seeds=fewer)
        if claim.seeds.confidence is not None:
            unsure = replace(claim.seeds, confidence=claim.seeds.confidence - 0.01)
            yield Part.SEEDS, put(claim, seeds=unsure)


@given(falsifiers(), st.floats(0.5, 50), st.data())
def test_every_weakening_of_one_part_is_called_so(
    claim: Falsifier, by: float, data: st.DataObject
) -> None:
    weakened = [
        *weaker_bounds(claim, by),
        *weaker_levels(claim),
        *shorter_lists(claim),
        *weaker_conditions(claim),
    ]
    part, weaker = data.draw(st.sampled_from(weakened))
    found = compare_claim(claim, weaker)
    assert effects(found, part) & {Effect.LOOSENED, Effect.MOVED}, found.changes
    assert found.loosened
    assert found.versions_too_low


BASE = Falsifier(
    id="FALSIFY-X-001",
    rule="it adds",
    prediction="the sum is 5",
    if_fails="sums are wrong",
    covers=("m",),
    bounds=(Bound("sum", Comparator.EQ, 5), Bound("time", Comparator.LE, 2.0, "s")),
    levels=(LevelRule(Level.PARTIAL), LevelRule(Level.INTEGRATION, reached=("m:main",))),
    defects=(Defect(Patch("d1", PurePosixPath("m.py"), "a", "b"), "sum"),),
    controls=(Control(Patch("c1", PurePosixPath("m.py"), "a", "c")),),
)


def changed(**parts: object) -> tuple[tuple[str, str], ...]:
    found = compare_claim(BASE, replace(BASE, **parts))  # type: ignore[arg-type]
    return tuple((change.effect.value, str(change.difference)) for change in found.changes)


def bound_of(text: str) -> Bound:
    metric, comparator, threshold, *unit = text.split()
    value = {"true": True}.get(threshold) or (
        float(threshold) if "." in threshold else int(threshold)
    )
    return Bound(metric, Comparator(comparator), value, *unit)


@pytest.mark.parametrize(
    ("new", "effect", "text"),
    [
        ("time le 2.5 s", "loosened", "bound time: ≤ 2.0 s → ≤ 2.5 s"),
        ("time lt 2.0 s", "tightened", "bound time: ≤ 2.0 s → < 2.0 s"),
        ("time le 2 s", "changed", "bound time: ≤ 2.0 s → ≤ 2 s"),
        ("time eq 2.0 s", "tightened", "bound time: ≤ 2.0 s → = 2.0 s"),
        ("time eq 3.0 s", "moved", "bound time: ≤ 2.0 s → = 3.0 s"),
        ("time ge 2.0 s", "moved", "bound time: ≤ 2.0 s → ≥ 2.0 s"),
        ("time le 2.0 ms", "moved", "bound time: ≤ 2.0 s → ≤ 2.0 ms"),
        ("time eq true s", "moved", "bound time: ≤ 2.0 s → = true s"),
    ],
)
def test_a_moved_bound_is_judged_by_the_values_that_pass(
    new: str, effect: str, text: str
) -> None:
    assert changed(bounds=(BASE.bounds[0], bound_of(new))) == ((effect, text),)


def test_an_equality_that_becomes_an_inequality_is_loosened() -> None:
    for comparator in (Comparator.LE, Comparator.GE):
        new = (replace(BASE.bounds[0], comparator=comparator), BASE.bounds[1])
        assert [effect for effect, _ in changed(bounds=new)] == ["loosened"]


def test_true_and_one_are_two_things() -> None:
    old = replace(BASE, bounds=(Bound("sum", Comparator.EQ, threshold=True),))
    new = replace(BASE, bounds=(Bound("sum", Comparator.EQ, 1),))
    assert effects(compare_claim(old, new), Part.BOUND) == {Effect.MOVED}


def test_true_and_one_are_two_things_at_a_level_too() -> None:
    def at_level(threshold: bool | int) -> Falsifier:  # noqa: FBT001
        asked = (Bound("sum", Comparator.EQ, threshold),)
        return replace(BASE, levels=(LevelRule(Level.PARTIAL, measurements=asked),))

    found = compare_claim(at_level(threshold=True), at_level(threshold=1))
    assert effects(found, Part.LEVEL) == {Effect.MOVED}


LARGE = 10**400


@pytest.mark.parametrize(
    ("old", "new", "effect"),
    [
        # Nothing but a value between two thresholds tells these apart.
        ((("gt", 0.2), ("lt", 0.4)), (("gt", 0.4), ("lt", 0.2)), Effect.TIGHTENED),
        ((("gt", LARGE), ("lt", LARGE + 2)), (("gt", LARGE), ("lt", LARGE)), Effect.TIGHTENED),
        ((("gt", 0), ("lt", 1)), (("gt", 0.5), ("lt", 0.5)), Effect.TIGHTENED),
        ((("lt", float("inf")),), (("le", float("inf")),), Effect.CHANGED),
        # Nothing but a text that is no threshold, or the other truth value, does here.
        ((("ne", "a"),), (("eq", "b"),), Effect.TIGHTENED),
        ((("ne", True),), (("eq", False),), Effect.CHANGED),
        ((("ne", True),), (("ne", False),), Effect.MOVED),
        ((("le", float("nan")),), (("lt", float("nan")),), Effect.CHANGED),
        ((("ge", 1), ("le", 1)), (("eq", 1.0),), Effect.CHANGED),
        ((("ne", 1),), (("lt", 1),), Effect.TIGHTENED),
    ],
)
def test_every_set_of_values_is_told_from_every_other(
    old: tuple[tuple[str, Any], ...], new: tuple[tuple[str, Any], ...], effect: Effect
) -> None:
    def listed(pairs: tuple[tuple[str, Any], ...]) -> list[Bound]:
        return [Bound("m", Comparator(name), value) for name, value in pairs]

    assert compare_accepted(listed(old), listed(new)) is effect
    assert compare_accepted(listed(new), listed(old)) is effect.mirrored


def test_several_comparators_on_one_metric_are_judged_together() -> None:
    both = (Bound("a", Comparator.GE, 1), Bound("a", Comparator.LE, 5))
    old = replace(BASE, bounds=both)
    found = compare_claim(old, replace(BASE, bounds=both[:1]))
    assert [str(change.difference) for change in found.loosened] == [
        "bound a: ≥ 1 and ≤ 5 → ≥ 1"
    ]


def test_a_removed_bound_is_loosened_and_a_renamed_one_is_both() -> None:
    assert changed(bounds=BASE.bounds[:1]) == (("loosened", "bound time removed: ≤ 2.0 s"),)
    renamed = changed(bounds=(BASE.bounds[0], replace(BASE.bounds[1], metric="wait")))
    assert [effect for effect, _ in renamed] == ["loosened", "tightened"]


def test_what_a_level_asks_for_is_told_at_the_lowest_level_and_once() -> None:
    asked = (Bound("steps", Comparator.GE, 500),)
    old = replace(
        BASE,
        levels=(
            LevelRule(Level.PARTIAL),
            LevelRule(Level.INTEGRATION, reached=("m:main",), measurements=asked),
            LevelRule(Level.DISCHARGED, inputs=("pair",)),
        ),
    )
    new = replace(
        old,
        levels=(
            old.levels[0],
            LevelRule(Level.INTEGRATION, measurements=(replace(asked[0], threshold=5),)),
            old.levels[2],
        ),
    )
    found = [str(change.difference) for change in compare_claim(old, new).changes]
    assert found == [
        "level INTEGRATION removed: reached m:main",
        "level INTEGRATION: steps ≥ 500 → steps ≥ 5",
    ]


def test_a_condition_that_moves_to_a_higher_level_is_loosened_below() -> None:
    levels = (*BASE.levels, LevelRule(Level.DISCHARGED, inputs=("pair",)))
    lifted = (
        levels[0],
        LevelRule(Level.INTEGRATION),
        LevelRule(Level.DISCHARGED, reached=("m:main",), inputs=("pair",)),
    )
    found = compare_claim(replace(BASE, levels=levels), replace(BASE, levels=lifted))
    assert [(c.effect, c.difference.name) for c in found.changes] == [
        (Effect.LOOSENED, "INTEGRATION")
    ]


def test_a_lower_ceiling_is_loosened() -> None:
    assert changed(levels=BASE.levels[:1]) == (("loosened", "ceiling: INTEGRATION → PARTIAL"),)


def test_a_level_without_conditions_put_between_makes_it_cheaper() -> None:
    old = replace(BASE, levels=(BASE.levels[0], LevelRule(Level.DISCHARGED, reached=("m:x",))))
    between = (old.levels[0], LevelRule(Level.INTEGRATION), old.levels[1])
    found = compare_claim(old, replace(old, levels=between))
    assert [str(change.difference) for change in found.loosened] == [
        "level INTEGRATION removed: reached m:x"
    ]


def test_levels_that_ask_the_same_in_another_way_are_changed_only() -> None:
    old = replace(BASE, levels=(LevelRule(Level.PARTIAL, reached=("a:a", "b:b")),))
    new = replace(BASE, levels=(LevelRule(Level.PARTIAL, reached=("b:b", "a:a")),))
    assert effects(compare_claim(old, new), Part.LEVEL) == {Effect.CHANGED}


@pytest.mark.parametrize(
    ("parts", "found"),
    [
        ({"rule": "it sums"}, (("reworded", "rule: it adds → it sums"),)),
        ({"counted": False}, (("loosened", "counted: true → false"),)),
        ({"requires": "cuda"}, (("loosened", "requires added: cuda"),)),
        (
            {"covers": ("n",)},
            (("loosened", "covers removed: m"), ("tightened", "covers added: n")),
        ),
        ({"inputs": ("pair",)}, (("tightened", "inputs added: pair"),)),
        ({"defects": ()}, (("loosened", "planted defect d1 removed: breaks sum"),)),
        ({"controls": ()}, (("loosened", "control c1 removed: stays green"),)),
        ({"seeds": Seeds((0, 1))}, (("tightened", "seeds added: 0, 1, bound"),)),
        ({"timeout_s": 900.0}, ()),
    ],
)
def test_each_part_has_its_words(
    parts: dict[str, object], found: tuple[tuple[str, str], ...]
) -> None:
    assert changed(**parts) == found


def test_a_rule_over_means_is_another_claim_than_a_rule_over_values() -> None:
    old = replace(BASE, seeds=Seeds((0, 1, 2)))
    new = replace(BASE, seeds=Seeds((0, 1, 2), SeedRule.T_TEST, 0.95))
    assert effects(compare_claim(old, new), Part.SEEDS) == {Effect.MOVED}
    assert effects(compare_claim(BASE, new), Part.SEEDS) == {Effect.MOVED}


@pytest.mark.parametrize(
    ("values", "confidence", "effect"),
    [
        ((0, 1), 0.95, Effect.LOOSENED),
        ((0, 1, 2), 0.9, Effect.LOOSENED),
        ((0, 1, 2, 3), 0.95, Effect.TIGHTENED),
        ((0, 1, 2), 0.99, Effect.TIGHTENED),
        ((0, 1, 3), 0.95, Effect.MOVED),
        ((0, 1, 2, 3), 0.9, Effect.MOVED),
        ((2, 1, 0), 0.95, Effect.CHANGED),
    ],
)
def test_fewer_seeds_and_less_confidence_are_loosened(
    values: tuple[int, ...], confidence: float, effect: Effect
) -> None:
    old = replace(BASE, seeds=Seeds((0, 1, 2), SeedRule.T_TEST, 0.95))
    new = replace(BASE, seeds=Seeds(values, SeedRule.T_TEST, confidence))
    assert effects(compare_claim(old, new), Part.SEEDS) == {effect}
    assert effects(compare_claim(new, old), Part.SEEDS) == {effect.mirrored}


def test_what_a_defect_may_do_instead_is_compared_as_a_set() -> None:
    def accepting(*outcomes: str) -> Falsifier:
        return replace(BASE, defects=(replace(BASE.defects[0], accept=outcomes),))

    none, crash, hang = accepting(), accepting("KILLED_BY_CRASH"), accepting("TIMEOUT")
    assert effects(compare_claim(none, crash), Part.DEFECT) == {Effect.LOOSENED}
    assert effects(compare_claim(crash, none), Part.DEFECT) == {Effect.TIGHTENED}
    assert effects(compare_claim(crash, hang), Part.DEFECT) == {Effect.MOVED}


def test_modules_in_another_order_are_changed_only() -> None:
    old, new = replace(BASE, covers=("m", "n")), replace(BASE, covers=("n", "m"))
    assert effects(compare_claim(old, new), Part.COVERS) == {Effect.CHANGED}


def test_planted_defects_that_change_are_told_by_name() -> None:
    (defect,) = BASE.defects
    renamed = replace(defect, patch=replace(defect.patch, id="d2"))
    assert changed(defects=(renamed,)) == (("changed", "planted defect: d1 → d2"),)
    other = replace(defect, patch=replace(defect.patch, replace="z"))
    ((effect, text),) = changed(defects=(other,))
    assert effect == "changed"
    assert text.startswith("planted defect d1: patch ")
    aimed = replace(defect, expect="time")
    assert changed(defects=(aimed,)) == (
        ("changed", "planted defect d1: breaks sum → breaks time"),
    )
    easy = replace(defect, accept=("TIMEOUT",))
    assert changed(defects=(easy,)) == (
        ("loosened", "planted defect d1: killed by its bound → killed by its bound or TIMEOUT"),
    )


def test_an_id_that_is_given_to_another_claim_is_called_so() -> None:
    other = {
        "rule": "it subtracts",
        "prediction": "the difference is 1",
        "bounds": (Bound("difference", Comparator.EQ, 1),),
    }
    found = changed(**other)
    assert found[0] == ("moved", "the meaning of the ID: it adds → it subtracts")
