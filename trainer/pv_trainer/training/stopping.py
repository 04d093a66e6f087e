"""When the validation losses end a run: pure rules over the losses of the epochs so far."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final


if TYPE_CHECKING:
    from collections.abc import Sequence

    from pv_trainer.training.regimes import Mode

DIVERGENCE_RATIO: Final = 2.0
FINETUNE_CEILING: Final = 10.0
"""Nats; random weights score ln V, which is below it for vocabularies up to 22,000."""

PATIENCE: Final = 2
FIRST_STOPPING_EPOCH: Final = 3


def first_epoch_ceiling(mode: Mode, vocab_size: int) -> float:
    """The validation loss in nats that epoch 0 must not exceed."""
    return FINETUNE_CEILING if mode == "finetune" else 2.0 * math.log(vocab_size)


def divergence(losses: Sequence[float], *, mode: Mode, vocab_size: int) -> str | None:
    """Why the last of these validation losses stops the run, or None.

    A loss of exactly twice the one before passes. There is no warning mode.
    """
    epoch = len(losses) - 1
    if epoch == 0:
        ceiling = first_epoch_ceiling(mode, vocab_size)
        if losses[0] > ceiling:
            return f"epoch 0: validation loss {losses[0]:.4f} is above {ceiling:.4f} ({mode})"
        return None
    bound = DIVERGENCE_RATIO * losses[-2]
    if losses[-1] > bound:
        return (
            f"epoch {epoch}: validation loss {losses[-1]:.4f} is above {bound:.4f}, "
            f"twice that of epoch {epoch - 1}"
        )
    return None


def early_stop(losses: Sequence[float], standard_errors: Sequence[float]) -> str | None:
    """Why training on is useless, or None.

    The last two epochs must each be worse than the best one before them by more than the
    standard error of that change; epochs 0 to 2 never stop a run. Both losses come from the
    same windows, so adding their errors as if independent makes the rule slower, never hasty.
    """
    epoch = len(losses) - 1
    if epoch < FIRST_STOPPING_EPOCH:
        return None
    earlier = losses[:-PATIENCE]
    best = min(range(len(earlier)), key=earlier.__getitem__)
    for n in range(epoch + 1 - PATIENCE, epoch + 1):
        change = losses[n] - losses[best]
        if change <= math.hypot(standard_errors[n], standard_errors[best]):
            return None
    return (
        f"epoch {epoch}: validation loss {losses[-1]:.4f} has been worse than "
        f"{losses[best]:.4f} of epoch {best} for {PATIENCE} epochs, beyond the standard error"
    )
