"""Decoders whose attention is far from uniform, their multi-head twins and the reference's.

With the usual initialisation scores are near zero, every position attends evenly, and a wrong
rotation or a wrong grouping of heads hardly moves a logit. These weights make it move.

Shape suffixes: B batch, T time, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import torch
from torch.nn import functional as F

from pv_trainer.checkpoints.init import load_model
from pv_trainer.model.config import ModelConfig
from pv_trainer.model.decoder import Decoder


if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from pv_harness.fixtures import Measure

HEAD_DIM: Final = 8
VOCABULARY: Final = 61
LENGTH: Final = 24


@dataclass(frozen=True, slots=True)
class Agreement:
    """How near two sets of logits are: the worst position's cosine, the worst value's error."""

    cosine: float
    max_abs_error: float


def make_decoder(heads: int, kv_heads: int, family: str = "qwen2") -> Decoder:
    """A decoder of two layers in which every weight, bias and norm matters."""
    config = ModelConfig(
        family="qwen2" if family == "qwen2" else "llama",
        vocab_size=VOCABULARY,
        hidden_size=32,
        num_attention_heads=heads,
        num_kv_heads=kv_heads,
        intermediate_size=40,
        num_hidden_layers=2,
        max_position_embeddings=64,
        head_dim=HEAD_DIM,
        rope_theta=1_000_000.0,
        rms_norm_eps=1e-6,
        tie_word_embeddings=True,
        use_bias=family == "qwen2",
    )
    decoder = Decoder(config)
    generator = torch.Generator().manual_seed(heads * 100 + kv_heads)
    for name, parameter in decoder.named_parameters():
        mean, deviation = (1.0, 0.2) if name.endswith("norm.weight") else (0.0, 0.3)
        values = torch.empty(parameter.shape).normal_(mean, deviation, generator=generator)
        parameter.data = values
    return decoder.eval()


def with_repeated_heads(decoder: Decoder) -> Decoder:
    """The multi-head decoder in which each query head has a copy of its key and value head."""
    heads, kv_heads = decoder.config.num_attention_heads, decoder.config.num_kv_heads
    twin = Decoder(replace(decoder.config, num_kv_heads=heads))
    with torch.no_grad():
        for name, parameter in twin.named_parameters():
            source: Tensor = decoder.get_parameter(name)
            if ".k_proj." in name or ".v_proj." in name:
                by_head = source.view(kv_heads, HEAD_DIM, *source.shape[1:])
                source = by_head.repeat_interleave(heads // kv_heads, dim=0).flatten(0, 1)
            parameter.copy_(source)
    return twin.eval()


def reference_of(decoder: Decoder) -> Any:
    """The reference library's model with the same weights, every one of them."""
    import transformers  # noqa: PLC0415 - three seconds that only this comparison is worth

    config = decoder.config
    prefix = {"qwen2": "Qwen2", "llama": "Llama"}[config.family]
    described = getattr(transformers, f"{prefix}Config")(
        vocab_size=config.vocab_size,
        hidden_size=config.hidden_size,
        num_attention_heads=config.num_attention_heads,
        num_key_value_heads=config.num_kv_heads,
        intermediate_size=config.intermediate_size,
        num_hidden_layers=config.num_hidden_layers,
        max_position_embeddings=config.max_position_embeddings,
        head_dim=config.head_dim,
        rope_parameters={"rope_type": "default", "rope_theta": config.rope_theta},
        rms_norm_eps=config.rms_norm_eps,
        tie_word_embeddings=config.tie_word_embeddings,
        attn_implementation="eager",
    )
    reference = getattr(transformers, f"{prefix}ForCausalLM")(described)
    weights = dict(decoder.state_dict())
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"]
    reference.load_state_dict(weights, strict=True)
    return reference.eval()


def logits_of(decoder: Decoder) -> Tensor:
    """The decoder's logits (B, T, V) for a fixed batch, computed on the decoder's device."""
    with torch.no_grad():
        return decoder(batch().to(decoder.head_weight.device))


def reference_logits(reference: Any) -> Tensor:
    """The reference model's logits (B, T, V) for the same batch."""
    with torch.no_grad():
        logits: Tensor = reference(batch()).logits
    return logits


def batch() -> Tensor:
    """Two rows of token ids, (B, T)."""
    return torch.randint(VOCABULARY, (2, LENGTH), generator=torch.Generator().manual_seed(7))


def compare(found_BTV: Tensor, wanted_BTV: Tensor) -> Agreement:
    """How near the two are; the worst position counts, not the average one."""
    found, wanted = found_BTV.double().cpu(), wanted_BTV.double().cpu()
    return Agreement(
        cosine=float(F.cosine_similarity(found, wanted, dim=-1).min()),
        max_abs_error=float((found - wanted).abs().max()),
    )


def measure_reference(measure: Measure, decoder: Decoder, name: str) -> None:
    """Measure how near a decoder's logits are to the reference library's."""
    reference_BTV = reference_logits(reference_of(decoder))
    agreement = compare(logits_of(decoder), reference_BTV)
    measure(f"cosine_reference_{name}", agreement.cosine, samples=batch().numel())
    measure("max_abs_error_reference", agreement.max_abs_error)


def measure_devices(measure: Measure, init: Path) -> None:
    """Measure how near CUDA's logits are to the CPU's, in float32 and in CUDA's own dtype."""
    logits_BTV = logits_of(load_model(init, "cpu")[0])
    float32 = compare(logits_of(load_model(init, "cuda")[0]), logits_BTV)
    measure("cosine_float32", float32.cosine, samples=batch().numel())
    measure("max_abs_error_float32", float32.max_abs_error)
    bfloat16 = compare(logits_of(load_model(init, "cuda", torch.bfloat16)[0]), logits_BTV)
    measure("cosine_bfloat16", bfloat16.cosine, samples=batch().numel())
