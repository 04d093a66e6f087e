"""Whatever stands in a contract, the answer is problems with places, and never a crash.

PV_FUZZ_EXAMPLES is how many files each test tries; a night's worth is a million. What fails
belongs into tests/fuzz/findings, from where every later run begins.
"""

from __future__ import annotations

import json
import os
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from tests.fuzz.arena import Arena, seeds

from pv_harness.documents.loading import load


pytestmark = pytest.mark.slow
BUDGET = int(os.environ.get("PV_FUZZ_EXAMPLES", "150"))
FUZZING = settings(max_examples=BUDGET, deadline=None, suppress_health_check=list(HealthCheck))
SEEDS = seeds()
TOKENS = [
    *(b"[", b"]", b"{", b"}", b": ", b"- ", b"? ", b"&a ", b"*a", b"<<: ", b"!!str ", b"| \n"),
    *(b"'", b'"', b"# ", b"\n", b"\r\n", b"\t", b"\0", b"---\n", b"...\n", b"%YAML 1.1\n"),
    *(b"\xef\xbb\xbf", b"\xff", b"\xc2\x85", b"\xe2\x80\xa8", b"\\ud800", b"\\x1b[31m", b"~"),
    *(b"1e999", b".nan", b"9" * 70, b"0x" + b"f" * 70, b"falsifiers", b"id", b"levels"),
    *(b"apiVersion: pv/v1\n", b"kind: policy\n", b"kind: release\n", b"status: PASS\n"),
]
NAMES = [
    "apiVersion",
    "id",
    "falsifiers",
    "levels",
    "PARTIAL",
    "bounds",
    "eq",
    "defects",
    "find",
]
NAMES += ["metadata", "depends_on", "kind", "waivers", "steps", "needs", "falsification_tests"]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.sampled_from([*NAMES, "pv/v1", "BASE-001", "subject.core", "2026-11-31", "x" * 300])
    | st.text(max_size=20)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Arena:
    return Arena(tmp_path_factory.mktemp("fuzz") / "project")


def mutate(data: bytes, chance: random.Random) -> bytes:
    """One random edit: cut, repeat, swap, a token or a byte put in."""
    at, to = sorted(chance.randrange(len(data) + 1) for _ in range(2))
    match chance.randrange(6):
        case 0:
            return data[:at] + data[to:]
        case 1:
            return data[:to] + data[at:to] * chance.choice([1, 2, 40]) + data[to:]
        case 2:
            return data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
        case 3:
            other = chance.choice(SEEDS)
            start = chance.randrange(len(other) + 1)
            return data[:at] + other[start : start + 80] + data[to:]
        case 4:
            lines = data.split(b"\n")
            chance.shuffle(lines)
            return b"\n".join(lines)
        case _:
            return data[:at] + chance.choice(TOKENS) * chance.choice([1, 1, 3]) + data[at:]


@FUZZING
@given(st.sampled_from(SEEDS), st.integers(0, 2**32), st.integers(1, 5))
def test_any_bytes_are_judged(arena: Arena, data: bytes, seed: int, edits: int) -> None:
    chance = random.Random(seed)
    for _ in range(edits):
        data = mutate(data, chance)
    arena.judge(data)


@FUZZING
@given(st.binary(max_size=200))
def test_noise_is_judged(arena: Arena, data: bytes) -> None:
    arena.judge(data)
    arena.judge(b"apiVersion: pv/v1\n" + data)


def replaced(value: Any, chance: random.Random, new: Any) -> Any:
    """The data with one of its nodes, or one of its keys, replaced."""
    if not isinstance(value, dict | list) or not value or chance.random() < 0.15:
        return new
    if isinstance(value, list):
        at = chance.randrange(len(value))
        return [*value[:at], replaced(value[at], chance, new), *value[at + 1 :]]
    key = chance.choice(list(value))
    if chance.random() < 0.1:
        return {(chance.choice(NAMES) if k == key else k): v for k, v in value.items()}
    if chance.random() < 0.1:
        return {k: v for k, v in value.items() if k != key}
    return {**value, key: replaced(value[key], chance, new)}


STRUCTURES = [
    document.value
    for document in (load(data, "x") for data in SEEDS)
    if document.readable and isinstance(document.value, dict)
]


@FUZZING
@given(
    st.sampled_from(STRUCTURES), st.integers(0, 2**32), st.lists(VALUES, min_size=1, max_size=4)
)
def test_any_structure_is_judged(
    arena: Arena, value: dict[str, Any], seed: int, news: list[Any]
) -> None:
    chance = random.Random(seed)
    changed: Any = value
    for new in news:
        changed = replaced(changed, chance, new)
    text = json.dumps(changed)
    for name, spelled in (("NaN", ".nan"), ("-Infinity", "-.inf"), ("Infinity", ".inf")):
        text = text.replace(name, spelled)
    arena.judge(text.encode())


@pytest.mark.parametrize("data", SEEDS, ids=range(len(SEEDS)))
def test_what_the_mutations_begin_with_is_judged(arena: Arena, data: bytes) -> None:
    arena.judge(data)


def test_the_arena_notices_a_crash_and_a_wrong_answer(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.fuzz.arena.RULE_CODES", {})
    with pytest.raises(AssertionError):
        arena.judge(b"apiVersion: pv/v1\n")
