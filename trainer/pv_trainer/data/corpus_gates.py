"""The gates between a corpus and a training run: each measures one thing and has a bound.

They run when a corpus is encoded and again before it is trained on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pv_trainer import error_ids
from pv_trainer.data.tokenizer import failures_as
from pv_trainer.errors import DataInvalid


if TYPE_CHECKING:
    from pathlib import Path

    from tokenizers import Tokenizer

    from pv_trainer.data.shards import Dataset
    from pv_trainer.data.tokenizer import TokenizerInfo

    Counts = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The bounds of the gates. A text in any script is far from all of them."""

    max_unknown_share: float = 0.01
    min_entropy_bits: float = 3.0
    min_distinct_ids: int = 32


DEFAULT_THRESHOLDS: Final = Thresholds()
_BLOCK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate's measurement and whether it is within the bound."""

    id: str
    metric: str
    value: float
    bound: str
    passed: bool


def check_corpus(
    dataset: Dataset,
    info: TokenizerInfo,
    tokenizer: Tokenizer,
    thresholds: Thresholds,
    *,
    place: Path,
) -> tuple[Gate, ...]:
    """The measurements of all gates, every one of them passed; a failure is told of `place`.

    Raises:
        DataInvalid: a gate failed; carries the ID of the first and names every one.
    """
    counts = count_tokens(dataset)
    gates = (
        unknown_share(counts, info, thresholds),
        entropy(counts, thresholds),
        distinct_ids(counts, thresholds),
        round_trip(dataset, tokenizer),
        end_of_text(counts, dataset),
        id_range(counts, info),
    )
    if failed := [gate for gate in gates if not gate.passed]:
        raise DataInvalid(
            failed[0].id,
            f"{place}: " + ", ".join(_describe(gate) for gate in failed),
            "look at the text, then at the tokenizer that encoded it",
        )
    return gates


def count_tokens(dataset: Dataset) -> Counts:
    """How often each id below the manifest's vocabulary size occurs."""
    counts = np.zeros(dataset.manifest.vocab_size, dtype=np.int64)
    for shard in dataset.shards:
        # In blocks, since bincount makes 64-bit numbers of all that it is given.
        for start in range(0, len(shard), _BLOCK):
            counts += np.bincount(shard[start : start + _BLOCK], minlength=len(counts))
    return counts


def unknown_share(counts: Counts, info: TokenizerInfo, thresholds: Thresholds) -> Gate:
    """The share of tokens that are the unknown token; 0 if the tokenizer has none."""
    unknown = 0 if info.unk_id is None or info.unk_id >= len(counts) else counts[info.unk_id]
    share = float(unknown) / max(1, int(counts.sum()))
    bound = thresholds.max_unknown_share
    passed = share <= bound
    return Gate(error_ids.CORPUS_UNKNOWN, "unknown_share", share, f"<= {bound}", passed)


def entropy(counts: Counts, thresholds: Thresholds) -> Gate:
    """The Shannon entropy of the ids, in bits."""
    bits = max(0.0, entropy_nats(counts) / math.log(2.0))  # never -0.0
    bound = thresholds.min_entropy_bits
    return Gate(error_ids.CORPUS_ENTROPY, "entropy_bits", bits, f">= {bound}", bits >= bound)


def distinct_ids(counts: Counts, thresholds: Thresholds) -> Gate:
    """How many ids occur at all."""
    found = int(np.count_nonzero(counts))
    bound = thresholds.min_distinct_ids
    return Gate(error_ids.CORPUS_DISTINCT, "distinct_ids", found, f">= {bound}", found >= bound)


def round_trip(dataset: Dataset, tokenizer: Tokenizer) -> Gate:
    """How many sampled windows of tokens do not decode to their source text."""
    wrong = sum(
        decode(tokenizer, dataset.read(sample.offset, sample.offset + sample.tokens))
        != sample.text
        for sample in dataset.samples
    )
    if not dataset.samples:
        return Gate(error_ids.CORPUS_ROUND_TRIP, "sampled_windows", 0, ">= 1", passed=False)
    metric = f"windows_not_round_trip_of_{len(dataset.samples)}"
    return Gate(error_ids.CORPUS_ROUND_TRIP, metric, wrong, "== 0", wrong == 0)


def end_of_text(counts: Counts, dataset: Dataset) -> Gate:
    """How many end-of-text tokens there are; the policy fixes the number."""
    manifest = dataset.manifest
    expected = expected_eos(manifest.eos_policy, manifest.documents)
    eos = manifest.eos_token_id
    found = 0 if eos is None or eos >= len(counts) else int(counts[eos])
    told = manifest.eos_token_count
    bound = f"== {expected}" if told == expected else f"== {expected}, the manifest's {told}"
    return Gate(
        error_ids.CORPUS_EOS, "eos_token_count", found, bound, found == expected == told
    )


def id_range(counts: Counts, info: TokenizerInfo) -> Gate:
    """The largest id that occurs; the tokenizer has to know it."""
    used = np.flatnonzero(counts)
    largest = int(used[-1]) if len(used) else -1
    bound = info.vocab_size
    return Gate(error_ids.CORPUS_ID_RANGE, "largest_id", largest, f"< {bound}", largest < bound)


def expected_eos(policy: str, documents: int) -> int:
    """The number of end-of-text tokens that a policy puts into so many documents."""
    if policy == "none":
        return 0
    return documents if policy == "after" else max(0, documents - 1)


def entropy_nats(counts: Counts) -> float:
    """The entropy of the distribution that the counts show, in nats; 0 for no counts.

    It is also the cross-entropy of the best unigram model of these tokens.

    Source: Shannon, A Mathematical Theory of Communication, 1948, section 6.
    """
    used = counts[counts > 0].astype(np.float64)
    shares = used / used.sum() if len(used) else used
    return float(-(shares * np.log(shares)).sum())


def decode(tokenizer: Tokenizer, tokens: np.ndarray[Any, np.dtype[np.uint32]]) -> str:
    """The text of the tokens, special ones included.

    Raises:
        DataInvalid: the tokenizer fails.
    """
    with failures_as(_undecodable):
        text: str = tokenizer.decode(tokens.tolist(), skip_special_tokens=False)
    return text


def _undecodable(told: str) -> DataInvalid:
    what = f"the tokenizer fails to decode a sampled window: {told}"
    return DataInvalid(error_ids.CORPUS_ROUND_TRIP, what)


def _describe(gate: Gate) -> str:
    return f"{gate.metric} is {gate.value:g}, must be {gate.bound} ({gate.id})"
