"""New tensors filled from a checkpoint: one thread reads it, a few write what was read."""

from __future__ import annotations

import os
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import torch


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from concurrent.futures import Future

    from pv_trainer.formats.checkpoint_view import Checkpoint

MAX_WRITERS: Final = 4
"""Threads that write. One that reads and sums keeps up with about as many."""


def fill(checkpoint: Checkpoint, tensors: Mapping[str, torch.Tensor]) -> dict[str, int]:
    """Write every tensor from the checkpoint's one of its name; its non-finite values, by name.

    The calling thread reads the file in its order and verifies it, so the first thing wrong is
    what is reported. Others convert and write: to touch new memory takes longer than all else.
    They are as many as there are processors, at most `MAX_WRITERS`, whatever torch's number of
    threads is: that is about arithmetic. None of them is left afterwards, and none starts
    threads of torch, so a process may fork then. Beside the tensors memory holds two portions
    more than there are writers.

    Args:
        checkpoint: with all of these tensors, and maybe others, in dtypes of floating point.
        tensors: whatever their values are; of the checkpoint's shapes, on any device.

    Raises:
        InitInvalid: as `Checkpoint.stream`; what was written until then means nothing.
    """
    writers = min(MAX_WRITERS, len(os.sched_getaffinity(0)))
    portions = writers + 2
    written: Counter[str] = Counter()
    non_finite: Counter[str] = Counter()
    writing: deque[tuple[str, Future[int]]] = deque()

    def wait_for_all_but(count: int) -> None:
        while len(writing) > count:
            name, job = writing.popleft()
            non_finite[name] += job.result()

    with _one_thread_per_operation(), ThreadPoolExecutor(writers) as pool:
        for name, start, values in checkpoint.stream(portions):
            writing.append((name, pool.submit(_write, tensors.get(name), start, values)))
            written[name] += len(values)
            wait_for_all_but(portions - 1)
        wait_for_all_but(0)
    assert all(written[name] == values.numel() for name, values in tensors.items())
    return {name: non_finite[name] for name in tensors}


def _write(tensor: torch.Tensor | None, start: int, values: torch.Tensor) -> int:
    """Write values to their place, if they have one; how many of them are not finite."""
    if tensor is None:
        return 0
    target = tensor.view(-1)[start : start + len(values)]
    target.copy_(values)
    # The extremes are NaN or infinite if any value is, and take a tenth of the time.
    if all(map(torch.isfinite, torch.aminmax(values))):
        return 0
    return values.numel() - int(torch.isfinite(values).sum())


@contextmanager
def _one_thread_per_operation() -> Iterator[None]:
    """Let each operation be done by the thread that asks for it, also in new threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
