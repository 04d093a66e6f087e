from __future__ import annotations

import re

import pytest
from hypothesis import given, strategies as st

from pv_harness.documents.schema_check import read_schema
from pv_harness.validating.foreign.native_ids import FalsifierIds, contract_id


SCHEMA = read_schema()
CONTRACT = SCHEMA["properties"]["id"]["pattern"]
FALSIFIER = SCHEMA["definitions"]["falsifier"]["properties"]["id"]["pattern"]
WANTED = st.none() | st.text(max_size=12) | st.sampled_from(["A-001", "A-002", "a_1", "A-1B"])


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("rope-kernel-v1", "rope-kernel-v1"),
        ("gpt2.large_v1", "gpt2.large_v1"),
        ("PMAT-559", "pmat-559"),
        ("_schema", "schema"),
        ("äöü", "contract"),
    ],
)
def test_a_contract_has_the_id_of_its_stem_or_the_nearest(stem: str, expected: str) -> None:
    assert contract_id(stem) == expected


@given(st.text())
def test_every_stem_has_an_id_that_the_schema_takes(stem: str) -> None:
    assert re.search(CONTRACT, contract_id(stem))


@given(st.lists(WANTED, max_size=8), st.sets(st.sampled_from(["A-001", "A-1B-001"])), st.text())
def test_ids_are_native_different_and_kept_where_they_can_be(
    wanted: list[str | None], taken: set[str], base: str
) -> None:
    ids = FalsifierIds(base, wanted, taken)
    given_ids = [ids.give(name) for name in wanted]
    assert all(re.search(FALSIFIER, name) for name in given_ids)
    assert len(set(given_ids)) == len(given_ids)
    for index, name in enumerate(wanted):
        if name and re.search(FALSIFIER, name) and name not in wanted[:index]:
            assert given_ids[index] == name
        elif given_ids[index] != name:
            assert given_ids[index] not in taken


def test_the_nearest_id_is_near() -> None:
    wanted = ["F_D-V1_001", "F-X-021B", "F-X-021B", None, None]
    ids = FalsifierIds("halves-v1", wanted, ())
    assert [ids.give(name) for name in wanted] == [
        "F-D-V1-001", "F-X-021B-001", "F-X-021B-002",
        "FALSIFY-HALVES-V1-001", "FALSIFY-HALVES-V1-002",
    ]  # fmt: skip


def test_a_thousand_missing_ids_are_a_thousand_different_ones() -> None:
    wanted = [None] * 2500
    ids = FalsifierIds("x", wanted, ())
    found = [ids.give(name) for name in wanted]
    assert len(set(found)) == 2500
    assert all(re.search(FALSIFIER, name) for name in found)
