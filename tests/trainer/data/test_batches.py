from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from pv_trainer.data.batches import BatchPlan
from pv_trainer.data.shards import Dataset, read_dataset
from pv_trainer.errors import DataInvalid, StreamExhausted


if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def dataset(dataset_path: Path) -> Dataset:
    return read_dataset(dataset_path)


def plan(dataset: Dataset, *, seed: int = 1, cycle: bool = False) -> BatchPlan:
    return BatchPlan(dataset, batch_size=8, seq_length=32, seed=seed, cycle=cycle)


def test_targets_are_the_inputs_shifted_by_one(dataset: Dataset) -> None:
    batch = plan(dataset).batch_at(3)
    assert batch.ids_BT.shape == batch.targets_BT.shape == (8, 32)
    assert np.array_equal(batch.ids_BT[:, 1:], batch.targets_BT[:, :-1])
    assert batch.tokens == 256


def test_a_pass_reads_every_window_once(dataset: Dataset) -> None:
    order = plan(dataset)
    tokens = dataset.read(0, dataset.manifest.total_tokens)
    rows = [row for step in range(order.steps_per_pass) for row in order.batch_at(step).ids_BT]
    windows = {tokens[n * 32 : n * 32 + 32].tobytes() for n in range(order.windows)}
    seen = [row.astype("<u4").tobytes() for row in rows]
    assert set(seen) <= windows
    assert len(seen) == order.steps_per_pass * 8 > order.windows - 8


def test_a_batch_depends_on_seed_and_step_alone(dataset: Dataset) -> None:
    first = plan(dataset).batch_at(5)
    plan(dataset).batch_at(2)
    assert plan(dataset).batch_at(5).digest == first.digest
    assert plan(dataset, seed=2).batch_at(5).digest != first.digest
    assert plan(dataset).batch_at(6).digest != first.digest


def test_the_end_of_the_data_is_an_error_and_never_a_batch(dataset: Dataset) -> None:
    order = plan(dataset)
    order.batch_at(order.steps_per_pass - 1)
    with pytest.raises(StreamExhausted, match=r"INV-TRAIN-011.*tokens end after \d+ steps"):
        order.batch_at(order.steps_per_pass)


def test_a_second_pass_has_another_order(dataset: Dataset) -> None:
    order = plan(dataset, cycle=True)
    again = order.batch_at(order.steps_per_pass)
    assert again.digest != order.batch_at(0).digest


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 500), st.integers(1, 40), st.integers(1, 200))
def test_consumed_and_dropped_tokens_add_up(
    dataset: Dataset, steps: int, batch_size: int, seq_length: int
) -> None:
    if (dataset.manifest.total_tokens - 1) // seq_length < batch_size:
        return
    order = BatchPlan(dataset, batch_size, seq_length, seed=0, cycle=True)
    account = order.account(steps)
    assert account.consumed + account.dropped == account.total
    assert account.dropped >= 1  # the first token of all has none before it
    assert account.seen == steps * batch_size * seq_length


def test_data_that_fills_no_batch_is_refused(dataset: Dataset) -> None:
    small = replace(dataset, manifest=replace(dataset.manifest, total_tokens=256))
    with pytest.raises(DataInvalid, match=r"256 tokens do not fill one batch of 8 x 32"):
        plan(small)


@pytest.mark.parametrize("cycle", [False, True])
def test_the_account_is_what_reading_counts(dataset: Dataset, *, cycle: bool) -> None:
    """Over shards of 3,000 tokens, windows across their borders, a last batch not filled."""
    order = BatchPlan(dataset, batch_size=6, seq_length=37, seed=3, cycle=cycle)
    total = dataset.manifest.total_tokens
    assert order.windows % 6
    assert any(end % 37 for end in dataset.ends[:-1])
    steps = 2 * order.steps_per_pass + 5 if cycle else order.steps_per_pass
    counts = np.zeros(total, dtype=int)
    places = token_places(dataset, 37)
    for step in range(steps):
        batch = order.batch_at(step)
        for row, targets in zip(batch.ids_BT, batch.targets_BT, strict=True):
            start = places[(*row.tolist(), int(targets[-1]))]
            if step < order.steps_per_pass:
                counts[start + 1 : start + 38] += 1
    account = order.account(steps)
    assert counts.max() == 1
    assert account.consumed == counts.sum()
    assert account.dropped == total - counts.sum() == total - order.steps_per_pass * 6 * 37
    assert account.seen == steps * 6 * 37


def token_places(dataset: Dataset, length: int) -> dict[tuple[int, ...], int]:
    """Window -> where it starts; the made-up texts hold no window twice."""
    total = dataset.manifest.total_tokens
    starts = range(0, total - length, length)
    found = {tuple(dataset.read(n, n + length + 1).tolist()): n for n in starts}
    assert len(found) == len(starts)
    return found
