"""Held-out data: disjoint from training by document, and what a unigram model scores on it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from pv_trainer import error_ids
from pv_trainer.data.corpus_gates import entropy_nats
from pv_trainer.errors import DataInvalid


if TYPE_CHECKING:
    from collections.abc import Mapping

    from pv_trainer.data.shards import Dataset


def split_of(document_sha256: str, shares: Mapping[str, float], seed: int = 0) -> str:
    """The split that a document belongs to, by the leading 32 bits of its digest.

    Equal documents always fall into the same split. The shares are in order and sum to 1. A
    seed other than 0 takes the digest of seed and digest instead.
    """
    if seed:
        document_sha256 = hashlib.sha256(f"{seed} {document_sha256}".encode()).hexdigest()
    place = int(document_sha256[:8], 16) / 2**32
    edge = 0.0
    for name, share in shares.items():
        edge += share
        if place < edge:
            return name
    return list(shares)[-1]


def check_disjoint(train: Dataset, val: Dataset) -> None:
    """Establish that no document of `val` is in `train`, and no shard of tokens.

    Only the digests of the one with fewer documents are held in memory.

    Raises:
        DataInvalid: they share a document or a shard; the message counts them and names one.
        OSError: a list of digests can't be read any more.
    """
    few, many = sorted((train, val), key=lambda dataset: dataset.manifest.documents)
    held = {digest for block in few.document_digests() for digest in block}
    shared = {
        digest for block in many.document_digests() for digest in held.intersection(block)
    }
    if shared:
        copies = sum(digest in shared for block in val.document_digests() for digest in block)
        raise DataInvalid(
            error_ids.CORPUS_DISJOINT,
            f"{val.path}: {copies} of its {val.manifest.documents} documents are also "
            f"in {train.path}, for one {min(shared).decode()[:16]}",
            "split the documents with apr tokenize encode --hold-out",
        )
    tokens = {shard.sha256: train.path / shard.file for shard in train.manifest.shards}
    for shard in val.manifest.shards:
        if shard.sha256 in tokens:
            raise DataInvalid(
                error_ids.CORPUS_DISJOINT,
                f"{val.path / shard.file}: the same tokens as {tokens[shard.sha256]}",
                "split the documents with apr tokenize encode --hold-out",
            )


def unigram_cross_entropy(targets: np.ndarray[Any, np.dtype[np.int64]]) -> float:
    """The cross-entropy in nats of the targets under their own counts.

    No model that ignores context scores lower on them, whatever it was trained on.
    """
    return entropy_nats(np.bincount(targets.ravel()))
