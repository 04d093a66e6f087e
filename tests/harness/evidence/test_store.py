from __future__ import annotations

import base64
import json
import math
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from pv_harness.errors import EvidenceError, InfrastructureError
from pv_harness.evidence.records import PatchOutcome, PatchRecord, RunRecord, Verdict
from pv_harness.evidence.statement import RunStatement, decode_statement, encode_statement
from pv_harness.evidence.store import append_statement, read_statements
from pv_harness.fingerprint.manifest import Entry, EntryKind, Manifest
from pv_harness.judging.measurement import Measurement


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


Way = tuple[str | int, ...]
TEXT = st.text(max_size=12)
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
OF_ONE_CLAIM = (EntryKind.CLAIM, EntryKind.CHECKS)
OTHERS = st.sampled_from([kind for kind in EntryKind if kind not in OF_ONE_CLAIM])
ENTRIES = st.builds(Entry, OTHERS, NAMES, TEXT, st.none() | TEXT)
MANIFESTS = st.tuples(
    *(st.builds(Entry, st.just(kind), NAMES, TEXT) for kind in OF_ONE_CLAIM),
    st.lists(ENTRIES, max_size=4),
).map(lambda parts: Manifest((parts[0], parts[1], *parts[2])))
VALUES = st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT
MEASUREMENTS = st.builds(
    Measurement, NAMES, VALUES, st.none() | TEXT, st.none() | st.integers()
)
TIMES = st.floats(0, 2e9)
WORDS = st.lists(NAMES, max_size=3).map(tuple)
RUNS = st.builds(
    RunRecord,
    falsifier_id=NAMES,
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
    falsifier_id=NAMES,
    patch_id=NAMES,
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
    configuration=st.dictionaries(NAMES, TEXT, max_size=2),
    runs=st.lists(RUNS, max_size=3).map(tuple),
    patches=st.lists(PATCHES, max_size=3).map(tuple),
    started_s=TIMES,
    pv_version=TEXT,
)
SMALL = RunStatement(("A",), {}, (), (), 1.0, "0")
OF_A = Manifest((Entry(EntryKind.CLAIM, "A", "0"), Entry(EntryKind.CHECKS, "A", "1")))
FULL = RunStatement(
    planned=("A",),
    configuration={"a.yaml": "0"},
    runs=(
        RunRecord(
            "A",
            Verdict.FAILED,
            Manifest((*OF_A.entries, Entry(EntryKind.SOURCE, "a.py", "2", "3"))),
            (Measurement("m", 1.5, "s", 3, "a.py::test_a"), Measurement("n", math.inf)),
            broken=("m",),
            reason="m is 1.5",
            checks=("a.py::test_a",),
            reached=("a:main",),
            reached_in_process=("a:help",),
            environment={"python": "3.11"},
        ),
    ),
    patches=(PatchRecord("A", "minus", "4", PatchOutcome.KILLED, OF_A),),
    started_s=1.0,
    pv_version="0",
)


@given(STATEMENTS)
def test_a_statement_comes_back_as_it_was(run: RunStatement) -> None:
    assert decode_statement(encode_statement(run), "digest") == run


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_a_value_that_json_has_no_number_for_survives(value: float) -> None:
    record = RunRecord("A", Verdict.FAILED, OF_A, (Measurement("m", value),))
    run = RunStatement(("A",), {}, (record,), (), 1.0, "0")
    back = decode_statement(encode_statement(run), "")
    assert repr(back.runs[0].measurements[0].value) == repr(value)


def test_the_envelope_is_in_toto_s() -> None:
    record = RunRecord("A", Verdict.FAILED, OF_A)
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


def altered(way: Way, value: object) -> bytes:
    """The envelope of FULL with one value of its predicate replaced."""
    envelope = json.loads(encode_statement(FULL))
    statement = json.loads(base64.b64decode(envelope["payload"]))
    inner: Any = statement["predicate"]
    for key in way[:-1]:
        inner = inner[key]
    inner[way[-1]] = value
    envelope["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()
    return json.dumps(envelope).encode()


def ways_into(value: object, way: Way = ()) -> Iterator[Way]:
    """The ways to all values inside a JSON value."""
    keys = (
        value
        if isinstance(value, dict)
        else range(len(value) if isinstance(value, list) else 0)
    )
    for key in keys:
        yield (*way, key)
        yield from ways_into(value[key], (*way, key))  # type: ignore[index]


def predicate_of(run: RunStatement) -> dict[str, Any]:
    payload = json.loads(encode_statement(run))["payload"]
    predicate: dict[str, Any] = json.loads(base64.b64decode(payload))["predicate"]
    return predicate


WAYS = [way for way in ways_into(predicate_of(FULL)) if way[0] in {"pv", "configuration"}]


@settings(max_examples=400)
@given(st.sampled_from(WAYS), JSON)
def test_a_damaged_predicate_is_refused_or_read_as_what_it_says(
    way: Way, value: object
) -> None:
    try:
        run = decode_statement(altered(way, value), "")
    except EvidenceError:
        return
    again = encode_statement(run)
    assert encode_statement(decode_statement(again, "")) == again


RUN: Way = ("pv", "runs", 0)


@pytest.mark.parametrize(
    ("way", "value", "message"),
    [
        (
            (*RUN, "finished"),
            "x",
            r"pv.runs\[0\].finished is 'x', it should be a number of sec",
        ),
        ((*RUN, "finished"), True, "number of seconds"),
        ((*RUN, "finished"), -1, "number of seconds"),
        ((*RUN, "finished"), 1e300, "number of seconds"),
        ((*RUN, "finished"), math.nan, "NaN is no JSON"),
        ((*RUN, "duration"), None, "number of seconds"),
        ((*RUN, "reason"), 3, "reason is 3, it should be text"),
        ((*RUN, "environment"), [1], "environment is a list of 1, it should be an object"),
        ((*RUN, "environment"), {"a": 1}, "environment.a is 1, it should be text"),
        ((*RUN, "manifest"), [], "manifest has 0 entries for the claim, not one"),
        ((*RUN, "manifest"), [0, 1, 1], "manifest has 2 entries for the checks, not one"),
        ((*RUN, "manifest"), [0, 1, -1], r"manifest\[2\] is -1, it should be a number from 0"),
        ((*RUN, "manifest"), [0, 1, 3], r"manifest\[2\] is beyond the 3 entries"),
        ((*RUN, "manifest"), [0, True], r"manifest\[1\] is true, it should be a whole number"),
        ((*RUN, "manifest"), "01", "manifest is '01', it should be a list"),
        ((*RUN, "checks"), "a", "checks is 'a', it should be a list"),
        ((*RUN, "checks"), ["a\0b"], "it should be a name"),
        ((*RUN, "id"), "\ud800", "it should be a name"),
        ((*RUN, "verdict"), [], "verdict is a list of 0, it should be text"),
        ((*RUN, "verdict"), "GREEN", "should be one of PASSED, FAILED"),
        ((*RUN, "cuda_peak_bytes"), 0.5, "it should be a whole number"),
        ((*RUN, "measurements", 0, "value"), None, "value is null, it should be a value"),
        ((*RUN, "measurements", 0, "value"), {"float": "1"}, "float is none of inf"),
        ((*RUN, "measurements", 0, "value"), {}, "value lacks 'float'"),
        ((*RUN, "measurements", 0, "samples"), "3", "samples is '3'"),
        (("pv", "entries", 0), ["claim", "A", "0"], "has 3 columns, not 4"),
        (("pv", "entries", 0, 0), "sauce", "should be one of claim"),
        (("pv", "entries", 2, 1), "a\0.py", "it should be a name"),
        (("pv", "format"), True, "format is true, this pv reads 2"),
        (("pv", "patches", 0, "outcome"), "DEAD", "should be one of KILLED"),
        (("configuration", 0), {}, r"configuration\[0\] lacks 'name'"),
    ],
)
def test_a_value_of_another_type_is_refused_by_its_place(
    way: Way, value: object, message: str
) -> None:
    with pytest.raises(EvidenceError, match=message):
        decode_statement(altered(way, value), "")


@pytest.mark.parametrize("payload", [None, "ä", "&", "AAAA", 5])
def test_a_payload_that_is_no_base64_of_json_is_refused(payload: object) -> None:
    envelope = {**json.loads(encode_statement(SMALL)), "payload": payload}
    with pytest.raises(EvidenceError):
        decode_statement(json.dumps(envelope).encode(), "")


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


def test_a_file_where_the_folder_should_be_is_named(tmp_path: Path) -> None:
    file = tmp_path / "evidence"
    file.write_text("")
    with pytest.raises(EvidenceError, match=r"evidence: can't be listed \(not a directory\)"):
        read_statements(file)


def test_a_pipe_and_a_folder_among_the_statements_are_refused(tmp_path: Path) -> None:
    place = tmp_path / "x.intoto.jsonl"
    os.mkfifo(place)
    with pytest.raises(EvidenceError, match=r"x\.intoto.*\(is a named pipe"):
        read_statements(tmp_path)
    place.unlink()
    place.mkdir()
    with pytest.raises(EvidenceError, match=r"x\.intoto.*\(is a directory"):
        read_statements(tmp_path)


def test_a_huge_file_is_refused_before_it_is_read_whole(tmp_path: Path) -> None:
    with (tmp_path / "x.intoto.jsonl").open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(EvidenceError, match="is larger than 67,108,864 bytes"):
        read_statements(tmp_path)


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
