"""The optimizer before and after its first update, seen without the trainer's own counter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from pv_trainer.checkpoints.init import fresh_model
from pv_trainer.model.config import SHAPES
from pv_trainer.training.optimizer import make_optimizer, nonzero_state_values


if TYPE_CHECKING:
    from collections.abc import Mapping

    from pv_falsifiers.apr_bytes import Array
    from pv_harness.fixtures import Measure


def measure_state(measure: Measure) -> None:
    """Measure the state of a new optimizer, and whether the trainer's counter can count."""
    model = fresh_model(SHAPES["tiny-qwen2"], torch.Generator().manual_seed(0))
    optimizer = make_optimizer(model)
    values = [v for state in optimizer.state.values() for v in state.values()]
    measure("nonzero_state_values", sum(int(torch.count_nonzero(v)) for v in values))
    parameters = list(model.parameters())
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    measure("parameters_without_a_state", len({id(p) for p in parameters} - held))
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    counted = nonzero_state_values(optimizer) / sum(p.numel() for p in parameters)
    measure("state_values_per_parameter_after_an_update", counted)


def median_move(before: Mapping[str, Array], after: Mapping[str, Array]) -> float:
    """The median distance that a value of a matrix has moved; NaN if there is nothing after."""
    moves = [
        np.abs(after[name] - values).ravel()
        for name, values in before.items()
        if values.ndim > 1 and name in after
    ]
    return float(np.median(np.concatenate(moves))) if moves else float("nan")
