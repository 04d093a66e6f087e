"""The validation loss of a model, with its standard error."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pv_trainer.model.loss import chunk_size, token_losses


if TYPE_CHECKING:
    from pv_trainer.data.validation_set import ValidationSet
    from pv_trainer.model.decoder import Decoder

    Tokens = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, slots=True)
class Validation:
    """A validation loss in nats per token and what it was measured on."""

    loss: float
    standard_error: float
    """Of the mean over windows: tokens of one window are not independent."""
    tokens: int
    val_set_id: str
    window_losses: tuple[float, ...]

    @property
    def ppl(self) -> float:
        """The perplexity."""
        return perplexity(self.loss)


def perplexity(loss: float) -> float:
    """The perplexity, e to the loss, capped below the largest float."""
    return math.exp(min(loss, 709.0))


def evaluate(model: Decoder, val: ValidationSet) -> Validation:
    """The mean next-token loss of the model on the set, summed in float64; no gradient."""
    losses: list[float] = []
    for start in range(0, len(val.ids_NT), val.batch_size):
        part = slice(start, start + val.batch_size)
        losses += window_losses(model, val.ids_NT[part], val.targets_NT[part])
    mean = math.fsum(losses) / len(losses)
    variance = math.fsum((loss - mean) ** 2 for loss in losses) / (len(losses) - 1)
    error = math.sqrt(variance / len(losses))
    return Validation(mean, error, val.tokens, val.id, tuple(losses))


def window_losses(model: Decoder, ids_BT: Tokens, targets_BT: Tokens) -> list[float]:
    """The mean loss of each window in nats, the windows computed as one batch."""
    weight_VD = model.head_weight
    ids = to_device(ids_BT, weight_VD.device)
    targets = to_device(targets_BT, weight_VD.device)
    with torch.no_grad():
        x_ND = model.hidden(ids).flatten(0, 1)
        each_N = token_losses(x_ND, weight_VD, targets.flatten(), chunk_size(weight_VD))
    losses: list[float] = each_N.view(targets.shape).mean(1, dtype=torch.float64).tolist()
    return losses


def to_device(tokens: Tokens, device: torch.device) -> torch.Tensor:
    """The tokens as a tensor on `device`."""
    return torch.from_numpy(np.ascontiguousarray(tokens)).to(device)
