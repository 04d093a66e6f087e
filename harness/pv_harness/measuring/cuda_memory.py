"""Whether work was done on a GPU, by what torch's allocator says before and after it.

Memory that is still held from before says nothing about what runs now, and neither does the
peak that somebody else left in the same process.

Source: https://docs.pytorch.org/docs/stable/generated/torch.cuda.memory.memory_stats.html
"""

from __future__ import annotations

import sys
from itertools import zip_longest
from typing import NamedTuple


class DeviceMemory(NamedTuple):
    """What was allocated on one device so far.

    Attributes:
        peak_bytes: the most at once, since the last `reset_peak`.
        total_bytes: the sum of all allocations, which never falls; with the allocator
            cudaMallocAsync it stays 0.
    """

    peak_bytes: int = 0
    total_bytes: int = 0


Memory = tuple[DeviceMemory, ...]
_NOTHING = DeviceMemory()


def read_memory() -> Memory:
    """What torch has allocated in this process, by device; empty if CUDA was never used."""
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    if cuda is None or not cuda.is_initialized():
        return ()
    return tuple(
        DeviceMemory(
            int(cuda.max_memory_allocated(device)),
            int(cuda.memory_stats(device).get("allocated_bytes.all.allocated", 0)),
        )
        for device in range(cuda.device_count())
    )


def reset_peak() -> None:
    """From now on the peak is that of what is held now and of what follows."""
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    if cuda is not None and cuda.is_initialized():
        for device in range(cuda.device_count()):
            cuda.reset_peak_memory_stats(device)


def peak_since(before: Memory) -> int:
    """The most bytes held at once on a device that was used since; 0 if none was."""
    pairs = zip_longest(read_memory(), before, fillvalue=_NOTHING)
    return max(
        (
            now.peak_bytes
            for now, then in pairs
            if now.total_bytes > then.total_bytes or now.peak_bytes > then.peak_bytes
        ),
        default=0,
    )
