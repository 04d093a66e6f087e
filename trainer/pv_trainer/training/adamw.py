"""AdamW on torch's own kernels, with torch's state, and without torch's Optimizer class.

That class imports torch's compiler as soon as one is made: more than a second of every short
run, for a function that is not compiled. The arithmetic is torch's; a test holds the two
together bit for bit.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import torch
from torch.optim.adamw import adamw


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

STATE_KEYS: Final = ("step", "exp_avg", "exp_avg_sq")


class AdamW:
    """Decoupled weight decay with bias-corrected moments, in float32.

    Attributes:
        param_groups: dicts of `params`, `weight_decay` and `lr`, which is 0 until it is set.
        state: parameter -> `step` (a float32 scalar), `exp_avg` and `exp_avg_sq` (of the
            parameter's shape); a parameter has none before its first update.

    Source: Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019, algorithm 2.
    """

    def __init__(
        self,
        groups: Sequence[dict[str, Any]],
        *,
        betas: tuple[float, float],
        eps: float,
        fused: bool,
    ) -> None:
        self.param_groups = [{**group, "lr": 0.0} for group in groups]
        self.state: dict[Tensor, dict[str, Tensor]] = {}
        self._betas = betas
        self._eps = eps
        self._fused = fused

    def __repr__(self) -> str:
        """What decides its arithmetic, beside the groups."""
        return (
            f"{type(self).__name__}(betas={self._betas}, eps={self._eps}, fused={self._fused})"
        )

    def zero_grad(self) -> None:
        """Drop every gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if not parameters:
                continue
            states = [self._state_of(p) for p in parameters]
            steps = [s["step"] for s in states]
            if self._fused:
                # The kernel itself: what torch does on the way to it takes as long as it does.
                torch._foreach_add_(steps, 1)
                update = torch._fused_adamw_
            else:
                update = partial(adamw, fused=False)
            update(
                parameters,
                [p.grad for p in parameters],
                [s["exp_avg"] for s in states],
                [s["exp_avg_sq"] for s in states],
                [],
                steps,
                amsgrad=False,
                beta1=self._betas[0],
                beta2=self._betas[1],
                lr=group["lr"],
                weight_decay=group["weight_decay"],
                eps=self._eps,
                maximize=False,
            )

    def restore(self, parameter: Tensor, state: Mapping[str, Tensor]) -> None:
        """Go on with these moments and this counter, of `STATE_KEYS`, for a parameter."""
        for key, place in self._state_of(parameter).items():
            place.copy_(state[key])

    def _state_of(self, parameter: Tensor) -> dict[str, Tensor]:
        if parameter not in self.state:
            # The fused kernel wants its counter beside the parameter, the loop on the host.
            device = parameter.device if self._fused else torch.device("cpu")
            self.state[parameter] = {
                "step": torch.zeros((), dtype=torch.float32, device=device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }
        return self.state[parameter]
