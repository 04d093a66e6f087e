from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pv_trainer.data import mapped_shards
from pv_trainer.data.shards import read_dataset
from pv_trainer.errors import DataInvalid


if TYPE_CHECKING:
    from collections.abc import Callable


def cut_short(file: Path) -> None:
    os.truncate(file, 0)


def write_into(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.write(b"\xff" * 64)
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 1))


def replace(file: Path) -> None:
    other = file.with_name("other")
    other.write_bytes(file.read_bytes())
    other.replace(file)


@pytest.mark.parametrize("change", [cut_short, write_into, replace])
@pytest.mark.parametrize("looked_at", [1, 2000])
def test_a_shard_that_changes_after_it_was_checked_is_refused_at_the_next_look(
    dataset_copy: Path, change: Callable[[Path], None], looked_at: int
) -> None:
    dataset = read_dataset(dataset_copy)
    dataset.read(2000, 2000 + looked_at)
    change(dataset_copy / "shard-00001.bin")
    assert len(dataset.read(0, 3000)) == 3000
    with pytest.raises(DataInvalid, match=r"CORPUS-008.*shard-00001.bin: changed after it was"):
        dataset.read(2990, 3010)


def test_a_shard_that_is_removed_stays_as_it_was_while_it_is_mapped(dataset_copy: Path) -> None:
    dataset = read_dataset(dataset_copy)
    before = dataset.read(0, 100).copy()
    (dataset_copy / "shard-00000.bin").unlink()
    (dataset_copy / "shard-00001.bin").unlink()
    assert np.array_equal(dataset.read(0, 100), before)
    with pytest.raises(DataInvalid, match=r"CORPUS-008.*shard-00001.bin.*No such file"):
        dataset.read(3000, 3100)


def test_more_shards_than_a_process_may_open_are_read(
    dataset_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapped_shards, "MOST_OPEN", 2)
    dataset = read_dataset(dataset_path)
    assert len(dataset.shards) > 3
    open_before = len(list(Path("/proc/self/fd").iterdir()))
    whole = np.concatenate([shard.copy() for shard in dataset.shards])
    assert len(list(Path("/proc/self/fd").iterdir())) <= open_before + 2
    assert np.array_equal(dataset.read(0, len(whole)), whole)
