"""The windows that every validation of a run is measured on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pv_trainer import error_ids
from pv_trainer.data.batches import make_batch
from pv_trainer.errors import DataInvalid


if TYPE_CHECKING:
    from pv_trainer.data.shards import Dataset

    Tokens = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, slots=True)
class ValidationSet:
    """The windows that every validation of a run is measured on.

    Losses over different sets can't be compared, so the set has an id.
    """

    ids_NT: Tokens  # noqa: N815 - shape suffix
    targets_NT: Tokens  # noqa: N815 - shape suffix
    id: str
    """sha256 over shape and tokens, 16 hex digits."""
    batch_size: int
    """Windows per forward pass; part of the arithmetic in float32, not of the id."""

    @property
    def tokens(self) -> int:
        """The number of targets."""
        return self.targets_NT.size


def choose_validation(
    dataset: Dataset, *, seq_length: int, batch_size: int, max_tokens: int
) -> ValidationSet:
    """Windows spread evenly over the dataset, as many as fit into `max_tokens` targets.

    Raises:
        DataInvalid: the dataset does not fill two windows, so that no error can be stated.
    """
    windows = (dataset.manifest.total_tokens - 1) // seq_length
    count = min(windows, max(2, max_tokens // seq_length))
    if windows < 2:
        raise DataInvalid(
            error_ids.EXHAUSTION,
            f"{dataset.path}: {dataset.manifest.total_tokens} tokens do not fill two windows "
            f"of {seq_length} for validation",
            "lower --seq-length or hold out more",
        )
    chosen = np.linspace(0, windows - 1, count).astype(np.int64)
    batch = make_batch(dataset, chosen, seq_length)
    shape = str(batch.ids_BT.shape).encode()
    tokens = np.concatenate((batch.ids_BT, batch.targets_BT[:, -1:]), axis=1)
    digest = hashlib.sha256(shape + tokens.tobytes()).hexdigest()[:16]
    return ValidationSet(batch.ids_BT, batch.targets_BT, digest, batch_size)
