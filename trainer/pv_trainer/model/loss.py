"""Next-token cross-entropy from hidden states, without the logits of a whole batch.

Shape suffixes: B batch, T time, D hidden width, V vocabulary, N the tokens of one chunk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor


if TYPE_CHECKING:
    from torch.autograd.function import FunctionCtx

    from pv_trainer.model.decoder import Decoder

IGNORE_INDEX: Final = -100
"""The target that takes no part in the loss."""

CHUNK_CPU: Final = 512
CHUNK_CUDA: Final = 4096


def summed_loss(model: Decoder, ids_BT: Tensor, targets_BT: Tensor) -> tuple[Tensor, int]:
    """The cross-entropy in nats summed over the targets, and how many targets there are.

    Args:
        model: gives the hidden states and the output matrix.
        ids_BT: token ids.
        targets_BT: the id that follows each; `IGNORE_INDEX` where none is asked for.

    Returns:
        A float64 scalar that can be differentiated, and the number of targets in it. Divide by
        the number over *all* micro-batches of a step, not per micro-batch: unequal counts would
        otherwise weigh tokens unequally.
    """
    x_BTD = model.hidden(ids_BT)
    loss = chunked_cross_entropy(
        x_BTD.flatten(0, 1),
        model.head_weight,
        targets_BT.flatten(),
        CHUNK_CUDA if x_BTD.is_cuda else CHUNK_CPU,
    )
    return loss, int((targets_BT != IGNORE_INDEX).sum())


def chunked_cross_entropy(
    x_ND: Tensor, weight_VD: Tensor, targets_N: Tensor, chunk: int
) -> Tensor:
    """The sum of -log softmax(x W^T)[target] over the targets, a float64 scalar.

    Products run in the dtype of `x`, softmax and sums in float32 and float64. At no time are
    the logits of more than `chunk` tokens alive: each chunk's gradient is taken at once, while
    its logits are at hand.
    """
    wanted = torch.is_grad_enabled() and (x_ND.requires_grad or weight_VD.requires_grad)
    return _ChunkedCrossEntropy.apply(  # type: ignore[no-untyped-call]
        x_ND, weight_VD, targets_N, chunk, wanted
    )


class _ChunkedCrossEntropy(torch.autograd.Function):
    """Forward computes the gradients too; backward only scales them."""

    @staticmethod
    def forward(
        ctx: FunctionCtx,
        x_ND: Tensor,
        weight_VD: Tensor,
        targets_N: Tensor,
        chunk: int,
        with_gradient: bool,
    ) -> Tensor:
        total = torch.zeros((), dtype=torch.float64, device=x_ND.device)
        matrix_VD = weight_VD.to(x_ND.dtype)
        grad_x = torch.zeros_like(x_ND) if with_gradient else None
        grad_weight = torch.zeros_like(weight_VD) if with_gradient else None
        for start in range(0, len(x_ND), chunk):
            part = slice(start, start + chunk)
            logits_NV = (x_ND[part] @ matrix_VD.T).float()
            log_probs_NV = logits_NV.log_softmax(dim=1)
            del logits_NV
            total += _summed_nll(log_probs_NV, targets_N[part])
            if grad_x is not None and grad_weight is not None:
                grad_NV = _logit_gradient_(log_probs_NV, targets_N[part]).to(x_ND.dtype)
                grad_x[part] = grad_NV @ matrix_VD
                grad_weight += grad_NV.T @ x_ND[part]
        if grad_x is not None and grad_weight is not None:
            ctx.save_for_backward(grad_x, grad_weight)
        return total

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        grad_x, grad_weight = ctx.saved_tensors
        (scale,) = grad_outputs
        return (
            grad_x * scale.to(grad_x.dtype),
            grad_weight * scale.to(grad_weight.dtype),
            None,
            None,
            None,
        )


def _summed_nll(log_probs_NV: Tensor, targets_N: Tensor) -> Tensor:
    """The summed negative log-likelihood of the targets, in float64."""
    picked_N = log_probs_NV[_rows(targets_N), _columns(targets_N)]
    return -torch.where(targets_N != IGNORE_INDEX, picked_N, 0.0).sum(dtype=torch.float64)


def _logit_gradient_(log_probs_NV: Tensor, targets_N: Tensor) -> Tensor:
    """Softmax minus one-hot, zero where the target is ignored; overwrites its input."""
    grad_NV = log_probs_NV.exp_()
    grad_NV[_rows(targets_N), _columns(targets_N)] -= 1.0
    return grad_NV.masked_fill_((targets_N == IGNORE_INDEX).unsqueeze(1), 0.0)


def _rows(targets_N: Tensor) -> Tensor:
    return torch.arange(len(targets_N), device=targets_N.device)


def _columns(targets_N: Tensor) -> Tensor:
    """The targets, with a harmless 0 where one is ignored."""
    return targets_N.where(targets_N != IGNORE_INDEX, 0)
