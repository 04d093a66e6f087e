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
_CHUNK_VALUES_CPU: Final = 2**25
"""Logits of a chunk on the CPU, at most: with 151,936 words the matrix takes more than they."""
_BLOCK: Final = 2**13
"""Words whose gradient is made at a time, where it is not made in place."""


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
    weight_VD = model.head_weight
    loss = chunked_cross_entropy(
        x_BTD.flatten(0, 1), weight_VD, targets_BT.flatten(), chunk_size(weight_VD)
    )
    return loss, int((targets_BT != IGNORE_INDEX).sum())


def chunk_size(weight_VD: Tensor) -> int:
    """How many tokens' logits to have at a time, for this output matrix on its device."""
    if weight_VD.is_cuda:
        return CHUNK_CUDA
    return max(1, min(CHUNK_CPU, _CHUNK_VALUES_CPU // len(weight_VD)))


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


def token_losses(x_ND: Tensor, weight_VD: Tensor, targets_N: Tensor, chunk: int) -> Tensor:
    """-log softmax(x W^T)[target] for each target, (N,), float32, without a gradient.

    The arithmetic is that of `chunked_cross_entropy`; an ignored target has loss 0.
    """
    losses = []
    with torch.no_grad():
        matrix_VD = weight_VD.to(x_ND.dtype)
        for x_nD, targets_n in zip(
            torch.split(x_ND, chunk), torch.split(targets_N, chunk), strict=True
        ):
            _, nll_n = _exponentials_((x_nD @ matrix_VD.T).float(), targets_n)
            losses.append(nll_n)
    return torch.cat(losses)


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
        grad_x = torch.empty_like(x_ND) if with_gradient else None
        grad_weight = torch.zeros_like(weight_VD) if with_gradient else None
        for start in range(0, len(x_ND), chunk):
            part = slice(start, start + chunk)
            logits_NV = (x_ND[part] @ matrix_VD.T).float()
            sums_N, nll_N = _exponentials_(logits_NV, targets_N[part])
            total += nll_N.sum(dtype=torch.float64)
            if grad_x is not None and grad_weight is not None:
                grad_NV = _logit_gradient_(logits_NV, sums_N, targets_N[part]).to(x_ND.dtype)
                del logits_NV
                grad_x[part] = grad_NV @ matrix_VD
                _add_product_(grad_weight, grad_NV, x_ND[part])
                del grad_NV  # before the next chunk's logits are made
        if grad_x is not None and grad_weight is not None:
            ctx.save_for_backward(grad_x, grad_weight)
            ctx.spent = False  # type: ignore[attr-defined]
        return total

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        # Scaled in place: the matrix's gradient is half a gigabyte at 151,936 words.
        assert not ctx.spent, "the gradient of this loss can be taken once"
        ctx.spent = True
        (scale,) = grad_outputs
        # As a scalar of float64 it is not rounded to bfloat16 before it multiplies.
        grad_x, grad_weight = (gradient.mul_(scale) for gradient in ctx.saved_tensors)
        return grad_x, grad_weight, None, None, None


def _exponentials_(logits_NV: Tensor, targets_N: Tensor) -> tuple[Tensor, Tensor]:
    """The sum of each row's exponentials, and the target's negative log-likelihood, both (N,).

    Overwrites its input with the exponentials, less each row's largest logit: of the logits of
    a chunk there is one copy. The loss of an ignored target is 0.
    """
    logits_NV.sub_(logits_NV.amax(dim=1, keepdim=True))
    picked_N = logits_NV[_rows(targets_N), _columns(targets_N)]
    sums_N = logits_NV.exp_().sum(dim=1)
    nll_N = sums_N.log() - picked_N
    return sums_N, torch.where(targets_N != IGNORE_INDEX, nll_N, 0.0)


def _logit_gradient_(exponentials_NV: Tensor, sums_N: Tensor, targets_N: Tensor) -> Tensor:
    """Softmax minus one-hot, from the exponentials and in their place; zero where ignored."""
    wanted_N = targets_N != IGNORE_INDEX
    # A row that is not asked for becomes zero here, which spares a pass over all of them.
    exponentials_NV.mul_((wanted_N / sums_N).unsqueeze(1))
    exponentials_NV[_rows(targets_N), _columns(targets_N)] -= wanted_N.to(sums_N.dtype)
    return exponentials_NV


def _add_product_(sum_VD: Tensor, grad_NV: Tensor, x_ND: Tensor) -> None:
    """Add `G^T x`, in float32; where the product is narrower, in blocks of words.

    Added whole it would be there twice on the CPU, in its own dtype and widened: more than all
    the rest.
    """
    if grad_NV.dtype == sum_VD.dtype:
        sum_VD.addmm_(grad_NV.T, x_ND)
        return
    for block_vD, grad_Nv in zip(
        torch.split(sum_VD, _BLOCK), torch.split(grad_NV, _BLOCK, dim=1), strict=True
    ):
        block_vD.add_(grad_Nv.T @ x_ND)


def _rows(targets_N: Tensor) -> Tensor:
    return torch.arange(len(targets_N), device=targets_N.device)


def _columns(targets_N: Tensor) -> Tensor:
    """The targets, with a harmless 0 where one is ignored."""
    return targets_N.where(targets_N != IGNORE_INDEX, 0)
