from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings, strategies as st
from tests.harness.validating.foreign.dialects import (
    BOOK,
    CASES,
    DIALECTS,
    FILES,
    KERNEL,
    STUB,
    TRAINER,
    at,
    data_of,
    places,
    record_of,
)

from pv_harness.validating.foreign.reading import is_contract, read_foreign
from pv_harness.validating.foreign.record import Target, Unread
from pv_harness.validating.foreign.scanning import ids_in
from pv_harness.validating.foreign.tables import SHAPES


def left(text: str) -> list[tuple[str, tuple[str, ...], int]]:
    return [(item.family, item.keys, item.count) for item in record_of(text).left]


# dialects


def test_a_kernel_contract_is_understood_but_for_its_dispatch_table() -> None:
    contract = record_of(KERNEL, "halving-kernel-v1")
    assert (contract.stem, contract.id, contract.kind) == ("halving-kernel-v1", None, "kernel")
    assert contract.version == "1.0.0"
    assert contract.references == ("A paper about halves",)
    (equation,) = contract.equations
    assert (equation.name, equation.formula) == ("halve", "y_i = x_i / 2")
    assert [i.text for i in equation.invariants] == [
        "y_i * 2 = x_i (round trip)",
        "sign(y_i) = sign(x_i)",
    ]
    first, _ = contract.falsifiers
    assert (first.id, first.rule) == ("FALSIFY-HV-001", "Round trip")
    assert first.prediction == "|2y - x| < 1e-6 for random x"
    assert (first.if_fails, first.mutations) == ("the shift is off by one", ("halve twice",))
    (obligation,) = contract.obligations
    assert (obligation.id, obligation.kind, obligation.proof) == (
        "HV-INV-001", "invariant", "proved",
    )  # fmt: skip
    assert obligation.tolerance == "1e-06"
    assert (contract.harnesses, contract.mutations) == (2, ("shift by two",))
    assert [(item.why, item.keys) for item in contract.left] == [
        (Unread.KEY, ("simd_dispatch",))
    ]


def test_names_of_things_declared_elsewhere_are_links() -> None:
    found = {(link.target, link.name) for link in record_of(KERNEL).links}
    assert found == {
        (Target.CONTRACT, "doubling-kernel-v1"),
        (Target.OBLIGATION, "HV-PRE-001"),
        (Target.OBLIGATION, "HV-INV-001"),
        (Target.OBLIGATION, "HV-INV-009"),
        (Target.FALSIFIER, "FALSIFY-HV-001"),
        (Target.FALSIFIER, "FALSIFY-HV-009"),
    }


def test_an_invariant_that_says_how_to_refute_it_is_a_falsifier_and_so_is_a_gate() -> None:
    contract = record_of(TRAINER)
    assert (contract.id, contract.kind) == ("C-HALVES", "training-loop")
    assert [version for version, _ in contract.versions] == ["1.2.0", "1.1.0"]
    assert contract.changelog == (
        "1.1.0: halves",
        "version: 1.0.0, date: 2027-01-02, change: first",
    )
    assert [(f.key, f.id) for f in contract.falsifiers] == [
        ("falsification", "FALSIFY-HALF-003"),
        ("invariants", "INV-HALF-001"),
        ("gates", "GATE-HALF-001"),
    ]
    assert [(i.id, i.refuted) for i in contract.invariants] == [
        ("INV-HALF-001", True),
        ("INV-HALF-002", False),
    ]
    assert [gate.id for gate in contract.gates] == ["GATE-HALF-001", "GATE-HALF-002"]
    assert [(c.family, c.word, c.about) for c in contract.statuses] == [
        ("status", "ACTIVE", None),
        ("falsification[].status", "DISCHARGED", ("FALSIFY-HALF-003",)),
        ("gates[].verdict", "pass", ("GATE-HALF-001", "FALSIFY-SHIP-077")),
    ]
    assert contract.left == ()


def test_a_condition_is_what_would_be_seen() -> None:
    contract = record_of(BOOK)
    assert (contract.id, contract.version) == ("halves-book", "1")
    first, second = contract.falsifiers
    assert (first.rule, first.refuted_if) == (None, "the example exits non-zero")
    assert first.if_fails == "reject_chapter"
    assert second.refuted_if == "a bare sentence that would be seen"
    assert contract.left == ()


def test_every_form_of_an_entry_says_rule_prediction_and_test_somewhere() -> None:
    contract = record_of(CASES)
    said = [(f.key, f.id, f.rule, f.prediction, f.test) for f in contract.falsifiers]
    assert said == [
        ("falsifications", None, "A", "exit 0", "h.sh"),
        ("falsification_test", "first", "INV-9", "2", "lib.rs"),
        ("falsification_tests_v1_1", None, "B", "nothing else is", None),
        ("falsification_tests_v1_1", None, "C is 3", None, "test_c"),
    ]
    (equation,) = contract.equations
    assert (equation.name, equation.formula) == ("EQ-1", "a = b")
    assert contract.left == ()


def test_a_stub_has_no_falsifier_and_empty_values_say_nothing() -> None:
    contract = record_of(STUB)
    assert (contract.falsifiers, contract.kind) == ((), "model-family")
    assert [link.name for link in contract.links] == ["other-v1.yaml"]
    assert contract.left == ()


@pytest.mark.parametrize("number", ["1", "1_2", "2_0_1"])
def test_falsifiers_of_any_version_are_falsifiers(number: str) -> None:
    contract = record_of(f"falsification_tests_v{number}: [{{id: X-001, rule: r}}]")
    assert [f.id for f in contract.falsifiers] == ["X-001"]
    assert contract.left == ()


def test_a_name_that_is_also_a_key_is_a_name() -> None:
    contract = record_of("equations: {domain: {formula: a}, other: {formula: b}}")
    assert [(e.name, e.formula) for e in contract.equations] == [
        ("domain", "a"),
        ("other", "b"),
    ]
    contract = record_of("falsification_test: {id: X-001, rule: r}")
    assert [(f.id, f.rule) for f in contract.falsifiers] == [("X-001", "r")]


# what is not understood


def test_one_key_in_many_places_of_a_family_is_left_once() -> None:
    entries = "".join(f"- {{id: X-{n:03}, colour: red}}\n" for n in range(500))
    assert left(f"falsification_tests:\n{entries}") == [
        ("falsification_tests[]", ("colour",), 500)
    ]


def test_very_many_keys_of_one_place_are_left_together() -> None:
    text = "metadata:\n" + "".join(f"  key{n}: 1\n" for n in range(5000))
    ((family, keys, count),) = left(text)
    assert (family, len(keys), count) == ("metadata", 5000, 5000)


@pytest.mark.parametrize(
    ("text", "family", "expected"),
    [
        ("metadata: 3", "metadata", "a mapping"),
        ("equations: 3", "equations", "a mapping or a text"),
        ("falsification_tests: [3]", "falsification_tests[]", "a mapping or a text"),
        ("falsification_tests: [{rule: [a]}]", "falsification_tests[].rule", "text"),
        ("metadata: {references: [{a: [b]}]}", "metadata.references[]", "text"),
        ("metadata: {depends_on: [{a: b}]}", "metadata.depends_on", "a name"),
        ("gates: [5]", "gates[]", "a mapping or a text"),
        ("gates: [five]", "gates[]", "a mapping"),
        ("proof_obligations: [{lean: 4}]", "proof_obligations[].lean", "a mapping"),
        ("metadata: {status: [a]}", "metadata.status", "one word"),
        ("verification_summary: [1]", "verification_summary", "a mapping of counts"),
        (
            "verification_summary: {total_obligations: many}",
            "verification_summary.total_obligations",
            "a whole number",
        ),
        (
            "verification_summary: {lean_proved_obligations: 3}",
            "verification_summary.lean_proved_obligations",
            "a list",
        ),
        ("contract: {a: b}", "contract", "text"),
    ],
)
def test_a_value_of_another_type_is_left(text: str, family: str, expected: str) -> None:
    (item,) = (item for item in record_of(text).left if item.why is Unread.VALUE)
    assert item.family.removesuffix("[]") == family.removesuffix("[]")
    assert item.expected == expected


@given(data=st.data())
def test_a_key_that_no_dialect_has_is_reported_wherever_it_stands(data: st.DataObject) -> None:
    value = data_of(data.draw(st.sampled_from(list(DIALECTS.values()))))
    ways = [way for way in places(value) if isinstance(at(value, way), dict)]
    way = data.draw(st.sampled_from(ways))
    at(value, way)["zz-unheard-of"] = data.draw(st.sampled_from(["a", 1, [1], {"b": 2}]))
    contract = read_foreign(value, "x")
    # A mapping of names, and one that is carried along whole, have no unknown keys.
    inside_names = way in {("equations",), ("falsification_test",), ("enforcement",)}
    prose = any(key in _CARRIED for key in way if isinstance(key, str))
    reported = any("zz-unheard-of" in item.keys for item in contract.left)
    unknown_above = any(item.way == way[: len(item.way)] for item in contract.left)
    without = copy.deepcopy(value)
    del at(without, way)["zz-unheard-of"]
    named = inside_names and contract != read_foreign(without, "x")
    assert reported or unknown_above or prose or named


_CARRIED = {"references", "changelog", "checks", "preconditions"}


@given(data=st.data())
def test_no_value_can_change_unseen(data: st.DataObject) -> None:
    """Whatever a file says is in the record or reported: another text is another record."""
    value = data_of(data.draw(st.sampled_from(list(DIALECTS.values()))))
    ways = [way for way in places(value) if isinstance(at(value, way), str)]
    way = data.draw(st.sampled_from(ways))
    other = copy.deepcopy(value)
    at(other, way[:-1])[way[-1]] = "something else"
    before, after = read_foreign(value, "x"), read_foreign(other, "x")
    stripped = [
        {name: getattr(c, name) for name in c.__slots__ if name != "value"}
        for c in (before, after)
    ]
    kept = any(key in _KEPT for key in way)
    assert stripped[0] != stripped[1] or before.left or kept
    assert before != after


_SHADOWED = {"kind", "name", "summary", "description", "condition"}
_KEPT = {key for shape in SHAPES for key in shape.kept} | _SHADOWED
"""Keys that are carried along as they are, in `ForeignContract.value`: prose, and a second key
for what another key has said."""


@settings(max_examples=300)
@given(FILES)
def test_any_data_at_all_is_read(value: dict[str, object]) -> None:
    contract = read_foreign(value, "x")
    assert contract.value == value or value != value  # noqa: PLR0124 - a NaN is inside
    ways = [item.way for item in contract.left]
    ways += [item.way for item in contract.links]
    ways += [item.way for item in contract.statuses]
    ways += [item.way for item in contract.names]
    for way in ways:
        at(value, way)
    for unknown in contract.left:
        assert unknown.count >= 1


# small parts


def test_what_enforces_all_is_a_text_too() -> None:
    contract = record_of("enforcement: cargo test FALSIFY-X-001")
    assert [link.name for link in contract.links] == ["FALSIFY-X-001"]
    contract = record_of("enforcement: {a: run FALSIFY-X-002}")
    assert [link.name for link in contract.links] == ["FALSIFY-X-002"]


def test_an_invariant_of_an_equation_can_have_an_id() -> None:
    contract = record_of("equations: {e: {invariants: [{id: I-001, description: d}, 3]}}")
    assert [(i.id, i.text) for i in contract.all_invariants] == [("I-001", "d")]
    (item,) = contract.left
    assert (item.family, item.value) == ("equations.*.invariants[]", 3)


def test_a_file_of_something_else_is_no_contract() -> None:
    assert not is_contract({"name": "build", "jobs": {}})
    assert not is_contract({})
    assert is_contract({"falsification_tests_v9": []})
    for text in DIALECTS.values():
        assert is_contract(data_of(text))


def test_ids_are_found_in_a_text_and_other_capitals_are_not() -> None:
    text = "run FALSIFY-AP-001, INV-X-002B and F_D_003; UTF-8 and BLOCKED-1 are no IDs"
    assert ids_in(text) == ("FALSIFY-AP-001", "INV-X-002B", "F_D_003")


def test_a_long_text_of_hyphens_takes_no_time_of_its_own() -> None:
    assert ids_in("A-" * 200_000) == ()
