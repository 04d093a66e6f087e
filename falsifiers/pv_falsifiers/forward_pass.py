"""The forward pass of a decoder once more, in numpy and apart from the trainer.

Shape suffixes: N windows, T time, D width, H query heads, K key/value heads, E head width,
V vocabulary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np


if TYPE_CHECKING:
    from collections.abc import Mapping

    Array = np.ndarray[Any, np.dtype[Any]]
    Weights = Mapping[str, Array]


def mean_loss(
    metadata: Mapping[str, Any], weights: Weights, ids_NT: Array, targets_NT: Array
) -> float:
    """The mean next-token cross-entropy in nats, of a model as an .apr file describes it.

    Args:
        metadata: the architecture, under the keys of .apr.
        weights: name -> float32 values.
        ids_NT: the inputs.
        targets_NT: what follows each of them.

    Source: Qwen2 and Llama as published: RMSNorm (Zhang and Sennrich, 2019), rotary embedding
    over split halves (Su et al., 2021), grouped queries (Ainslie et al., 2023), SwiGLU
    (Shazeer, 2020).
    """
    losses = [
        _window_loss(metadata, weights, ids_T, targets_T)
        for ids_T, targets_T in zip(ids_NT, targets_NT, strict=True)
    ]
    return float(np.mean(losses))


def _window_loss(
    metadata: Mapping[str, Any], weights: Weights, ids_T: Array, targets_T: Array
) -> float:
    embedding_VD = weights["model.embed_tokens.weight"]
    x_TD = embedding_VD[ids_T]
    for layer in range(metadata["num_layers"]):
        x_TD = _block(metadata, weights, f"model.layers.{layer}", x_TD)
    x_TD = _norm(metadata, x_TD, weights["model.norm.weight"])
    logits_TV = (x_TD @ weights.get("lm_head.weight", embedding_VD).T).astype(np.float64)
    logits_TV -= logits_TV.max(axis=1, keepdims=True)
    log_sum_T = np.log(np.exp(logits_TV).sum(axis=1))
    return float(np.mean(log_sum_T - logits_TV[np.arange(len(targets_T)), targets_T]))


def _block(metadata: Mapping[str, Any], weights: Weights, name: str, x_TD: Array) -> Array:
    normed = _norm(metadata, x_TD, weights[f"{name}.input_layernorm.weight"])
    x_TD = x_TD + _attend(metadata, weights, f"{name}.self_attn", normed)
    normed = _norm(metadata, x_TD, weights[f"{name}.post_attention_layernorm.weight"])
    gate = _project(weights, f"{name}.mlp.gate_proj", normed)
    up = _project(weights, f"{name}.mlp.up_proj", normed)
    return x_TD + _project(weights, f"{name}.mlp.down_proj", gate / (1 + np.exp(-gate)) * up)


def _attend(metadata: Mapping[str, Any], weights: Weights, name: str, x_TD: Array) -> Array:
    time, width = len(x_TD), metadata["head_dim"]
    heads = {
        part: _project(weights, f"{name}.{part}_proj", x_TD).reshape(time, -1, width)
        for part in "qkv"
    }
    copies = metadata["num_heads"] // metadata["num_kv_heads"]
    q_HTE = _turn(metadata, heads["q"].transpose(1, 0, 2))
    k_HTE = _turn(metadata, heads["k"].transpose(1, 0, 2)).repeat(copies, axis=0)
    v_HTE = heads["v"].transpose(1, 0, 2).repeat(copies, axis=0)
    scores_HTT = q_HTE @ k_HTE.transpose(0, 2, 1) / np.sqrt(np.float32(width))
    future_TT = np.triu(np.ones((time, time), dtype=bool), k=1)
    scores_HTT[:, future_TT] = -np.inf
    shares_HTT = np.exp(scores_HTT - scores_HTT.max(axis=-1, keepdims=True))
    shares_HTT /= shares_HTT.sum(axis=-1, keepdims=True)
    mixed_TX = (shares_HTT @ v_HTE).transpose(1, 0, 2).reshape(time, -1)
    return _project(weights, f"{name}.o_proj", mixed_TX)


def _turn(metadata: Mapping[str, Any], x_HTE: Array) -> Array:
    """Each pair of element i and element i + E / 2, turned by position times frequency."""
    half = x_HTE.shape[2] // 2
    frequency = float(metadata["rope_theta"]) ** (-np.arange(half) / half)
    angle = np.outer(np.arange(x_HTE.shape[1]), frequency)
    cos, sin = np.cos(angle).astype("f4"), np.sin(angle).astype("f4")
    first, second = x_HTE[:, :, :half], x_HTE[:, :, half:]
    return np.concatenate((first * cos - second * sin, second * cos + first * sin), axis=2)


def _norm(metadata: Mapping[str, Any], x_TD: Array, weight_D: Array) -> Array:
    scale = np.sqrt(
        (x_TD**2).mean(axis=1, keepdims=True) + np.float32(metadata["rms_norm_eps"])
    )
    return x_TD / scale * weight_D


def _project(weights: Weights, name: str, x: Array) -> Array:
    return x @ weights[f"{name}.weight"].T + weights.get(f"{name}.bias", np.float32(0))
