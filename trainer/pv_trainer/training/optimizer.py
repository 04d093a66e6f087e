"""AdamW as this project uses it: decay on matrices only, one clip per update."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import torch

from pv_trainer.checkpoints.tensor_bytes import raw_bytes
from pv_trainer.training.adamw import STATE_KEYS, AdamW


if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

BETAS: Final = (0.9, 0.999)
EPS: Final = 1e-8
WEIGHT_DECAY: Final = 0.01
CLIP_NORM: Final = 1.0
_CLIP_EPS: Final = 1e-6
PREFIX: Final = "optimizer."


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
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    total = torch.nn.utils.get_total_norm(gradients)
    norm = float(total)
    # What torch's clip_grad_norm_ does, save for a multiplication by 1.
    if not norm <= CLIP_NORM - 2 * _CLIP_EPS:
        torch.nn.utils.clip_grads_with_norm_(model.parameters(), CLIP_NORM, total)
    return norm


def named_state(model: nn.Module, optimizer: AdamW) -> dict[str, torch.Tensor]:
    """The moments and step counters as `optimizer.<moment>.<parameter>`, not copied.

    Empty before the first update.
    """
    return {
        f"{PREFIX}{key}.{name}": values
        for name, parameter in model.named_parameters()
        for key, values in optimizer.state.get(parameter, {}).items()
    }


def restore_state(
    model: nn.Module, optimizer: AdamW, tensors: Mapping[str, torch.Tensor]
) -> None:
    """Give a fresh optimizer the moments of `tensors`: those of every parameter, or none.

    Raises:
        ValueError: a tensor is missing, left over, or of another shape; nothing is restored.
    """
    if not tensors:
        return
    shapes = {
        f"{PREFIX}{key}.{name}": (torch.Size() if key == "step" else parameter.shape)
        for name, parameter in model.named_parameters()
        for key in STATE_KEYS
    }
    found = {name: values.shape for name, values in tensors.items()}
    wrong = sorted(n for n in shapes.keys() | found.keys() if shapes.get(n) != found.get(n))
    if wrong:
        place = wrong[0]
        raise ValueError(
            f"{len(wrong)} tensors do not fit the model, first {place}: wanted "
            f"{_shape_text(shapes.get(place))}, found {_shape_text(found.get(place))}"
        )
    for name, parameter in model.named_parameters():
        optimizer.restore(
            parameter, {key: tensors[f"{PREFIX}{key}.{name}"] for key in STATE_KEYS}
        )


def state_digest(tensors: Mapping[str, torch.Tensor]) -> str:
    """sha256 over tensors by name: sorted names, each followed by a zero byte and its bytes.

    Names are UTF-8, values little-endian and row-major. A reader of a state file gets it again
    from the tensors whose names begin with `optimizer.`.
    """
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode() + b"\0")
        digest.update(raw_bytes(tensors[name]))
    return digest.hexdigest()


def _shape_text(shape: torch.Size | None) -> str:
    return "none" if shape is None else str(tuple(shape))


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
