from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings, strategies as st
from tests.harness.evidence.conftest import (
    FULL,
    STATEMENTS,
    TEXT,
    altered,
    manifest_of,
    payload_of,
)

from pv_harness.errors import EvidenceError
from pv_harness.evidence.records import RunRecord, Verdict
from pv_harness.evidence.statement import RunStatement, decode_statement, encode_statement
from pv_harness.judging.measurement import Measurement


if TYPE_CHECKING:
    from collections.abc import Iterator


Way = tuple[str | int, ...]
OWN: Way = ("predicate", "pv")
RUN: Way = (*OWN, "runs", 0)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(STATEMENTS)
def test_a_statement_comes_back_as_it_was(run: RunStatement) -> None:
    assert decode_statement(encode_statement(run), "digest") == run


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_a_value_that_json_has_no_number_for_survives(value: float) -> None:
    record = RunRecord("A", Verdict.FAILED, manifest_of("A"), (Measurement("m", value),))
    run = RunStatement(("A",), {}, (record,), (), 1.0, "0")
    back = decode_statement(encode_statement(run), "")
    assert repr(back.runs[0].measurements[0].value) == repr(value)


def test_a_curve_comes_back_with_the_points_that_json_has_no_number_for() -> None:
    back = decode_statement(encode_statement(FULL), "")
    assert repr(back.runs[0].series) == repr(FULL.runs[0].series)


def test_each_record_knows_the_statement_that_holds_it() -> None:
    back = decode_statement(encode_statement(FULL), "d1")
    assert {back.digest, back.runs[0].statement, back.patches[0].statement} == {"d1"}


def test_records_with_equal_manifests_share_one() -> None:
    record = FULL.runs[0]
    twice = RunStatement(("A",), {}, (record, record), (), 1.0, "0")
    first, second = decode_statement(encode_statement(twice), "").runs
    assert first.manifest is second.manifest


def test_what_other_readers_see_is_what_the_records_say() -> None:
    verdicts = dict(zip("ABCDE", Verdict, strict=True))
    records = tuple(RunRecord(n, v, manifest_of(n)) for n, v in verdicts.items())
    again = RunRecord("A", Verdict.PASSED, manifest_of("A"), attempt=2)
    run = RunStatement(tuple("ABCDE"), {"c.yaml": "00"}, (*records, again), (), 1.0, "0")
    predicate = payload_of(encode_statement(run))["predicate"]
    assert predicate["result"] == "FAILED"
    assert predicate["passedTests"] == ["A"]
    assert predicate["failedTests"] == ["B"]
    assert predicate["warnedTests"] == ["C", "D", "E"]
    assert predicate["configuration"] == [{"name": "c.yaml", "digest": {"sha256": "00"}}]


def test_a_run_ends_with_its_last_record() -> None:
    record = RunRecord("A", Verdict.PASSED, manifest_of("A"), finished_s=7.0)
    assert RunStatement(("A",), {}, (record,), (), 1.0, "0").ended_s == 7.0
    assert RunStatement((), {}, (), (), 1.0, "0").ended_s == 1.0


@given(st.binary(max_size=200))
def test_bytes_that_are_no_statement_are_refused(data: bytes) -> None:
    with pytest.raises(EvidenceError):
        decode_statement(data, "")


@settings(max_examples=200)
@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=3))
def test_damaged_bytes_are_refused_or_read_as_what_they_say(at: int, noise: bytes) -> None:
    data = encode_statement(FULL)
    at %= len(data)
    try:
        run = decode_statement(data[:at] + noise + data[at + len(noise) :], "")
    except EvidenceError:
        return
    assert decode_statement(encode_statement(run), "").planned == run.planned


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


WAYS = list(ways_into(payload_of(encode_statement(FULL))))


@settings(max_examples=400)
@given(st.sampled_from(WAYS), JSON)
def test_a_damaged_payload_is_refused_or_read_as_what_it_says(way: Way, value: object) -> None:
    try:
        run = decode_statement(altered(way, value), "")
    except EvidenceError:
        return
    again = encode_statement(run)
    assert encode_statement(decode_statement(again, "")) == again


REFUSED: list[tuple[Way, Any, str]] = [
    ((*RUN, "finished"), "x", r"pv.runs\[0\].finished is 'x', it should be a number of sec"),
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
    ((*RUN, "opened"), None, "opened is null, it should be a list"),
    ((*RUN, "attempt"), -1, "attempt is -1, it should be a number from 0"),
    ((*RUN, "id"), "\ud800", "it should be a name"),
    ((*RUN, "id"), "B", "holds the claim of 'A', the record is about 'B'"),
    ((*RUN, "verdict"), [], "verdict is a list of 0, it should be text"),
    ((*RUN, "verdict"), "GREEN", "should be one of PASSED, FAILED"),
    ((*RUN, "verdict"), "PASSED", "result is 'FAILED', its records say 'PASSED'"),
    ((*RUN, "cuda_peak_bytes"), 0.5, "it should be a whole number"),
    ((*RUN, "measurements", 0, "value"), None, "value is null, it should be a value"),
    ((*RUN, "measurements", 0, "value"), {"float": "1"}, "float is none of inf"),
    ((*RUN, "measurements", 0, "value"), {}, "value lacks 'float'"),
    ((*RUN, "measurements", 0, "samples"), "3", "samples is '3'"),
    ((*RUN, "measurements", 0, "seed"), "3", "seed is '3', it should be a whole number"),
    ((*RUN, "series", 0, "x"), [0], "has 1 positions and 2 values"),
    ((*RUN, "series", 0, "y"), [0, "a"], r"y\[1\] is 'a', it should be a number"),
    ((*RUN, "series", 0, "y"), [0, 10**400], r"y\[1\] is 1000.*at most 300 digits"),
    ((*RUN, "measurements", 0, "value"), 10**400, "number of at most 300 digits"),
    ((*RUN, "measurements", 0, "value"), -(10**301), "number of at most 300 digits"),
    ((*RUN, "measurements", 0, "samples"), 10**400, "number of at most 300 digits"),
    ((*RUN, "measurements", 0, "seed"), -(10**400), "number of at most 300 digits"),
    ((*RUN, "attempt"), 10**400, "number of at most 300 digits"),
    ((*RUN, "cuda_peak_bytes"), 10**400, "number of at most 300 digits"),
    ((*RUN, "opened"), ["/etc/passwd"], "a path relative to the project's root"),
    ((*RUN, "opened"), ["a/../../b"], "it should be a path without `..`"),
    ((*RUN, "opened"), [""], "it should be a path without `..`"),
    ((*OWN, "patches", 0, "id"), "B", "holds the claim of 'A', the record is about 'B'"),
    ((*OWN, "patches", 0, "outcome"), "DEAD", "should be one of KILLED"),
    ((*OWN, "patches", 0, "lane"), 1, "lane is 1, it should be text"),
    ((*OWN, "entries", 0), ["claim", "A", "0"], "has 3 columns, not 5"),
    ((*OWN, "entries", 0, 0), "sauce", "should be one of claim"),
    ((*OWN, "entries", 2, 1), "a\0.py", "it should be a name"),
    ((*OWN, "entries", 2, 1), "", r"entries\[2\] is '', it should be a path without `..`"),
    ((*OWN, "entries", 2, 1), "../a.py", "it should be a path without `..`"),
    ((*OWN, "entries", 2, 1), "/b/../a.py", "it should be a path without `..`"),
    ((*OWN, "entries", 2, 1), "a/" * 3000, "of a length that a file can have"),
    ((*OWN, "entries", 2, 1), "\u00e9" * 128, "of a length that a file can have"),
    ((*OWN, "entries", 2), ["input", "x", "0", None, ""], "is '', it should be a path"),
    ((*OWN, "entries", 2), ["input", "x.y=../z", "0", None, ""], "is '../z', it should be"),
    ((*OWN, "entries", 2), ["absent", "", "", None, "a\n../b"], "is '../b', it should be"),
    ((*OWN, "format"), True, "format is true, this pv reads 3; move the evidence folder away"),
    ((*OWN, "format"), 2, "format is 2, this pv reads 3; move the evidence folder away"),
    ((*OWN, "previous"), ["a"], r"previous\[0\] is 'a', it should be a SHA-256 in hex"),
    ((*OWN, "previous"), ["A" * 64], "it should be a SHA-256 in hex"),
    ((*OWN, "previous"), None, "previous is null, it should be a list"),
    ((*OWN, "removed", 0, "digest"), "../../x", "it should be a SHA-256 in hex"),
    ((*OWN, "removed", 0, "runs"), -1, "runs is -1, it should be a number from 0"),
    (("predicate", "configuration", 0), {}, r"configuration\[0\] lacks 'name'"),
    (("predicate", "result"), "PASSED", "result is 'PASSED', its records say 'FAILED'"),
    (("predicate", "failedTests"), ["B"], r"failedTests\[0\] is 'B', its records say 'A'"),
    (("predicate", "passedTests"), ["A"], "passedTests is a list of 1, its records say"),
    (("subject", 0, "name"), "B", r"subject\[0\].name is 'B', its records say 'A'"),
    (("subject", 0, "digest", "sha256"), "0" * 64, r"sha256 is '0{9}.*its records say '"),
    (("subject", 0, "extra"), 1, r"subject\[0\] is a mapping of 3, its records say a mapping"),
    (("subject",), [], "subject is a list of 0, its records say a list of 3"),
    (("_type",), "https://in-toto.io/Statement/v0.1", "this pv reads 'https://in-toto"),
    (("predicateType",), "x", "predicateType is 'x', this pv reads"),
]


@pytest.mark.parametrize(("way", "value", "message"), REFUSED)
def test_what_does_not_fit_is_refused_by_its_place(
    way: Way, value: object, message: str
) -> None:
    with pytest.raises(EvidenceError, match=message):
        decode_statement(altered(way, value), "")
