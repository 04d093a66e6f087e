"""The two ways to train, each with the numbers that belong together."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal


if TYPE_CHECKING:
    from collections.abc import Mapping

Mode = Literal["finetune", "from-scratch"]


@dataclass(frozen=True, slots=True)
class Regime:
    """Peak learning rate, warm-up in updates and target validation loss in nats, as one."""

    mode: Mode
    lr: float
    warmup_steps: int
    target_val_loss: float


REGIMES: Final[Mapping[Mode, Regime]] = MappingProxyType(
    {
        "finetune": Regime("finetune", lr=5e-5, warmup_steps=100, target_val_loss=2.2),
        "from-scratch": Regime("from-scratch", lr=3e-4, warmup_steps=1000, target_val_loss=3.0),
    }
)


def choose_regime(
    mode: Mode | None,
    *,
    from_init: bool,
    lr: float | None = None,
    warmup_steps: int | None = None,
    target_val_loss: float | None = None,
) -> Regime:
    """The regime of `mode`, or of how the run starts; a value that was given always wins."""
    default = REGIMES[mode or ("finetune" if from_init else "from-scratch")]
    return Regime(
        mode=default.mode,
        lr=default.lr if lr is None else lr,
        warmup_steps=default.warmup_steps if warmup_steps is None else warmup_steps,
        target_val_loss=default.target_val_loss if target_val_loss is None else target_val_loss,
    )
