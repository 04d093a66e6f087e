"""Where a run stands between two updates, beside weights and moments."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final


if TYPE_CHECKING:
    from collections.abc import Mapping

LOSS_WINDOW: Final = 100
"""An epoch's train_loss is the mean of the last steps, this many."""


@dataclass(slots=True)
class Position:
    """What the rest of a run depends on and its options do not say.

    The schedule and the data order are functions of `step`, so it stands for both. No clock is
    in here: two runs of the same bits have equal positions.
    """

    step: int = 0
    """Updates done."""
    val_losses: list[float] = field(default_factory=list)
    """Of the epochs so far, in nats: what the stop rules look at."""
    val_errors: list[float] = field(default_factory=list)
    """Their standard errors."""
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=LOSS_WINDOW))
    """The last losses of training, oldest first."""
    grad_norm_max: float = 0.0
    """The largest gradient norm of the running epoch so far."""

    @property
    def epoch(self) -> int:
        """The number of the running epoch, from 0."""
        return len(self.val_losses)

    @property
    def train_loss(self) -> float | None:
        """The mean of the last losses of training; None before the first."""
        return math.fsum(self.recent) / len(self.recent) if self.recent else None

    def advance(self, loss: float, grad_norm: float) -> None:
        """Go on by one update, of this loss and gradient norm."""
        self.step += 1
        self.recent.append(loss)
        self.grad_norm_max = max(self.grad_norm_max, grad_norm)

    def close_epoch(self, val_loss: float, standard_error: float) -> None:
        """Go on to the next epoch."""
        self.val_losses.append(val_loss)
        self.val_errors.append(standard_error)
        self.grad_norm_max = 0.0

    def to_json(self) -> dict[str, Any]:
        """The position as JSON values; floats survive the way through JSON to the last bit."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {n: list(v) if isinstance(v, deque) else v for n, v in values.items()}


def parse_position(value: Mapping[str, Any]) -> Position:
    """The position that `Position.to_json` spelled.

    Raises:
        ValueError: a field is missing, unknown or of another type.
    """
    known = {f.name for f in fields(Position)}
    if not isinstance(value, dict) or value.keys() != known:
        raise ValueError(f"a position has the fields {', '.join(sorted(known))}")
    for name, given in value.items():
        plural = name in {"val_losses", "val_errors", "recent"}
        numbers = given if plural and isinstance(given, list) else [given]
        if not all(_is_number(number) for number in numbers):
            raise ValueError(f"{name}: {given!r} is no number or list of numbers")
    if not isinstance(value["step"], int) or value["step"] < 0:
        raise ValueError(f"step: {value['step']!r} is not a whole number from 0")
    if len(value["val_losses"]) != len(value["val_errors"]):
        raise ValueError("val_losses and val_errors differ in length")
    recent = deque(value["recent"], maxlen=LOSS_WINDOW)
    return Position(**{**value, "recent": recent})


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
