"""The matrix product of this machine: what no model computes faster than."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import torch


if TYPE_CHECKING:
    from collections.abc import Callable

SIZES: Final = {"cpu": 2048, "cuda": 8192}
"""Rows and columns of the product, by kind of device: large enough to be all arithmetic."""
_ROUNDS: Final = 6


def matmul_flops_per_s(
    device: torch.device,
    dtype: torch.dtype,
    *,
    size: int | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Operations per second of the fastest of a few square matrix products.

    Args:
        device: where it is computed.
        dtype: of both factors and of the product.
        size: rows and columns; None for what `SIZES` has for the device.
        clock: seconds that never go back.
    """
    rows = size or SIZES[device.type]
    generator = torch.Generator().manual_seed(0)
    factor = torch.randn(rows, rows, generator=generator).to(device, dtype)
    fastest = float("inf")
    for _ in range(_ROUNDS):
        finish(device)
        started = clock()
        torch.mm(factor, factor)
        finish(device)
        fastest = min(fastest, clock() - started)
    return 2 * rows**3 / fastest


def finish(device: torch.device) -> None:
    """Wait until the device has done what it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
