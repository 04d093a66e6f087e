"""The learning rate as a pure function of the update's number."""

from __future__ import annotations

import math


def minimum_rate(peak: float) -> float:
    """The rate at which the cosine ends: a hundredth of the peak, and never below 1e-7."""
    return max(peak * 1e-2, 1e-7)


def learning_rate(step: int, *, peak: float, warmup_steps: int, num_steps: int) -> float:
    """The rate of update number `step`: linear from 0, then a cosine to the minimum rate.

    Step 0 is the state before any update, so update 1 is the first that moves a weight, update
    `warmup_steps` runs at `peak` and update `num_steps` at `minimum_rate(peak)`. A warm-up
    that is longer than the run never reaches the peak.

    Source: Loshchilov and Hutter, SGDR, 2017, eq. 5, with one cycle.
    """
    if step < warmup_steps:
        return peak * step / warmup_steps
    if step >= num_steps:
        return minimum_rate(peak)
    progress = (step - warmup_steps) / (num_steps - warmup_steps)
    floor = minimum_rate(peak)
    return floor + (peak - floor) * 0.5 * (1.0 + math.cos(math.pi * progress))
