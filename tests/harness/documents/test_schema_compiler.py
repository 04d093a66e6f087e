from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from pv_harness.documents.contract_check import is_surely_valid
from pv_harness.documents.loading import load
from pv_harness.documents.schema_check import read_schema, schema_problems
from pv_harness.documents.schema_compiler import TARGET, compile_schema


EVERYTHING = """\
apiVersion: pv/v1
id: sums-v1
version: 1.0.0-rc.1
kind: contract
metadata:
  title: Sums
  description: d
  references: [r]
  depends_on: [other]
  changelog: [c]
equations:
  sum: {formula: f, domain: d, codomain: c, invariants: [i]}
falsifiers:
- id: SUM-001
  rule: r
  prediction: p
  if_fails: f
  covers: [subject.core]
  requires: cuda
  inputs: [corpus]
  counted: true
  timeout_s: 1.5
  seeds: {values: [0, 1], rule: t-test, confidence: 0.95}
  bounds: {wrong: {eq: 0, unit: u, note: n}, word: {ne: a}, share: {lt: 1, le: 1, gt: 0, ge: 0}}
  levels:
    PARTIAL: {}
    INTEGRATION: {reached: ["subject.core:main"], device: cpu, inputs: [corpus]}
    DISCHARGED: {measurements: {share: {ge: 0.5}}}
  defects:
  - {id: d-1, file: f, find: a, replace: b, expect: wrong, accept: [TIMEOUT], note: n}
  controls:
  - {id: c-1, file: f, find: a, replace: b, note: n}
"""


def everything() -> Any:
    return copy.deepcopy(_EVERYTHING.value)


_EVERYTHING = load(EVERYTHING.encode(), "x.yaml")


def test_the_module_is_what_the_schema_compiles_to() -> None:
    assert TARGET.read_text(encoding="utf-8") == compile_schema(read_schema()), (
        "run python -m pv_harness.documents.schema_compiler"
    )


def test_a_contract_with_everything_is_valid() -> None:
    assert is_surely_valid(everything())


def places(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to a value and to all in it."""
    if not isinstance(value, dict | list):
        return [way]
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    return [way, *(place for key, child in pairs for place in places(child, (*way, key)))]


PLACES = [place for place in places(everything()) if place]
VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 64, 2**32, 604801, 0.5, 1.0, 1e308, "", "a", "a\n", "A-001",
    "x" * 201, "cuda", "cpu", "bound", "pv/v1", "1.0.0", "1.0", [], ["a"], ["a", "a"], [1, 1],
    ["a", 1], [["a"]], [{}], {}, {"eq": 1}, {"note": "n"}, {"a": "b"}, {"eq": None}, {"é": 1},
]  # fmt: skip


def changed(place: tuple[Any, ...], change: str, value: Any) -> Any:
    """The contract with everything, and one change at a place."""
    root = everything()
    holder = root
    for key in place[:-1]:
        holder = holder[key]
    match change, holder:
        case "drop", _:
            del holder[place[-1]]
        case "add", dict():
            holder["more" if value is None else str(value)[:250]] = value
        case "add", _:
            holder.append(value)
        case _:
            holder[place[-1]] = value
    return root


def agree(value: Any) -> bool:
    """Whether jsonschema finds the same; 1.0 for a whole number is left to it."""
    problems, _ = schema_problems(_document(value), "contract-v1")
    return is_surely_valid(value) == (not problems) or (not problems and _is_rounded(value))


def _document(value: Any) -> Any:
    return _EVERYTHING.__class__("x.yaml", value, _EVERYTHING.mark)


def _is_rounded(value: Any) -> bool:
    seeds = value["falsifiers"][0].get("seeds", {})
    return any(isinstance(item, float) for item in seeds.get("values", ()))


@pytest.mark.parametrize("change", ["drop", "replace", "add"])
def test_every_change_is_judged_as_jsonschema_judges_it(change: str) -> None:
    values = [None] if change == "drop" else VALUES
    assert len(PLACES) > 70
    different = [
        (place, value)
        for place in PLACES[:: 1 if change == "drop" else 3]
        for value in values
        if not agree(changed(place, change, value))
    ]
    assert different == []


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(PLACES), st.sampled_from(["drop", "replace", "add"]), st.data())
def test_no_change_is_judged_otherwise(
    place: tuple[Any, ...], change: str, data: st.DataObject
) -> None:
    assert agree(changed(place, change, data.draw(st.sampled_from(VALUES))))


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
def test_a_number_that_json_has_no_form_for_is_not_sure(number: float) -> None:
    place = ("falsifiers", 0, "bounds", "wrong", "eq")
    assert not is_surely_valid(changed(place, "replace", number))


def test_a_key_that_is_no_text_is_not_sure() -> None:
    for place in [(), *PLACES]:
        root = everything()
        holder = root
        for key in place:
            holder = holder[key]
        if isinstance(holder, dict):
            holder[1] = "a"
            assert not is_surely_valid(root), place


OBJECT = {"type": "object", "additionalProperties": False}
UNKNOWN = {
    "a keyword": {**OBJECT, "properties": {"a": {"type": "string", "format": "uri"}}},
    "a keyword of a mapping": {**OBJECT, "maxProperties": 2},
    "a keyword of a list": {
        **OBJECT,
        "properties": {"a": {"type": "array", "items": {"type": "string"}, "contains": {}}},
    },
    "a mapping that takes any key": {"type": "object", "properties": {}},
    "a required key that it does not describe": {**OBJECT, "required": ["a"]},
    "an anyOf of more than keys": {**OBJECT, "anyOf": [{"type": "object"}]},
    "lists that occur once": {
        **OBJECT,
        "properties": {
            "a": {
                "type": "array",
                "uniqueItems": True,
                "items": {"type": "array", "items": {"type": "string"}},
            }
        },
    },
    "a choice among numbers": {**OBJECT, "properties": {"a": {"enum": [1, 2]}}},
    "a minimal length other than one": {
        **OBJECT,
        "properties": {"a": {"type": "string", "minLength": 2}},
    },
}


@pytest.mark.parametrize("schema", UNKNOWN.values(), ids=UNKNOWN)
def test_what_the_compiler_does_not_know_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not known to the compiler of schemas"):
        compile_schema(schema)
