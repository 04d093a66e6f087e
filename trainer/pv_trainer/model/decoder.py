"""A pre-norm decoder of the Llama and Qwen2 families, with Hugging Face's parameter names.

Shape suffixes: B batch, T time, D hidden width, H query heads, K key/value heads, E head width,
M MLP width, V vocabulary.

Parameters are float32 masters; the arithmetic runs in the model's compute dtype.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F


if TYPE_CHECKING:
    from pv_trainer.model.config import ModelConfig


class Linear(nn.Module):
    """A weight (out, in) and an optional bias, left uninitialised: torch's own draws."""

    def __init__(
        self, in_features: int, out_features: int, *, bias: bool, device: torch.device
    ) -> None:
        super().__init__()
        self.weight = _parameter(out_features, in_features, device=device)
        self.bias = _parameter(out_features, device=device) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """`x W^T + b` in the dtype of `x`."""
        bias = None if self.bias is None else self.bias.to(x.dtype)
        return F.linear(x, self.weight.to(x.dtype), bias)


class Embedding(nn.Module):
    """The token table (V, D), left uninitialised."""

    def __init__(self, vocab_size: int, hidden_size: int, *, device: torch.device) -> None:
        super().__init__()
        self.weight = _parameter(vocab_size, hidden_size, device=device)

    def forward(self, ids_BT: Tensor) -> Tensor:
        """The rows of the table, (B, T, D), in float32."""
        return F.embedding(ids_BT, self.weight)


class RMSNorm(nn.Module):
    """Root mean square normalisation, in float32 whatever the compute dtype is.

    Source: Zhang and Sennrich, Root Mean Square Layer Normalization, 2019, eq. 4.
    """

    def __init__(self, hidden_size: int, eps: float, *, device: torch.device) -> None:
        super().__init__()
        self.weight = _parameter(hidden_size, device=device)
        self.eps = eps

    def forward(self, x_BTD: Tensor) -> Tensor:
        """`x / sqrt(mean(x^2) + eps) * weight` over D, in the dtype of `x`."""
        x = x_BTD.float()
        scale = torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps)
        return (x * scale * self.weight).to(x_BTD.dtype)


class Attention(nn.Module):
    """Causal attention in which each key/value head serves heads / kv_heads query heads."""

    def __init__(self, config: ModelConfig, *, device: torch.device) -> None:
        super().__init__()
        width, bias = config.hidden_size, config.use_bias
        self.head_dim = config.head_dim
        self.grouped = config.num_attention_heads != config.num_kv_heads
        queries = config.num_attention_heads * config.head_dim
        keys = config.num_kv_heads * config.head_dim
        self.q_proj = Linear(width, queries, bias=bias, device=device)
        self.k_proj = Linear(width, keys, bias=bias, device=device)
        self.v_proj = Linear(width, keys, bias=bias, device=device)
        self.o_proj = Linear(queries, width, bias=False, device=device)

    def forward(self, x_BTD: Tensor, cos_TE: Tensor, sin_TE: Tensor) -> Tensor:
        """What each position gathers from itself and those before it, (B, T, D)."""
        B, T, _ = x_BTD.shape
        q_BHTE = self.q_proj(x_BTD).view(B, T, -1, self.head_dim).transpose(1, 2)
        k_BKTE = self.k_proj(x_BTD).view(B, T, -1, self.head_dim).transpose(1, 2)
        v_BKTE = self.v_proj(x_BTD).view(B, T, -1, self.head_dim).transpose(1, 2)
        y_BHTE = F.scaled_dot_product_attention(
            rotate(q_BHTE, cos_TE, sin_TE),
            rotate(k_BKTE, cos_TE, sin_TE),
            v_BKTE,
            is_causal=True,
            enable_gqa=self.grouped,
        )
        return self.o_proj(y_BHTE.transpose(1, 2).reshape(B, T, -1))


class MLP(nn.Module):
    """The gated feed-forward block, SwiGLU.

    Source: Shazeer, GLU Variants Improve Transformer, 2020, eq. 6.
    """

    def __init__(self, config: ModelConfig, *, device: torch.device) -> None:
        super().__init__()
        width, inner = config.hidden_size, config.intermediate_size
        self.gate_proj = Linear(width, inner, bias=False, device=device)
        self.up_proj = Linear(width, inner, bias=False, device=device)
        self.down_proj = Linear(inner, width, bias=False, device=device)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """`(silu(x G^T) * x U^T) W^T`, (B, T, D)."""
        return self.down_proj(F.silu(self.gate_proj(x_BTD)) * self.up_proj(x_BTD))


class Layer(nn.Module):
    """One residual block: attention, then the MLP, each on normalised input."""

    def __init__(self, config: ModelConfig, *, device: torch.device) -> None:
        super().__init__()
        width, eps = config.hidden_size, config.rms_norm_eps
        self.input_layernorm = RMSNorm(width, eps, device=device)
        self.self_attn = Attention(config, device=device)
        self.post_attention_layernorm = RMSNorm(width, eps, device=device)
        self.mlp = MLP(config, device=device)

    def forward(self, x_BTD: Tensor, cos_TE: Tensor, sin_TE: Tensor) -> Tensor:
        """The residual stream after this block, (B, T, D)."""
        x_BTD = x_BTD + self.self_attn(self.input_layernorm(x_BTD), cos_TE, sin_TE)
        return x_BTD + self.mlp(self.post_attention_layernorm(x_BTD))


class Trunk(nn.Module):
    """The modules under the name `model`: token table, layers, last norm."""

    def __init__(self, config: ModelConfig, *, device: torch.device) -> None:
        super().__init__()
        self.embed_tokens = Embedding(config.vocab_size, config.hidden_size, device=device)
        self.layers = nn.ModuleList(
            Layer(config, device=device) for _ in range(config.num_hidden_layers)
        )
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps, device=device)


class Decoder(nn.Module):
    """A decoder whose parameters are allocated and not initialised.

    Either `init_weights` or `pv_trainer.checkpoints.init.populate` writes every one of them.

    Args:
        config: the shape.
        device: where the parameters live.
        dtype: the compute dtype; the parameters are float32 in any case.
    """

    def __init__(
        self,
        config: ModelConfig,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        device = torch.device(device)
        self.config = config
        self.dtype = dtype
        self.model = Trunk(config, device=device)
        self.lm_head = (
            None
            if config.tie_word_embeddings
            else Linear(config.hidden_size, config.vocab_size, bias=False, device=device)
        )

    @property
    def head_weight(self) -> nn.Parameter:
        """The output matrix (V, D); of a tied model, the token table itself."""
        return self.model.embed_tokens.weight if self.lm_head is None else self.lm_head.weight

    def init_weights(self, generator: torch.Generator) -> None:
        """Draw every parameter: normal with deviation 0.02, norms one, biases zero.

        Projections that write to the residual stream are scaled by 1 / sqrt(2 * layers).
        Numbers are drawn on the generator's device: a seed means the same model anywhere.

        Source: Radford et al., Language Models are Unsupervised Multitask Learners, 2019, 2.3.
        """
        residual = 0.02 / math.sqrt(2 * self.config.num_hidden_layers)
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                if name.endswith("norm.weight"):
                    parameter.fill_(1.0)
                elif name.endswith(".bias"):
                    parameter.zero_()
                else:
                    std = (
                        residual
                        if name.endswith(("o_proj.weight", "down_proj.weight"))
                        else 0.02
                    )
                    parameter.copy_(_normal(parameter.shape, std, generator))

    def hidden(self, ids_BT: Tensor) -> Tensor:
        """The normalised last hidden states (B, T, D), in the compute dtype."""
        x_BTD = self.model.embed_tokens(ids_BT).to(self.dtype)
        cos_TE, sin_TE = rotary_tables(self.config, ids_BT.shape[1], ids_BT.device)
        cos_TE, sin_TE = cos_TE.to(self.dtype), sin_TE.to(self.dtype)
        for layer in self.model.layers:
            x_BTD = layer(x_BTD, cos_TE, sin_TE)
        return self.model.norm(x_BTD)

    def forward(self, ids_BT: Tensor) -> Tensor:
        """The logits (B, T, V), in float32."""
        x_BTD = self.hidden(ids_BT)
        return F.linear(x_BTD, self.head_weight.to(x_BTD.dtype)).float()


def rotary_tables(
    config: ModelConfig, length: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Cosine and sine (T, E) of position times frequency, in float32; both halves alike.

    Source: Su et al., RoFormer, 2021, 3.4.2, with theta in place of 10,000.
    """
    even_E = torch.arange(0, config.head_dim, 2, device=device, dtype=torch.float32)
    frequency_E = 1.0 / config.rope_theta ** (even_E / config.head_dim)
    angle_TE = torch.outer(torch.arange(length, device=device).float(), frequency_E)
    angle_TE = torch.cat((angle_TE, angle_TE), dim=-1)
    return angle_TE.cos(), angle_TE.sin()


def rotate(x_BHTE: Tensor, cos_TE: Tensor, sin_TE: Tensor) -> Tensor:
    """`x` turned by its position, pairing element i with element i + E / 2.

    Adjacent pairs, as in the paper, are another layout of the same weights: on a checkpoint in
    Hugging Face's layout they run and give wrong logits.
    """
    first, second = x_BHTE.chunk(2, dim=-1)
    return x_BHTE * cos_TE + torch.cat((-second, first), dim=-1) * sin_TE


def _parameter(*shape: int, device: torch.device) -> nn.Parameter:
    return nn.Parameter(torch.empty(shape, dtype=torch.float32, device=device))


def _normal(shape: torch.Size, std: float, generator: torch.Generator) -> Tensor:
    return torch.normal(0.0, std, shape, generator=generator, device=generator.device)
