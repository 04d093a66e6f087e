"""Scoreboard documents that somebody sent: each value is checked, and nothing crashes."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, strategies as st

from pv_harness.comparing.snapshot import read_snapshot
from pv_harness.errors import UsageError


Make = Callable[..., dict[str, Any]]
A = "FALSIFY-X-001"
KEYS = tuple[str | int, ...]


def put(document: dict[str, Any], way: KEYS, value: object) -> dict[str, Any]:
    document = copy.deepcopy(document)
    place: Any = document
    for key in way[:-1]:
        place = place[key]
    place[way[-1]] = value
    return document


@pytest.mark.parametrize(
    ("way", "value", "message"),
    [
        (("format",), "pv-scoreboard/1", "its format is 'pv-scoreboard/1', it should be"),
        (("contracts",), {}, "contracts is a mapping of 0, it should be a list"),
        (("contracts", 0, "version"), "1.0", "it should be a version such as 1.0.0"),
        (("falsifiers", 0, "levels"), [], "levels is empty, it should hold a level"),
        (("falsifiers", 0, "levels", 0, "level"), "GOOD", "it should be one of PARTIAL"),
        (("falsifiers", 0, "kind"), "FINE", "it should be one of LEVEL, FAILED"),
        (("falsifiers", 0, "counted"), 1, "counted is 1, it should be true or false"),
        (("falsifiers", 0, "bounds", 0, "comparator"), "is", "it should be one of eq"),
        (
            ("falsifiers", 0, "bounds", 0, "threshold"),
            {"float": "x"},
            "it should be nan or inf",
        ),
        (("falsifiers", 0, "bounds", 0, "threshold"), [], "it should be a value"),
        (("falsifiers", 0, "seeds"), {"values": [0.5]}, "it should be a whole number"),
        (
            ("falsifiers", 0, "seeds"),
            {"values": [0], "rule": "t-test", "confidence": "sure"},
            "confidence is 'sure', it should be a number",
        ),
        (("falsifiers", 0, "seeds"), {"values": [0], "rule": "best"}, "one of bound, t-test"),
        (("falsifiers", 0, "id"), None, "id is null, it should be text"),
        (("falsifiers", 0), [], "lacks 'levels'|should be an object"),
    ],
)
def test_a_value_that_can_not_be_is_refused_by_its_place(
    scoreboard: Make, way: KEYS, value: object, message: str
) -> None:
    with pytest.raises(UsageError, match=f"^file.*({message})"):
        read_snapshot(put(scoreboard({A: "PARTIAL"}), way, value), "file")


def test_a_name_given_twice_is_refused(scoreboard: Make) -> None:
    document = scoreboard({A: "PARTIAL"})
    document["falsifiers"] *= 2
    with pytest.raises(UsageError, match=f"file: falsifier '{A}' is there twice"):
        read_snapshot(document, "file")
    document = scoreboard({A: "PARTIAL"})
    document["contracts"] *= 2
    with pytest.raises(UsageError, match="file: contract 'x-v1' is there twice"):
        read_snapshot(document, "file")


def test_seeds_and_numbers_that_are_not_finite_are_read(scoreboard: Make) -> None:
    document = scoreboard({A: "PARTIAL"})
    row = document["falsifiers"][0]
    row["bounds"][0]["threshold"] = {"float": "-inf"}
    row["seeds"] = {"values": [0, 1], "rule": "t-test", "confidence": 0.9}
    claim = read_snapshot(document).claims[A]
    assert claim.bounds[0].threshold == -math.inf
    assert claim.seeds is not None
    assert (claim.seeds.values, claim.seeds.confidence) == ((0, 1), 0.9)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(JSON)
def test_any_json_is_read_or_refused(value: object) -> None:
    with pytest.raises(UsageError, match="its format is"):
        read_snapshot(value)


@given(st.data())
def test_any_value_anywhere_is_read_or_refused(data: st.DataObject) -> None:
    from tests.harness.comparing.conftest import make_document

    document = make_document({A: "PARTIAL"})
    way: list[str | int] = []
    place: Any = document
    while isinstance(place, dict | list) and place and (not way or data.draw(st.booleans())):
        key = data.draw(
            st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place)))
        )
        way.append(key)
        place = place[key]
    changed = put(document, tuple(way), data.draw(JSON))
    # Nothing but a UsageError may leave it.
    with contextlib.suppress(UsageError):
        read_snapshot(changed)
