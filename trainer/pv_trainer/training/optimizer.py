"""AdamW as this project uses it: decay on matrices only, one clip per update."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import torch

from pv_trainer.training.adamw import AdamW


if TYPE_CHECKING:
    from torch import nn

BETAS: Final = (0.9, 0.999)
EPS: Final = 1e-8
WEIGHT_DECAY: Final = 0.01
CLIP_NORM: Final = 1.0


def make_optimizer(model: nn.Module) -> AdamW:
    """A fresh AdamW over every parameter of the model, its rate 0 until one is set.

    Norm weights and biases are not decayed: a vector's scale carries no redundancy to shrink.
    """
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": WEIGHT_DECAY},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return AdamW(groups, betas=BETAS, eps=EPS, fused=True)


def set_rate(optimizer: AdamW, rate: float) -> None:
    """Let the next update use `rate`, in every group."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def clip_gradients(model: nn.Module) -> float:
    """Scale the gradients to a global L2 norm of at most 1; the norm that they had before."""
    return float(torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM))


def state_digest(optimizer: AdamW) -> str:
    """sha256 over every moment and step counter, in the order of the parameters."""
    digest = hashlib.sha256()
    for tensor in _state_tensors(optimizer):
        digest.update(
            tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data
        )
    return digest.hexdigest()


def nonzero_state_values(optimizer: AdamW) -> int:
    """How many values of the moments and step counters are not zero; 0 means fresh."""
    return sum(int(torch.count_nonzero(tensor)) for tensor in _state_tensors(optimizer))


def _state_tensors(optimizer: AdamW) -> list[torch.Tensor]:
    return [
        value
        for group in optimizer.param_groups
        for parameter in group["params"]
        for _, value in sorted(optimizer.state.get(parameter, {}).items())
    ]
