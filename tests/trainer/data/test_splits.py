from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, strategies as st

from pv_trainer.data.shards import read_dataset
from pv_trainer.data.splits import check_disjoint, split_of, unigram_cross_entropy
from pv_trainer.errors import DataInvalid


if TYPE_CHECKING:
    from pathlib import Path

SHARES = {"train": 0.7, "finetune": 0.2, "val": 0.1}


@given(st.binary())
def test_a_document_has_one_split_whatever_else_there_is(data: bytes) -> None:
    digest = hashlib.sha256(data).hexdigest()
    assert split_of(digest, SHARES) == split_of(digest, dict(SHARES))


@pytest.mark.parametrize(
    ("digest", "split"),
    [
        ("00000000", "train"),
        ("b3333332", "train"),
        ("b3333334", "finetune"),
        ("ffffffff", "val"),
    ],
)
def test_the_leading_bits_choose_the_split(digest: str, split: str) -> None:
    assert split_of(digest + "0" * 56, SHARES) == split


def test_another_seed_holds_out_other_documents() -> None:
    digests = [hashlib.sha256(str(n).encode()).hexdigest() for n in range(2000)]
    held_out = [
        {digest for digest in digests if split_of(digest, SHARES, seed) == "val"}
        for seed in (0, 1, 2)
    ]
    assert all(150 < len(found) < 250 for found in held_out)
    assert all(len(held_out[n] & held_out[n - 1]) < 60 for n in range(3))


def test_shares_come_out_as_asked_for() -> None:
    digests = [hashlib.sha256(str(n).encode()).hexdigest() for n in range(4000)]
    held_out = sum(split_of(digest, SHARES) == "val" for digest in digests)
    assert held_out == pytest.approx(400, abs=80)


def test_held_out_documents_are_not_in_training(dataset_path: Path) -> None:
    check_disjoint(read_dataset(dataset_path), read_dataset(dataset_path / "val"))


def test_a_shared_document_is_refused(dataset_path: Path) -> None:
    dataset = read_dataset(dataset_path)
    count = dataset.manifest.documents
    with pytest.raises(DataInvalid, match=rf"CORPUS-005.* {count} of its {count} documents"):
        check_disjoint(dataset, dataset)


def test_the_unigram_entropy_of_equal_counts_is_ln_n() -> None:
    targets = np.repeat(np.arange(8), 5).reshape(4, 10)
    assert unigram_cross_entropy(targets) == pytest.approx(math.log(8))


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40))
def test_no_other_unigram_model_scores_lower(values: list[int]) -> None:
    own = unigram_cross_entropy(np.array(values))
    uniform = math.log(6)
    assert -1e-12 <= own <= uniform + 1e-12


def test_a_shared_shard_is_refused_whatever_the_documents_are_called(
    dataset_path: Path,
) -> None:
    train, val = read_dataset(dataset_path), read_dataset(dataset_path / "val")
    shards = (*val.manifest.shards, train.manifest.shards[1])
    copied = replace(val, manifest=replace(val.manifest, shards=shards))
    with pytest.raises(DataInvalid, match=r"CORPUS-005.*shard-00001.bin: the same tokens as"):
        check_disjoint(train, copied)
