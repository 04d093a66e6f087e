"""Updates of a model on made-up tokens, timed as a run does them.

Shape suffixes: B batch, T time.
"""

from __future__ import annotations

import hashlib
import resource
import statistics
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from pv_trainer.data.batches import Batch
from pv_trainer.speed.ceiling import finish
from pv_trainer.training.optimizer import make_optimizer
from pv_trainer.training.update import train_step


if TYPE_CHECKING:
    from collections.abc import Callable

    from pv_trainer.model.decoder import Decoder
    from pv_trainer.training.options import PretrainOptions

_RATE: Final = 1e-5
"""Too low to change what is measured: random tokens teach nothing."""


@dataclass(frozen=True, slots=True)
class UpdateTimes:
    """Seconds that updates took, and the memory that they needed."""

    first_s: float
    """The first update, in which memory is laid out and kernels are chosen or compiled."""
    each_s: tuple[float, ...]
    tokens: int
    """Targets of one update."""
    peak_memory_bytes: int

    @property
    def median_s(self) -> float:
        """The median of the updates after the first."""
        return statistics.median(self.each_s)

    @property
    def tokens_per_s(self) -> float:
        """Targets per second in the median update."""
        return self.tokens / self.median_s


def time_updates(
    model: Decoder,
    options: PretrainOptions,
    updates: int,
    *,
    clock: Callable[[], float] = time.perf_counter,
    report: Callable[[int], None] = lambda _: None,
) -> UpdateTimes:
    """Do one update and then as many as are asked for, each timed to its end on the device.

    What a run does per update is in it, the digest of the batch and both numbers read back
    included; reading tokens from shards is not. Peak memory is that of the device on CUDA, and
    that of the whole process on the CPU.

    Args:
        model: is changed.
        options: of these, the batch and the seed of its tokens are looked at.
        updates: how many are timed after the first, at least 1.
        clock: seconds that never go back.
        report: told after each update how many are done, the first included.

    Raises:
        NumericalInstability: a loss or a gradient is not finite.
    """
    device = model.head_weight.device
    optimizer = make_optimizer(model)
    generator = np.random.default_rng(options.seed)
    shape = (options.batch_size, options.seq_length + 1)
    seconds = []
    for done in range(updates + 1):
        rows = generator.integers(0, model.config.vocab_size, shape, dtype=np.uint32)
        started = clock()
        batch = _as_batch(rows)
        train_step(model, optimizer, batch, rate=_RATE, grad_accum=options.grad_accum)
        finish(device)
        seconds.append(clock() - started)
        report(done + 1)
    tokens = options.batch_size * options.seq_length
    return UpdateTimes(seconds[0], tuple(seconds[1:]), tokens, _peak_memory(device))


def _as_batch(rows: np.ndarray[tuple[int, int], np.dtype[np.uint32]]) -> Batch:
    digest = hashlib.sha256(rows.tobytes()).hexdigest()[:16]
    window_BT = rows.astype(np.int64)
    return Batch(window_BT[:, :-1], window_BT[:, 1:], digest)


def _peak_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
