from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given, strategies as st
from tests.harness.evidence.conftest import FULL, STATEMENTS

from pv_harness.evidence_index.extract import extract_records
from pv_harness.evidence_index.extract_json import extract_from_json, extract_to_json


if TYPE_CHECKING:
    from pv_harness.evidence.statement import RunStatement

DIGEST = "c" * 64
STORED = replace(
    FULL,
    runs=tuple(replace(run, statement=DIGEST) for run in FULL.runs),
    patches=tuple(replace(patch, statement=DIGEST) for patch in FULL.patches),
    digest=DIGEST,
    keyids=("k",),
    signed_by=frozenset({"ci"}),
)
"""As it is read from a store, where a trusted key has signed it."""


@given(st.lists(STATEMENTS, max_size=3))
def test_an_extract_is_read_back_as_it_was(statements: list[RunStatement]) -> None:
    extract = extract_records(statements, {})
    stored = json.loads(json.dumps(extract_to_json(extract)))
    assert repr(extract_from_json(stored)) == repr(extract)


def test_no_field_of_a_record_is_forgotten_but_its_curves() -> None:
    extract = extract_records([STORED], {})
    assert repr(extract.runs) == repr([replace(STORED.runs[0], series=())])
    assert extract.patches == list(STORED.patches)
    assert extract.signers == {DIGEST: {"ci"}}
    back = extract_from_json(json.loads(json.dumps(extract_to_json(extract))))
    assert repr(back) == repr(extract)


def test_what_records_share_is_stored_once() -> None:
    other = replace(STORED.runs[0], reason="other", attempt=2)
    many = replace(STORED, runs=(*STORED.runs, other), patches=STORED.patches * 2)
    stored = extract_to_json(extract_records([many], {}))
    assert [len(runs) for *_, runs, _ in stored["groups"]] == [2, 0]
    assert len(stored["entries"]) == 3
    assert len(stored["environments"]) == 2
    assert stored["statements"] == [DIGEST]
