from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from pv_trainer.data import corpus_gates as gates
from pv_trainer.data.corpus_gates import DEFAULT_THRESHOLDS, check_corpus
from pv_trainer.data.shards import Sample, read_dataset
from pv_trainer.data.tokenizer import open_tokenizer, read_tokenizer
from pv_trainer.errors import DataInvalid


if TYPE_CHECKING:
    from pathlib import Path

COUNTS = hnp.arrays(np.int64, 40, elements=st.integers(0, 1000))


def test_a_sound_corpus_passes_every_gate(dataset_path: Path) -> None:
    info = read_tokenizer(dataset_path)
    dataset = read_dataset(dataset_path)
    passed = check_corpus(
        dataset, info, open_tokenizer(info), DEFAULT_THRESHOLDS, place=dataset_path
    )
    assert [gate.id for gate in passed] == [
        "CORPUS-001", "CORPUS-002", "CORPUS-003", "CORPUS-004", "CORPUS-007", "CORPUS-009",
    ]  # fmt: skip
    assert all(gate.passed for gate in passed)


def test_one_repeated_token_fails_on_entropy_and_distinct_ids() -> None:
    counts = np.zeros(320, dtype=np.int64)
    counts[17] = 10_000
    entropy = gates.entropy(counts, DEFAULT_THRESHOLDS)
    distinct = gates.distinct_ids(counts, DEFAULT_THRESHOLDS)
    assert (entropy.passed, entropy.value) == (False, 0.0)
    assert (distinct.passed, distinct.value) == (False, 1)


def test_unknown_tokens_are_counted(tokenizer_path: Path) -> None:
    info = replace(read_tokenizer(tokenizer_path), unk_id=3)
    counts = np.zeros(320, dtype=np.int64)
    counts[3], counts[5] = 9999, 1
    gate = gates.unknown_share(counts, info, DEFAULT_THRESHOLDS)
    assert (gate.passed, gate.value) == (False, 0.9999)
    counts[3], counts[5] = 1, 99
    assert gates.unknown_share(counts, info, DEFAULT_THRESHOLDS).passed


def test_a_window_that_does_not_decode_to_its_text_is_found(dataset_path: Path) -> None:
    dataset = read_dataset(dataset_path)
    tokenizer = open_tokenizer(read_tokenizer(dataset_path))
    assert gates.round_trip(dataset, tokenizer).passed
    first = dataset.samples[0]
    lies = (Sample(first.offset, first.tokens, first.text + "x"), *dataset.samples[1:])
    gate = gates.round_trip(replace(dataset, samples=lies), tokenizer)
    assert (gate.passed, gate.value) == (False, 1)


def test_no_sample_is_not_a_pass(dataset_path: Path) -> None:
    dataset = replace(read_dataset(dataset_path), samples=())
    tokenizer = open_tokenizer(read_tokenizer(dataset_path))
    assert not gates.round_trip(dataset, tokenizer).passed


def test_a_lost_end_of_text_is_found(dataset_path: Path) -> None:
    dataset = read_dataset(dataset_path)
    counts = gates.count_tokens(dataset)
    assert gates.end_of_text(counts, dataset).passed
    counts[0] -= 1
    assert not gates.end_of_text(counts, dataset).passed


def test_an_id_that_the_tokenizer_does_not_know_is_found(tokenizer_path: Path) -> None:
    info = read_tokenizer(tokenizer_path)
    counts = np.ones(321, dtype=np.int64)
    assert not gates.id_range(counts, info).passed
    assert gates.id_range(counts[:320], info).passed


def test_a_failure_names_every_gate_with_value_and_bound(dataset_path: Path) -> None:
    info = read_tokenizer(dataset_path)
    strict = gates.Thresholds(min_entropy_bits=20.0, min_distinct_ids=1000)
    with pytest.raises(
        DataInvalid,
        match=r"\[CORPUS-002\] here: entropy_bits is \d\.\d+, must be >= 20.0 \(CORPUS-002\), "
        r"distinct_ids is \d+, must be >= 1000 \(CORPUS-003\)",
    ):
        check_corpus(
            read_dataset(dataset_path),
            info,
            open_tokenizer(info),
            strict,
            place=dataset_path.relative_to(dataset_path) / "here",
        )


@pytest.mark.parametrize(("policy", "count"), [("none", 0), ("between", 6), ("after", 7)])
def test_the_policy_fixes_the_number_of_ends(policy: str, count: int) -> None:
    assert gates.expected_eos(policy, 7) == count


@given(COUNTS)
def test_entropy_is_between_zero_and_ln_of_the_distinct_ids(counts: gates.Counts) -> None:
    distinct = max(1, int(np.count_nonzero(counts)))
    assert -1e-12 <= gates.entropy_nats(counts) <= math.log(distinct) + 1e-12


@given(COUNTS, st.randoms())
def test_entropy_does_not_depend_on_which_id_is_which(
    counts: gates.Counts, randomness: object
) -> None:
    shuffled = counts.copy()
    randomness.shuffle(shuffled)  # type: ignore[attr-defined]
    assert gates.entropy_nats(shuffled) == pytest.approx(gates.entropy_nats(counts))


def test_a_manifest_that_lies_about_the_ends_is_told_what_it_says(dataset_path: Path) -> None:
    dataset = read_dataset(dataset_path)
    lie = replace(dataset, manifest=replace(dataset.manifest, eos_token_count=5))
    gate = gates.end_of_text(gates.count_tokens(lie), lie)
    documents = dataset.manifest.documents
    assert not gate.passed
    assert (gate.value, gate.bound) == (documents, f"== {documents}, the manifest's 5")


def test_the_entropy_of_one_repeated_token_is_not_below_zero() -> None:
    gate = gates.entropy(np.array([7, 0]), gates.DEFAULT_THRESHOLDS)
    assert math.copysign(1.0, gate.value) == 1.0


def test_a_decoder_that_panics_is_a_refusal(dataset_path: Path, tmp_path: Path) -> None:
    whole = json.loads((dataset_path / "tokenizer.json").read_text())
    whole["decoder"] = {"type": "Strip", "content": "a", "start": 5, "stop": 10**6}
    (tmp_path / "tokenizer.json").write_text(json.dumps(whole))
    tokenizer = open_tokenizer(read_tokenizer(tmp_path))
    tokens = np.array([tokenizer.token_to_id("a")], dtype=np.uint32)
    with pytest.raises(DataInvalid, match=r"CORPUS-004.*fails to decode a sampled window: "):
        gates.decode(tokenizer, tokens)
