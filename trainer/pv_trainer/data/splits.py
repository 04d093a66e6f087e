"""Held-out data: disjoint from training by document, and what a unigram model scores on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pv_trainer import error_ids
from pv_trainer.data.corpus_gates import entropy_nats
from pv_trainer.errors import DataInvalid


if TYPE_CHECKING:
    from collections.abc import Mapping

    from pv_trainer.data.shards import Dataset


def split_of(document_sha256: str, shares: Mapping[str, float]) -> str:
    """The split that a document belongs to, by the leading 32 bits of its digest.

    Equal documents always fall into the same split. The shares are in order and sum to 1.
    """
    place = int(document_sha256[:8], 16) / 2**32
    edge = 0.0
    for name, share in shares.items():
        edge += share
        if place < edge:
            return name
    return list(shares)[-1]


def check_disjoint(train: Dataset, val: Dataset) -> None:
    """Establish that no document of `val` is in `train`.

    Raises:
        DataInvalid: they share a document; the message counts them and names one.
    """
    shared = sorted(train.document_digests & val.document_digests)
    if shared:
        raise DataInvalid(
            error_ids.CORPUS_DISJOINT,
            f"{val.path}: {len(shared)} of its {len(val.document_digests)} documents are also "
            f"in {train.path}, for one {shared[0][:16]}",
            "split the documents with apr tokenize encode --hold-out",
        )


def unigram_cross_entropy(targets: np.ndarray[Any, np.dtype[np.int64]]) -> float:
    """The cross-entropy in nats of the targets under their own counts.

    No model that ignores context scores lower on them, whatever it was trained on.
    """
    return entropy_nats(np.bincount(targets.ravel()))
