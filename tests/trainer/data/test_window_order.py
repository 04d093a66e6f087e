from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pv_trainer.data.window_order import windows_at


SEEDS = st.integers(0, 2**63 - 1)


def order(windows: int, seed: int = 0, turn: int = 0) -> list[int]:
    found: list[int] = windows_at(0, windows, windows=windows, seed=seed, turn=turn).tolist()
    return found


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 20_000), SEEDS, st.integers(0, 2**31))
def test_every_window_comes_once(windows: int, seed: int, turn: int) -> None:
    assert sorted(order(windows, seed, turn)) == list(range(windows))


@pytest.mark.parametrize("windows", [1, 2, 3, 4, 4095, 4096, 4097, 8192, 99_856, 99_857])
def test_every_window_comes_once_at_the_borders_of_blocks_and_squares(windows: int) -> None:
    assert sorted(order(windows)) == list(range(windows))


@given(st.data(), SEEDS)
def test_any_part_of_the_order_is_that_part_of_the_whole(
    data: st.DataObject, seed: int
) -> None:
    windows = data.draw(st.integers(1, 9000))
    start = data.draw(st.integers(0, windows))
    stop = data.draw(st.integers(start, windows))
    part = windows_at(start, stop, windows=windows, seed=seed, turn=1).tolist()
    assert part == order(windows, seed, 1)[start:stop]


def test_the_order_is_this_one_on_every_machine_and_version() -> None:
    """A resumed run reads on where another installation stopped."""
    assert order(12, seed=42) == [11, 2, 5, 1, 10, 0, 3, 4, 7, 8, 6, 9]
    far = windows_at(10**12, 10**12 + 3, windows=2**50, seed=42, turn=7).tolist()
    assert far == [136439384272746, 153443642531049, 729819035664604]


@given(SEEDS, SEEDS, st.integers(0, 100), st.integers(0, 100))
def test_seeds_and_passes_have_orders_of_their_own(
    seed: int, other: int, turn: int, later: int
) -> None:
    if (seed, turn) != (other, later):
        assert order(200, seed, turn) != order(200, other, later)


@pytest.mark.parametrize("windows", [2, 3, 4])
def test_small_orders_are_all_equally_likely(windows: int) -> None:
    draws = 4000
    counts = dict.fromkeys(itertools.permutations(range(windows)), 0)
    for seed in range(draws):
        counts[tuple(order(windows, seed))] += 1
    assert chi_square(list(counts.values()), draws) < limit(len(counts) - 1)


@pytest.mark.parametrize("windows", [7, 40])
def test_every_window_is_as_likely_at_every_place(windows: int) -> None:
    draws = 3000
    seen = np.zeros((windows, windows))
    for seed in range(draws):
        seen[np.arange(windows), order(windows, seed)] += 1
    found = ((seen - draws / windows) ** 2 / (draws / windows)).sum()
    assert found < limit((windows - 1) ** 2)


def test_neighbours_are_spread_over_the_whole_set() -> None:
    windows = 100_000
    steps = np.diff(order(windows, seed=3)) % windows
    counts, _ = np.histogram(steps, bins=50, range=(0, windows))
    assert chi_square(counts.tolist(), windows - 1) < limit(49)


def test_few_windows_of_very_many_take_little_memory() -> None:
    tracemalloc.start()
    found = windows_at(10**14, 10**14 + 16, windows=2**50, seed=5, turn=3)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(set(found.tolist())) == 16
    assert peak < 2**20


def chi_square(counts: list[int], draws: int) -> float:
    expected = draws / len(counts)
    return sum((count - expected) ** 2 / expected for count in counts)


def limit(degrees: int) -> float:
    """Four standard deviations above the mean of chi-square."""
    return float(degrees + 4 * (2 * degrees) ** 0.5)
