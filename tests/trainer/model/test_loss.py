from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from pv_trainer.model import loss
from pv_trainer.model.loss import (
    IGNORE_INDEX,
    chunked_cross_entropy,
    summed_loss,
    token_losses,
)


if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from pv_trainer.model.config import ModelConfig
    from pv_trainer.model.decoder import Decoder


def batch(
    config: ModelConfig, rows: int, length: int, ignored: int = 0
) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    ids = torch.randint(config.vocab_size, (rows, length + 1), generator=generator)
    targets = ids[:, 1:].clone()
    targets[:, :ignored] = IGNORE_INDEX
    return ids[:, :-1], targets


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("ignored", [0, 5])
def test_loss_and_gradients_equal_torchs_cross_entropy(
    *,
    tied: bool,
    ignored: int,
    make_config: Callable[..., ModelConfig],
    make_model: Callable[..., Decoder],
) -> None:
    config = make_config(tie_word_embeddings=tied)
    ids, targets = batch(config, 20, 40, ignored)
    ours, theirs = make_model(config), make_model(config)
    total, count = summed_loss(ours, ids, targets)
    expected = F.cross_entropy(
        theirs(ids).flatten(0, 1).double(), targets.flatten(), reduction="sum"
    )
    assert total.item() == pytest.approx(expected.item(), rel=1e-6)
    assert count == 20 * (40 - ignored)
    names = [name for name, _ in ours.named_parameters()]
    got = torch.autograd.grad(total / count, list(ours.parameters()))
    wanted = torch.autograd.grad(expected / count, list(theirs.parameters()))
    for name, one, other in zip(names, got, wanted, strict=True):
        assert torch.allclose(one, other, atol=1e-6), name
        assert one.any(), name


def test_the_default_chunk_splits_the_batch_of_that_test() -> None:
    assert loss.CHUNK_CPU < 20 * 40
    assert loss.CHUNK_CPU >= 512
    assert loss.CHUNK_CUDA >= 4096


@settings(max_examples=40, deadline=None)
@given(
    tokens=st.integers(1, 30),
    chunk=st.integers(1, 40),
    ignored=st.integers(0, 30),
    seed=st.integers(0, 999),
)
def test_the_chunk_size_changes_nothing(
    tokens: int, chunk: int, ignored: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    targets_N = torch.randint(11, (tokens,), generator=generator)
    targets_N[:ignored] = IGNORE_INDEX
    results = []
    for size in (tokens, chunk):
        generator.manual_seed(seed)
        x_ND = torch.randn(tokens, 6, generator=generator).requires_grad_()
        weight_VD = torch.randn(11, 6, generator=generator).requires_grad_()
        total = chunked_cross_entropy(x_ND, weight_VD, targets_N, size)
        results.append((total.detach(), *torch.autograd.grad(total, (x_ND, weight_VD))))
    for whole, split in zip(*results, strict=True):
        assert torch.allclose(whole, split, atol=1e-5)


def test_a_batch_without_targets_has_loss_zero_and_no_gradient() -> None:
    x_ND = torch.ones(4, 3, requires_grad=True)
    weight_VD = torch.ones(5, 3, requires_grad=True)
    total = chunked_cross_entropy(x_ND, weight_VD, torch.full((4,), IGNORE_INDEX), 2)
    assert total.item() == 0.0
    assert not any(grad.any() for grad in torch.autograd.grad(total, (x_ND, weight_VD)))


def test_a_model_that_knows_nothing_has_the_loss_ln_v(
    make_config: Callable[..., ModelConfig], make_model: Callable[..., Decoder]
) -> None:
    config = make_config()
    model = make_model(config)
    model.model.norm.weight.data.zero_()
    total, count = summed_loss(model, *batch(config, 3, 10))
    assert total.item() / count == pytest.approx(4.564348, abs=1e-6)  # ln 96


def test_huge_logits_give_a_finite_loss() -> None:
    x_ND = torch.full((2, 1), 1e4)
    weight_VD = torch.tensor([[1.0], [-1.0]])
    total = chunked_cross_entropy(x_ND, weight_VD, torch.tensor([0, 1]), 1)
    assert total.item() == pytest.approx(2e4)


def test_bfloat16_states_give_the_loss_to_float32_accuracy() -> None:
    generator = torch.Generator().manual_seed(0)
    x_ND = torch.randn(600, 16, generator=generator).bfloat16()
    weight_VD = torch.randn(4001, 16, generator=generator)
    targets_N = torch.randint(4001, (600,), generator=generator)
    logits = (x_ND @ weight_VD.bfloat16().T).double()
    expected = F.cross_entropy(logits, targets_N, reduction="sum")
    total = chunked_cross_entropy(x_ND, weight_VD, targets_N, 512)
    assert total.dtype == torch.float64
    assert total.item() == pytest.approx(expected.item(), rel=1e-6)


def test_without_gradients_none_are_computed(
    make_config: Callable[..., ModelConfig], make_model: Callable[..., Decoder]
) -> None:
    config = make_config()
    with torch.no_grad():
        total, _ = summed_loss(make_model(config), *batch(config, 2, 8))
    assert not total.requires_grad
    assert total.grad_fn is None


def test_the_logits_of_the_whole_batch_are_never_alive() -> None:
    largest = 0

    class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            nonlocal largest
            result = func(*args, **(kwargs or {}))
            if isinstance(result, torch.Tensor):
                largest = max(largest, result.numel())
            return result

    x_ND = torch.randn(64, 4, requires_grad=True)
    weight_VD = torch.randn(1000, 4, requires_grad=True)
    with Watch():  # type: ignore[no-untyped-call]
        total = chunked_cross_entropy(x_ND, weight_VD, torch.zeros(64, dtype=torch.int64), 8)
        torch.autograd.grad(total, (x_ND, weight_VD))
    assert largest == 8 * 1000


def test_the_gradient_of_a_narrow_product_is_never_widened_whole() -> None:
    """Beside the sum itself, 151,936 words of 896 values took 0.8 GB more, for a moment."""
    widened = 0

    class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            nonlocal widened
            result = func(*args, **(kwargs or {}))
            if isinstance(result, torch.Tensor) and "mm" in str(func):
                widened = max(widened, result.numel())
            return result

    x_ND = torch.randn(8, 40).bfloat16().requires_grad_()
    weight_VD = torch.randn(20_000, 40, requires_grad=True)
    with Watch():  # type: ignore[no-untyped-call]
        total = chunked_cross_entropy(x_ND, weight_VD, torch.arange(8), 8)
        torch.autograd.grad(total, (x_ND, weight_VD))
    assert widened < weight_VD.numel() // 2


def test_every_block_of_words_gets_its_gradient() -> None:
    x_ND = torch.randn(8, 4).bfloat16()
    weight_VD = torch.randn(20_000, 4, requires_grad=True)
    targets_N = torch.arange(8) * 2_500
    (found,) = torch.autograd.grad(
        chunked_cross_entropy(x_ND, weight_VD, targets_N, 3), (weight_VD,)
    )
    logits = x_ND.double() @ weight_VD.double().T
    expected = F.cross_entropy(logits, targets_N, reduction="sum")
    (wanted,) = torch.autograd.grad(expected, (weight_VD,))
    assert torch.allclose(found, wanted, atol=0.02, rtol=0.1)


def test_a_large_vocabulary_gets_shorter_chunks() -> None:
    assert loss.chunk_size(torch.empty(4096, 1)) == loss.CHUNK_CPU
    assert loss.chunk_size(torch.empty(151_936, 0)) == 220
    assert loss.chunk_size(torch.empty(2**26, 0)) == 1


@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_the_loss_of_each_target_sums_to_the_loss_of_all(chunk: int) -> None:
    generator = torch.Generator().manual_seed(0)
    x_ND = torch.randn(7, 6, generator=generator)
    weight_VD = torch.randn(11, 6, generator=generator)
    targets_N = torch.tensor([0, 10, IGNORE_INDEX, 4, 4, IGNORE_INDEX, 2])
    found_N = token_losses(x_ND, weight_VD, targets_N, chunk)
    expected_N = F.cross_entropy(x_ND @ weight_VD.T, targets_N, reduction="none")
    assert torch.allclose(found_N, expected_N, atol=1e-6)
    total = chunked_cross_entropy(x_ND, weight_VD, targets_N, chunk)
    assert found_N.sum().item() == pytest.approx(total.item(), abs=1e-5)


def test_the_scale_of_a_bfloat16_gradient_is_not_rounded_to_bfloat16() -> None:
    """1 / 3000 as bfloat16 would be 0.14 % too large, in every gradient of the trunk."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3000, 16, generator=generator).bfloat16()
    weight = torch.randn(40, 16, generator=generator)
    targets = torch.randint(0, 40, (3000,), generator=generator)
    found = []
    for divisor in (1.0, 3000.0):
        leaf = x.clone().requires_grad_()
        loss = chunked_cross_entropy(leaf, weight.requires_grad_(), targets, 512)
        (loss / divisor).backward()  # type: ignore[no-untyped-call]
        assert leaf.grad is not None
        found.append(leaf.grad.double() * divisor)
    whole, scaled = found
    ratio = float((whole * scaled).sum() / (whole * whole).sum())
    assert ratio == pytest.approx(1.0, abs=2e-4)


def test_the_gradient_can_be_taken_once() -> None:
    x = torch.randn(4, 3).requires_grad_()
    loss = chunked_cross_entropy(x, torch.randn(5, 3), torch.arange(4), 2)
    loss.backward(retain_graph=True)  # type: ignore[no-untyped-call]
    with pytest.raises(AssertionError, match="can be taken once"):
        loss.backward()  # type: ignore[no-untyped-call]
