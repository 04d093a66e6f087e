"""One update of the weights: gradient of a batch, clip, step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pv_trainer import error_ids
from pv_trainer.errors import NumericalInstability
from pv_trainer.model.loss import IGNORE_INDEX, summed_loss
from pv_trainer.training.evaluation import to_device
from pv_trainer.training.optimizer import clip_gradients, set_rate


if TYPE_CHECKING:
    from pv_trainer.data.batches import Batch
    from pv_trainer.model.decoder import Decoder
    from pv_trainer.training.adamw import AdamW


def train_step(
    model: Decoder,
    optimizer: AdamW,
    batch: Batch,
    *,
    rate: float,
    grad_accum: int,
) -> tuple[float, float]:
    """Do one update; the batch's mean loss before it, and the gradient norm before clipping.

    Raises:
        NumericalInstability: one of the two is not finite; no weight has changed then.
    """
    set_rate(optimizer, rate)
    optimizer.zero_grad()
    loss = accumulate_gradient(model, batch, grad_accum)
    check_finite("train_loss", loss)
    grad_norm = clip_gradients(model)
    check_finite("grad_norm", grad_norm)
    optimizer.step()
    return loss, grad_norm


def accumulate_gradient(model: Decoder, batch: Batch, grad_accum: int) -> float:
    """Add the gradient of the batch's mean loss, in `grad_accum` parts; that loss in nats.

    The parts may hold unequally many targets: each is summed, and divided by the targets of
    the whole batch.
    """
    device = model.head_weight.device
    targets = int(np.count_nonzero(batch.targets_BT != IGNORE_INDEX))
    total = 0.0
    for ids_BT, targets_BT in zip(
        np.array_split(batch.ids_BT, grad_accum),
        np.array_split(batch.targets_BT, grad_accum),
        strict=True,
    ):
        loss, _ = summed_loss(model, to_device(ids_BT, device), to_device(targets_BT, device))
        (loss / targets).backward()  # type: ignore[no-untyped-call]
        total += float(loss.detach())
    return total / targets


def check_finite(name: str, value: float) -> None:
    """Establish that a measured number is finite.

    Raises:
        NumericalInstability: it is NaN or infinite.
    """
    if not math.isfinite(value):
        raise NumericalInstability(
            error_ids.NOT_FINITE, f"{name} is {value}", "lower --lr, or look at the data"
        )
