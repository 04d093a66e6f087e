"""How much arithmetic a token takes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pv_trainer.model.config import tensor_shapes


if TYPE_CHECKING:
    from pv_trainer.model.config import ModelConfig

_MATRIX: int = 2
"""Axes of a tensor that takes part in a matrix product."""


def training_flops_per_token(config: ModelConfig, seq_length: int) -> int:
    """Floating-point operations of one token, forward and backward, in windows of `seq_length`.

    A multiplication and its addition are two. Every weight of a matrix product counts 6: the
    head's too, which a tied one shares with the embedding, whose lookup counts nothing.
    Attention counts all pairs of positions, also those that a causal kernel leaves out, as
    published shares of a device's peak do.

    Source: Chowdhery et al., PaLM, 2022, appendix B.
    """
    shapes = tensor_shapes(config)
    embedding = math.prod(shapes["model.embed_tokens.weight"])
    weights = sum(math.prod(shape) for shape in shapes.values() if len(shape) == _MATRIX)
    multiplied = weights if config.tie_word_embeddings else weights - embedding
    heads_width = config.num_attention_heads * config.head_dim
    return 6 * multiplied + 12 * config.num_hidden_layers * heads_width * seq_length
