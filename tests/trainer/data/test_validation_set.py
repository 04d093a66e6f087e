from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pv_trainer.data.shards import Dataset, read_dataset
from pv_trainer.data.validation_set import choose_validation
from pv_trainer.errors import DataInvalid


if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def held_out(dataset_path: Path) -> Dataset:
    return read_dataset(dataset_path / "val")


def test_windows_are_spread_over_the_whole_set(held_out: Dataset) -> None:
    val = choose_validation(held_out, seq_length=16, batch_size=4, max_tokens=320)
    total = held_out.manifest.total_tokens
    assert val.ids_NT.shape == (20, 16)
    assert val.tokens == 320
    assert np.array_equal(val.ids_NT[0], held_out.read(0, 16))
    last = (total - 1) // 16 - 1
    assert np.array_equal(val.targets_NT[-1], held_out.read(last * 16 + 1, last * 16 + 17))


def test_a_small_set_is_used_whole(held_out: Dataset) -> None:
    val = choose_validation(held_out, seq_length=64, batch_size=4, max_tokens=10**9)
    assert len(val.ids_NT) == (held_out.manifest.total_tokens - 1) // 64


def test_the_id_is_of_the_tokens_and_their_shape(held_out: Dataset) -> None:
    def make_id(seq_length: int, batch_size: int, max_tokens: int) -> str:
        return choose_validation(
            held_out, seq_length=seq_length, batch_size=batch_size, max_tokens=max_tokens
        ).id

    assert make_id(16, 4, 320) == make_id(16, 8, 320)
    assert len({make_id(16, 4, 320), make_id(16, 4, 336), make_id(32, 4, 320)}) == 3


def test_one_window_has_no_standard_error(held_out: Dataset) -> None:
    small = replace(held_out, manifest=replace(held_out.manifest, total_tokens=128))
    with pytest.raises(DataInvalid, match=r"128 tokens do not fill two windows of 64"):
        choose_validation(small, seq_length=64, batch_size=4, max_tokens=1000)
