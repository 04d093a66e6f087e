from __future__ import annotations

import hashlib
import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pv_trainer.data import shard_writer
from pv_trainer.data.shard_writer import ShardWriter
from pv_trainer.errors import UsageError


if TYPE_CHECKING:
    from pathlib import Path


@settings(max_examples=25)
@given(
    st.lists(st.lists(st.integers(0, 2**32 - 1), max_size=30), max_size=12), st.integers(1, 25)
)
def test_no_token_is_lost_at_the_border_of_a_shard(
    tmp_path_factory: pytest.TempPathFactory, parts: list[list[int]], limit: int
) -> None:
    folder = tmp_path_factory.mktemp("shards")
    writer = ShardWriter(folder, limit)
    for part in parts:
        writer.add(np.array(part, dtype="<u4"))
    shards = writer.close()
    found = [n for s in shards for n in np.fromfile(folder / s.file, "<u4").tolist()]
    assert found == [n for part in parts for n in part]
    assert writer.total == len(found)
    assert all(shard.tokens == limit for shard in shards[:-1])
    for shard in shards:
        data = (folder / shard.file).read_bytes()
        assert (shard.sha256, shard.tokens * 4) == (hashlib.sha256(data).hexdigest(), len(data))


def test_a_shard_is_not_gathered_in_memory(tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path, 10**18)
    tokens = np.arange(2**16, dtype="<u4")
    tracemalloc.start()
    for _ in range(64):
        writer.add(tokens)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * tokens.nbytes
    assert [shard.tokens for shard in writer.close()] == [2**22]


def test_more_shards_than_names_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_writer, "MAX_SHARDS", 2)
    writer = ShardWriter(tmp_path, 1)
    with pytest.raises(UsageError, match=r"more than 2 would be needed; raise --shard-tokens"):
        writer.add(np.arange(3, dtype="<u4"))
    assert len(writer.close()) == 2
