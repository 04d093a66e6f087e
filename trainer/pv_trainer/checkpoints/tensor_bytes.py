"""A tensor's bytes as a file holds them: row-major, little-endian."""

from __future__ import annotations

import torch


def as_bytes(values: torch.Tensor) -> torch.Tensor:
    """The tensor as uint8 on the CPU, in one dimension; no copy where it is there already."""
    return values.detach().cpu().contiguous().view(-1).view(torch.uint8)


def raw_bytes(values: torch.Tensor) -> memoryview:
    """The same bytes, to write or to digest."""
    data: memoryview = as_bytes(values).numpy().data
    return data
