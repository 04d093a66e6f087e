"""The shape of a decoder: its fields, the shapes with a name, and what follows from them."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, get_args

from pv_trainer.wording import brief


if TYPE_CHECKING:
    from collections.abc import Mapping

Family = Literal["qwen2", "llama"]
FAMILIES: Final[tuple[str, ...]] = get_args(Family)
BIASED: Final[frozenset[str]] = frozenset({"qwen2"})
"""The families whose q, k and v projections carry a bias; the others have none."""
_LARGEST: Final = 2**31 - 1
"""Far above any size that was ever trained."""


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Everything that fixes a decoder's tensors and arithmetic, in Hugging Face's words.

    Raises:
        ValueError: a field has the wrong type or an impossible value; the message names it.
    """

    family: Family
    vocab_size: int
    hidden_size: int
    num_attention_heads: int
    num_kv_heads: int
    intermediate_size: int
    num_hidden_layers: int
    max_position_embeddings: int
    head_dim: int
    rope_theta: float
    rms_norm_eps: float
    tie_word_embeddings: bool
    use_bias: bool
    """Whether the q, k and v projections carry a bias; o, gate, up and down never do."""

    def __post_init__(self) -> None:
        if self.family not in FAMILIES:
            raise ValueError(f"family: {brief(self.family)} is none of {', '.join(FAMILIES)}")
        for field in fields(self):
            _check_value(field.name, getattr(self, field.name), str(field.type))
        if self.use_bias != (self.family in BIASED):
            has = "has" if self.family in BIASED else "has no"
            raise ValueError(
                f"use_bias: {self.use_bias}, but {self.family} {has} biases on q, k, v"
            )
        if self.num_attention_heads % self.num_kv_heads:
            raise ValueError(
                f"num_kv_heads: {self.num_kv_heads} does not divide "
                f"num_attention_heads {self.num_attention_heads}"
            )
        if self.head_dim % 2:
            raise ValueError(f"head_dim: {self.head_dim} is odd; rotary embedding pairs halves")


def _check_value(name: str, value: object, kind: str) -> None:
    shown = brief(value)
    if kind == "bool" and not isinstance(value, bool):
        raise ValueError(f"{name}: {shown} is not a boolean")
    if kind == "int" and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise ValueError(f"{name}: {shown} is not a positive integer")
    if kind == "int" and value > _LARGEST:  # type: ignore[operator]
        raise ValueError(f"{name}: {shown} is above {_LARGEST}")
    if kind == "float":
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not 0 < value <= sys.float_info.max:  # type: ignore[operator]
            raise ValueError(f"{name}: {shown} is not a positive number")


def _tiny(family: Family, *, eps: float, bias: bool) -> ModelConfig:
    return ModelConfig(
        family=family,
        vocab_size=4096,
        hidden_size=64,
        num_attention_heads=4,
        num_kv_heads=2,
        intermediate_size=192,
        num_hidden_layers=2,
        max_position_embeddings=1024,
        head_dim=16,
        rope_theta=10_000.0,
        rms_norm_eps=eps,
        tie_word_embeddings=True,
        use_bias=bias,
    )


SHAPES: Final[Mapping[str, ModelConfig]] = MappingProxyType(
    {
        "tiny-qwen2": _tiny("qwen2", eps=1e-6, bias=True),
        "tiny-llama": _tiny("llama", eps=1e-5, bias=False),
        "tiny-qwen2-256": ModelConfig(
            family="qwen2",
            vocab_size=4096,
            hidden_size=256,
            num_attention_heads=8,
            num_kv_heads=2,
            intermediate_size=704,
            num_hidden_layers=4,
            max_position_embeddings=1024,
            head_dim=32,
            rope_theta=10_000.0,
            rms_norm_eps=1e-6,
            tie_word_embeddings=True,
            use_bias=True,
        ),
        "qwen2-0.5b": ModelConfig(
            family="qwen2",
            vocab_size=151_936,
            hidden_size=896,
            num_attention_heads=14,
            num_kv_heads=2,
            intermediate_size=4864,
            num_hidden_layers=24,
            max_position_embeddings=32_768,
            head_dim=64,
            rope_theta=1_000_000.0,
            rms_norm_eps=1e-6,
            tie_word_embeddings=True,
            use_bias=True,
        ),
        "llama-370m": ModelConfig(
            family="llama",
            vocab_size=50_257,
            hidden_size=1024,
            num_attention_heads=16,
            num_kv_heads=4,
            intermediate_size=2816,
            num_hidden_layers=24,
            max_position_embeddings=4096,
            head_dim=64,
            rope_theta=10_000.0,
            rms_norm_eps=1e-5,
            tie_word_embeddings=True,
            use_bias=False,
        ),
    }
)
"""The shapes that `--config` names."""


def tensor_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Every parameter's name and shape, [out, in], in the order of the model.

    A tied head is not listed: it is `model.embed_tokens.weight`.
    """
    width, vocab = config.hidden_size, config.vocab_size
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (vocab, width)}
    for layer in range(config.num_hidden_layers):
        for name, shape in _layer_shapes(config).items():
            shapes[f"model.layers.{layer}.{name}"] = shape
    shapes["model.norm.weight"] = (width,)
    if not config.tie_word_embeddings:
        shapes["lm_head.weight"] = (vocab, width)
    return shapes


def parameter_count(config: ModelConfig) -> int:
    """The number of trainable values; a tied head counts once."""
    per_layer = sum(math.prod(shape) for shape in _layer_shapes(config).values())
    heads = 1 if config.tie_word_embeddings else 2
    table = config.vocab_size * config.hidden_size
    return heads * table + config.num_hidden_layers * per_layer + config.hidden_size


def _layer_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    width, mlp = config.hidden_size, config.intermediate_size
    query = config.num_attention_heads * config.head_dim
    key = config.num_kv_heads * config.head_dim
    shapes: dict[str, tuple[int, ...]] = {"input_layernorm.weight": (width,)}
    for name, rows in (("q_proj", query), ("k_proj", key), ("v_proj", key)):
        shapes[f"self_attn.{name}.weight"] = (rows, width)
        if config.use_bias:
            shapes[f"self_attn.{name}.bias"] = (rows,)
    return shapes | {
        "self_attn.o_proj.weight": (width, query),
        "post_attention_layernorm.weight": (width,),
        "mlp.gate_proj.weight": (mlp, width),
        "mlp.up_proj.weight": (mlp, width),
        "mlp.down_proj.weight": (width, mlp),
    }
