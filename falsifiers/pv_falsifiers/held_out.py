"""Token shards and their documents, read apart from the trainer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np


if TYPE_CHECKING:
    from pathlib import Path

    Array = np.ndarray[Any, np.dtype[Any]]


def read_tokens(folder: Path) -> Array:
    """Every token of a dataset, in order."""
    shards = [np.fromfile(file, dtype="<u4") for file in sorted(folder.glob("shard-*.bin"))]
    return np.concatenate(shards).astype(np.int64)


def validation_windows(
    folder: Path, seq_length: int, max_tokens: int = 8192
) -> tuple[Array, Array]:
    """Inputs and targets (N, T) of the windows that a run validates on.

    They are spread evenly over the dataset, the first and the last included, as many as fit
    into `max_tokens` targets and at least two.
    """
    tokens = read_tokens(folder)
    windows = (len(tokens) - 1) // seq_length
    count = min(windows, max(2, max_tokens // seq_length))
    starts = np.linspace(0, windows - 1, count).astype(np.int64) * seq_length
    rows = tokens[starts[:, None] + np.arange(seq_length + 1)]
    return rows[:, :-1], rows[:, 1:]


def unigram_cross_entropy(targets: Array) -> float:
    """The cross-entropy in nats of these targets under their own frequencies.

    No model that ignores what came before can do better on them.

    Source: Shannon, A Mathematical Theory of Communication, 1948, section 6.
    """
    _, counts = np.unique(targets, return_counts=True)
    shares = counts / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def document_digests(folder: Path) -> set[str]:
    """The sha256 of each document that a dataset was encoded from."""
    return set((folder / "documents.sha256").read_text(encoding="ascii").split())
