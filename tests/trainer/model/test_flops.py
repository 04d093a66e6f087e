from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from pv_trainer.model.config import SHAPES
from pv_trainer.model.flops import training_flops_per_token


if TYPE_CHECKING:
    from collections.abc import Callable

    from pv_trainer.model.config import ModelConfig
    from pv_trainer.model.decoder import Decoder


@pytest.mark.parametrize("seq_length", [8, 32])
@pytest.mark.parametrize(
    ("family", "changes"),
    [
        ("qwen2", {}),
        ("llama", {}),
        ("qwen2", {"tie_word_embeddings": False}),
        ("llama", {"head_dim": 16}),  # heads wider than the residual stream
    ],
)
def test_a_forward_pass_is_a_third_of_it_as_torch_counts(
    make_config: Callable[..., ModelConfig],
    make_model: Callable[..., Decoder],
    family: str,
    changes: dict[str, object],
    seq_length: int,
) -> None:
    config = make_config(family, **changes)
    model = make_model(config)
    ids_BT = torch.zeros((2, seq_length), dtype=torch.long)
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        model(ids_BT)
    forward = training_flops_per_token(config, seq_length) / 3
    assert counter.get_total_flops() == ids_BT.numel() * forward


def test_qwen2_05b_takes_3_5_gigaflops_per_token_at_2048() -> None:
    # 6 x 494.0 M weights, less biases and norms, and 12 x 24 x 896 x 2048 for attention.
    assert training_flops_per_token(SHAPES["qwen2-0.5b"], 2048) == pytest.approx(
        3.49e9, rel=3e-3
    )
