"""The order in which windows are read: a permutation that is computed, never stored.

A Feistel network over pairs of numbers below `side`, the smallest whose square reaches the
number of windows; places that fall beyond the windows walk on until they fall inside. It is a
bijection for every number of windows, and takes the same small memory for ten and for 2^50.

Source: Black and Rogaway, Ciphers with Arbitrary Finite Domains, 2002, sections 4 and 5. The
keys come from sha256 and the rounds from splitmix64's finaliser (Steele et al., 2014): unlike
the streams of numpy's generators, neither changes with a version.
"""

from __future__ import annotations

import hashlib
import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np


if TYPE_CHECKING:
    Tokens = np.ndarray[Any, np.dtype[np.int64]]
    Words = np.ndarray[Any, np.dtype[np.uint64]]

_ROUNDS: Final = 8
_BLOCK: Final = 4096
"""Places that are computed at once: numpy's cost per call is that of hundreds of places."""
_MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2: Final = np.uint64(0x94D049BB133111EB)


def windows_at(start: int, stop: int, *, windows: int, seed: int, turn: int) -> Tokens:
    """The numbers of the windows that pass `turn` reads at the places from `start` to `stop`.

    Over all places of a pass each window comes exactly once.
    """
    assert 0 <= start <= stop <= windows
    parts = [
        _block(number, windows, seed, turn)[
            max(0, start - number * _BLOCK) : stop - number * _BLOCK
        ]
        for number in range(start // _BLOCK, -(-stop // _BLOCK))
    ]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)


@lru_cache(maxsize=4)
def _block(number: int, windows: int, seed: int, turn: int) -> Tokens:
    places = np.arange(number * _BLOCK, min(windows, (number + 1) * _BLOCK), dtype=np.uint64)
    side, keys = np.uint64(_side(windows)), _keys(seed, turn)
    found = _permute(places, side, keys)
    while len(outside := np.flatnonzero(found >= windows)):
        found[outside] = _permute(found[outside], side, keys)
    return found.astype(np.int64)


def _permute(places: Words, side: np.uint64, keys: Words) -> Words:
    left, right = np.divmod(places, side)
    for key in keys:
        left, right = right, (left + _mix(right ^ key) % side) % side
    return left * side + right


def _mix(words: Words) -> Words:
    words = (words ^ (words >> np.uint64(30))) * _MIX_1
    words = (words ^ (words >> np.uint64(27))) * _MIX_2
    return words ^ (words >> np.uint64(31))


def _keys(seed: int, turn: int) -> Words:
    digest = hashlib.shake_256(f"apr windows {seed} {turn}".encode()).digest(8 * _ROUNDS)
    return np.frombuffer(digest, dtype="<u8")


def _side(windows: int) -> int:
    """The smallest number whose square is not below `windows`."""
    return max(1, math.isqrt(windows - 1) + 1) if windows > 1 else 1
