"""Shards and documents as the checks read them, against hand-made ones and the trainer's."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, strategies as st

from pv_falsifiers import architectures, held_out
from pv_trainer.data.shards import read_dataset
from pv_trainer.data.validation_set import choose_validation


if TYPE_CHECKING:
    from pathlib import Path


def test_tokens_come_in_the_order_of_the_shards(tmp_path: Path) -> None:
    for number, tokens in enumerate(([1, 2], [3])):
        np.array(tokens, "<u4").tofile(tmp_path / f"shard-{number:05d}.bin")
    assert held_out.read_tokens(tmp_path).tolist() == [1, 2, 3]


@pytest.mark.parametrize(("seq_length", "max_tokens"), [(8, 8192), (5, 20), (8, 1)])
def test_the_windows_are_those_of_a_run(
    tmp_path: Path, seq_length: int, max_tokens: int
) -> None:
    tokenizer = architectures.write_tokenizer(tmp_path / "tokenizer.json", 300)
    folder = architectures.write_dataset(tmp_path / "dataset", tokenizer) / "val"
    wanted = choose_validation(
        read_dataset(folder), seq_length=seq_length, batch_size=2, max_tokens=max_tokens
    )
    ids_NT, targets_NT = held_out.validation_windows(folder, seq_length, max_tokens)
    assert np.array_equal(ids_NT, wanted.ids_NT)
    assert np.array_equal(targets_NT, wanted.targets_NT)


@given(st.integers(1, 50))
def test_equal_shares_give_the_logarithm_of_their_number(count: int) -> None:
    targets = np.arange(3 * count) % count
    assert held_out.unigram_cross_entropy(targets) == pytest.approx(math.log(count), abs=1e-12)


def test_documents_are_listed_by_digest(tmp_path: Path) -> None:
    (tmp_path / "documents.sha256").write_text("aa\nbb\naa\n", encoding="ascii")
    assert held_out.document_digests(tmp_path) == {"aa", "bb"}
