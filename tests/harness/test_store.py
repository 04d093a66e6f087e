from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from pv_harness.errors import EvidenceError, InfrastructureError
from pv_harness.evidence.records import PatchOutcome, PatchRecord, RunRecord, Verdict
from pv_harness.evidence.statement import RunStatement, decode_statement, encode_statement
from pv_harness.evidence.store import append_statement, read_statements
from pv_harness.manifest import Entry, EntryKind, Manifest
from pv_harness.measurement import Measurement


if TYPE_CHECKING:
    from pathlib import Path


TEXT = st.text(max_size=12)
ENTRIES = st.builds(Entry, st.sampled_from(EntryKind), TEXT, TEXT, st.none() | TEXT)
MANIFESTS = st.builds(Manifest, st.lists(ENTRIES, max_size=4).map(tuple))
VALUES = st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT
MEASUREMENTS = st.builds(Measurement, TEXT, VALUES, st.none() | TEXT, st.none() | st.integers())
TIMES = st.floats(0, 2e9)
WORDS = st.lists(TEXT, max_size=3).map(tuple)
RUNS = st.builds(
    RunRecord,
    falsifier_id=TEXT,
    verdict=st.sampled_from(Verdict),
    manifest=MANIFESTS,
    measurements=st.lists(MEASUREMENTS, max_size=3).map(tuple),
    broken=WORDS,
    reason=TEXT,
    checks=WORDS,
    reached=WORDS,
    reached_in_process=WORDS,
    cuda_peak_bytes=st.integers(0, 2**40),
    duration_s=TIMES,
    finished_s=TIMES,
    environment=st.dictionaries(TEXT, TEXT, max_size=2),
    statement=st.just("digest"),
)
PATCHES = st.builds(
    PatchRecord,
    falsifier_id=TEXT,
    patch_id=TEXT,
    patch_digest=TEXT,
    outcome=st.sampled_from(PatchOutcome),
    manifest=MANIFESTS,
    reason=TEXT,
    duration_s=TIMES,
    finished_s=TIMES,
    environment=st.dictionaries(TEXT, TEXT, max_size=2),
    statement=st.just("digest"),
)
STATEMENTS = st.builds(
    RunStatement,
    planned=WORDS,
    configuration=st.dictionaries(TEXT, TEXT, max_size=2),
    runs=st.lists(RUNS, max_size=3).map(tuple),
    patches=st.lists(PATCHES, max_size=3).map(tuple),
    started_s=TIMES,
    pv_version=TEXT,
)
SMALL = RunStatement(("A",), {}, (), (), 1.0, "0")


@given(STATEMENTS)
def test_a_statement_comes_back_as_it_was(run: RunStatement) -> None:
    assert decode_statement(encode_statement(run), "digest") == run


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_a_value_that_json_has_no_number_for_survives(value: float) -> None:
    record = RunRecord("A", Verdict.FAILED, Manifest(()), (Measurement("m", value),))
    run = RunStatement(("A",), {}, (record,), (), 1.0, "0")
    back = decode_statement(encode_statement(run), "")
    assert repr(back.runs[0].measurements[0].value) == repr(value)


def test_the_envelope_is_in_toto_s() -> None:
    record = RunRecord("A", Verdict.FAILED, Manifest(()))
    run = RunStatement(("A",), {"c.yaml": "00"}, (record,), (), 1.0, "0")
    envelope = json.loads(encode_statement(run))
    statement = json.loads(base64.b64decode(envelope["payload"]))
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"].endswith("/test-result/v0.1")
    assert statement["subject"][0]["name"] == "A"
    assert statement["predicate"]["result"] == "FAILED"
    assert statement["predicate"]["failedTests"] == ["A"]


@given(st.binary(max_size=200))
def test_bytes_that_are_no_statement_are_refused(data: bytes) -> None:
    with pytest.raises(EvidenceError):
        decode_statement(data, "")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(st.data())
def test_a_damaged_predicate_is_refused_and_never_crashes(data: st.DataObject) -> None:
    envelope = json.loads(encode_statement(SMALL))
    statement = json.loads(base64.b64decode(envelope["payload"]))
    own = statement["predicate"]["pv"]
    key = data.draw(st.sampled_from(sorted(own)))
    own[key] = data.draw(JSON.filter(lambda v: type(v) is not type(own[key])))
    envelope["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()
    try:
        decode_statement(json.dumps(envelope).encode(), "")
    except EvidenceError:
        return
    assert key in {"version", "started", "planned", "runs", "patches", "entries"}


def test_deep_json_is_refused() -> None:
    with pytest.raises(EvidenceError):
        decode_statement(b"[" * 100_000, "")


def test_appending_twice_is_appending_once(tmp_path: Path) -> None:
    assert append_statement(tmp_path, SMALL) == append_statement(tmp_path, SMALL)
    assert len(read_statements(tmp_path)) == 1


def test_an_altered_file_is_found_and_named(tmp_path: Path) -> None:
    digest = append_statement(tmp_path, SMALL)
    file = tmp_path / f"{digest}.intoto.jsonl"
    file.write_bytes(file.read_bytes().replace(b"payload", b"Payload", 1))
    with pytest.raises(EvidenceError, match=rf"{digest}.*altered"):
        read_statements(tmp_path)


def test_a_write_that_is_killed_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", killed)
    with pytest.raises(InfrastructureError, match="No space left"):
        append_statement(tmp_path, SMALL)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_an_empty_store(tmp_path: Path) -> None:
    assert read_statements(tmp_path / "none") == ()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(position=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_any_flipped_byte_is_found(tmp_path: Path, position: int, flip: int) -> None:
    digest = append_statement(tmp_path, SMALL)
    file = tmp_path / f"{digest}.intoto.jsonl"
    data = bytearray(file.read_bytes())
    data[position % len(data)] ^= flip
    file.write_bytes(bytes(data))
    with pytest.raises(EvidenceError, match="altered"):
        read_statements(tmp_path)
    file.unlink()
