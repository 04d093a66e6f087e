"""Batches as a pure function of the step: no state to save, none to replay.

Shape suffixes: B batch, T time; a window holds T + 1 tokens.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pv_trainer import error_ids
from pv_trainer.data.window_order import windows_at
from pv_trainer.errors import DataInvalid, StreamExhausted


if TYPE_CHECKING:
    from pv_trainer.data.shards import Dataset

    Tokens = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, slots=True)
class Batch:
    """One step's inputs and targets, both (B, T), and the digest of their tokens."""

    ids_BT: Tokens  # noqa: N815 - shape suffix
    targets_BT: Tokens  # noqa: N815 - shape suffix
    digest: str

    @property
    def tokens(self) -> int:
        """The number of targets."""
        return self.targets_BT.size


@dataclass(frozen=True, slots=True)
class TokenAccount:
    """Where the tokens of a dataset went: consumed + dropped = total.

    A token is consumed when it was a target in the first pass. The dropped ones are those that
    the budget left unread and those that filled no whole batch of that pass.
    """

    total: int
    consumed: int
    dropped: int
    seen: int
    """Targets over all steps, repeated passes counted again."""


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """The order in which a dataset's windows are read: shuffled anew in each pass, by the seed.

    Windows overlap by one token, so that every token but the first of all is a target once.
    """

    dataset: Dataset
    batch_size: int
    seq_length: int
    seed: int
    cycle: bool

    def __post_init__(self) -> None:
        if self.steps_per_pass < 1:
            raise DataInvalid(
                error_ids.EXHAUSTION,
                f"{self.dataset.path}: {self.dataset.manifest.total_tokens} tokens do not fill "
                f"one batch of {self.batch_size} x {self.seq_length} tokens",
                "lower --batch-size or --seq-length, or encode more text",
            )

    @property
    def windows(self) -> int:
        """The windows of one pass."""
        return (self.dataset.manifest.total_tokens - 1) // self.seq_length

    @property
    def steps_per_pass(self) -> int:
        """The whole batches of one pass."""
        return self.windows // self.batch_size

    def batch_at(self, step: int) -> Batch:
        """The batch of update `step`, counted from 0.

        Raises:
            StreamExhausted: the pass is over and cycling was not asked for.
        """
        turn, place = divmod(step, self.steps_per_pass)
        if turn and not self.cycle:
            raise StreamExhausted(
                error_ids.EXHAUSTION,
                f"{self.dataset.path}: its {self.dataset.manifest.total_tokens} tokens end "
                f"after {self.steps_per_pass} steps of {self.batch_size} x {self.seq_length}",
                "lower --num-steps, encode more text, or pass --cycle to read it again",
            )
        start = place * self.batch_size
        stop = start + self.batch_size
        chosen = windows_at(start, stop, windows=self.windows, seed=self.seed, turn=turn)
        return make_batch(self.dataset, chosen, self.seq_length)

    def account(self, steps: int) -> TokenAccount:
        """Where the tokens are after so many steps."""
        total = self.dataset.manifest.total_tokens
        per_step = self.batch_size * self.seq_length
        consumed = min(steps, self.steps_per_pass) * per_step
        return TokenAccount(total, consumed, total - consumed, steps * per_step)


def make_batch(dataset: Dataset, windows: Tokens, seq_length: int) -> Batch:
    """The batch of the windows with these numbers, one row each."""
    rows = np.stack(
        [dataset.read(n * seq_length, (n + 1) * seq_length + 1) for n in windows.tolist()]
    )
    digest = hashlib.sha256(rows.tobytes()).hexdigest()[:16]
    window_BT = rows.astype(np.int64)
    return Batch(ids_BT=window_BT[:, :-1], targets_BT=window_BT[:, 1:], digest=digest)
