"""Statements to store, made by hand and by hypothesis, and ways to forge them."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

from hypothesis import strategies as st

from pv_harness.evidence.fields import is_path
from pv_harness.evidence.records import PatchOutcome, PatchRecord, RunRecord, Series, Verdict
from pv_harness.evidence.statement import Removed, RunStatement, encode_statement
from pv_harness.fingerprint.manifest import Entry, EntryKind, Manifest
from pv_harness.judging.measurement import Measurement


NOW_S = 1_000_000.0
DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64)
TEXT = st.text(max_size=12)
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
PATHS = NAMES.filter(is_path)
BELOW = PATHS.map(lambda path: path.lstrip("/") or "a")
DIGESTS_OF_ENTRY = (TEXT, st.none() | TEXT)
ENTRIES = (
    st.builds(Entry, st.just(EntryKind.SOURCE), PATHS, *DIGESTS_OF_ENTRY, TEXT)
    | st.builds(Entry, st.just(EntryKind.INPUT), PATHS.map("a.b={}".format), *DIGESTS_OF_ENTRY)
    | st.builds(
        Entry,
        st.just(EntryKind.ABSENT),
        NAMES,
        *DIGESTS_OF_ENTRY,
        st.lists(st.text("ab/.", min_size=1).filter(is_path), max_size=3).map("\n".join),
    )
)
VALUES = st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT
WHOLE = st.none() | st.integers()
UNITS = st.none() | TEXT
MEASUREMENTS = st.builds(Measurement, NAMES, VALUES, UNITS, WHOLE, NAMES, WHOLE)
POINTS = st.lists(st.tuples(*[st.floats(allow_nan=False)] * 2), max_size=3)
TIMES = st.floats(0, 2e9)
WORDS = st.lists(NAMES, max_size=2).map(tuple)
FACTS = st.dictionaries(TEXT, TEXT, max_size=2)


def manifest_of(falsifier_id: str, *others: Entry) -> Manifest:
    """The manifest of a claim and its set of checks."""
    claim = Entry(EntryKind.CLAIM, falsifier_id, "0")
    return Manifest((claim, Entry(EntryKind.CHECKS, falsifier_id, "1"), *others))


@st.composite
def series(draw: st.DrawFn) -> Series:
    points = draw(POINTS)
    x, y = tuple(a for a, _ in points), tuple(b for _, b in points)
    return Series(draw(NAMES), x, y, draw(UNITS), draw(UNITS), draw(NAMES))


@st.composite
def runs(draw: st.DrawFn) -> RunRecord:
    identity = draw(NAMES)
    return RunRecord(
        falsifier_id=identity,
        verdict=draw(st.sampled_from(Verdict)),
        manifest=manifest_of(identity, *draw(st.lists(ENTRIES, max_size=3))),
        measurements=draw(st.lists(MEASUREMENTS, max_size=2).map(tuple)),
        series=draw(st.lists(series(), max_size=2).map(tuple)),
        broken=draw(WORDS),
        reason=draw(TEXT),
        checks=draw(WORDS),
        reached=draw(WORDS),
        reached_in_process=draw(WORDS),
        opened=draw(st.lists(BELOW, max_size=2).map(tuple)),
        attempt=draw(st.integers(1, 5)),
        cuda_peak_bytes=draw(st.integers(0, 2**40)),
        duration_s=draw(TIMES),
        finished_s=draw(TIMES),
        environment=draw(FACTS),
        statement="digest",
    )


@st.composite
def patches(draw: st.DrawFn) -> PatchRecord:
    identity = draw(NAMES)
    return PatchRecord(
        falsifier_id=identity,
        patch_id=draw(NAMES),
        patch_digest=draw(TEXT),
        outcome=draw(st.sampled_from(PatchOutcome)),
        manifest=manifest_of(identity, *draw(st.lists(ENTRIES, max_size=3))),
        reason=draw(TEXT),
        duration_s=draw(TIMES),
        finished_s=draw(TIMES),
        environment=draw(FACTS),
        statement="digest",
        lane=draw(st.sampled_from(["cpu", "cuda"])),
    )


COUNTS = st.integers(0, 9)
STATEMENTS = st.builds(
    RunStatement,
    planned=WORDS,
    configuration=st.dictionaries(NAMES, TEXT, max_size=2),
    runs=st.lists(runs(), max_size=2).map(tuple),
    patches=st.lists(patches(), max_size=2).map(tuple),
    started_s=TIMES,
    pv_version=TEXT,
    previous=st.lists(DIGESTS, max_size=2).map(tuple),
    removed=st.lists(st.builds(Removed, DIGESTS, TEXT, COUNTS, COUNTS), max_size=2).map(tuple),
    digest=st.just("digest"),
)
"""Any statement, as it is read from bytes whose digest is `digest`."""

FULL = RunStatement(
    planned=("A",),
    configuration={"a.yaml": "0"},
    runs=(
        RunRecord(
            "A",
            Verdict.FAILED,
            manifest_of("A", Entry(EntryKind.SOURCE, "a.py", "2", "3")),
            (Measurement("m", 1.5, "s", 3, "a.py::test_a", 7), Measurement("n", math.inf)),
            (Series("loss", (0.0, 1.0), (2.5, math.nan), "step", "nats", "a.py::test_a"),),
            broken=("m",),
            reason="m is 1.5",
            checks=("a.py::test_a",),
            reached=("a:main",),
            reached_in_process=("a:help",),
            opened=("a.txt",),
            environment={"python": "3.11"},
        ),
    ),
    patches=(PatchRecord("A", "minus", "4", PatchOutcome.KILLED, manifest_of("A")),),
    started_s=1.0,
    pv_version="0",
    previous=("a" * 64,),
    removed=(Removed("b" * 64, "old", 1, 2),),
)
"""A statement in which no list is empty."""


def statement_of(
    *ids: str, at_s: float = NOW_S, verdict: Verdict = Verdict.PASSED
) -> RunStatement:
    """A run that measured these falsifiers, ten seconds after it began."""
    records = tuple(
        RunRecord(name, verdict, manifest_of(name), finished_s=at_s + 10) for name in ids
    )
    return RunStatement(ids, {}, records, (), at_s, "0")


def payload_of(data: bytes) -> dict[str, Any]:
    """The statement inside an envelope, as plain JSON."""
    payload: dict[str, Any] = json.loads(base64.b64decode(json.loads(data)["payload"]))
    return payload


def with_payload(data: bytes, payload: object) -> bytes:
    """The envelope with another payload, its signatures left as they are."""
    text = json.dumps(payload, sort_keys=True, separators=(",", ":")).encode()
    envelope = {**json.loads(data), "payload": base64.b64encode(text).decode()}
    return json.dumps(envelope, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def altered(way: tuple[str | int, ...], value: object, run: RunStatement = FULL) -> bytes:
    """The envelope of a statement with one value replaced, found by its keys."""
    data = encode_statement(run)
    statement = payload_of(data)
    inner: Any = statement
    for key in way[:-1]:
        inner = inner[key]
    inner[way[-1]] = value
    return with_payload(data, statement)
