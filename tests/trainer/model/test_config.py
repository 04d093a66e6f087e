from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, strategies as st

from pv_trainer.model.config import SHAPES, ModelConfig, parameter_count, tensor_shapes


if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("name", "tied", "tensors", "parameters"),
    [
        ("llama-370m", True, 218, 322_045_952),
        ("llama-370m", False, 219, 373_509_120),
        ("qwen2-0.5b", True, 290, 494_032_768),
        ("qwen2-0.5b", False, 291, 630_167_424),
    ],
)
def test_published_counts_follow_from_the_shape(
    *, name: str, tied: bool, tensors: int, parameters: int
) -> None:
    config = replace(SHAPES[name], tie_word_embeddings=tied)
    assert len(tensor_shapes(config)) == tensors
    assert parameter_count(config) == parameters


def test_qwen2_has_three_biases_in_each_layer() -> None:
    names = tensor_shapes(SHAPES["qwen2-0.5b"])
    assert sum(name.endswith(".bias") for name in names) == 72


configs = st.builds(
    lambda family, kv, groups, even, **sizes: ModelConfig(
        family=family,
        num_kv_heads=kv,
        num_attention_heads=kv * groups,
        head_dim=2 * even,
        use_bias=family == "qwen2",
        **sizes,
    ),
    family=st.sampled_from(["qwen2", "llama"]),
    kv=st.integers(1, 4),
    groups=st.integers(1, 8),
    even=st.integers(1, 8),
    vocab_size=st.integers(1, 100),
    hidden_size=st.integers(1, 64),
    intermediate_size=st.integers(1, 64),
    num_hidden_layers=st.integers(1, 4),
    max_position_embeddings=st.integers(1, 64),
    rope_theta=st.floats(1.0, 1e7),
    rms_norm_eps=st.floats(1e-9, 1e-3),
    tie_word_embeddings=st.booleans(),
)


@given(configs)
def test_the_parameter_count_is_the_sum_over_the_tensors(config: ModelConfig) -> None:
    assert parameter_count(config) == sum(map(math.prod, tensor_shapes(config).values()))


def refuse(field: str, value: object) -> None:
    changes: dict[str, Any] = {field: value}
    with pytest.raises(ValueError, match=rf"^{field}: "):
        replace(SHAPES["tiny-qwen2"], **changes)


@pytest.mark.parametrize("field", [f.name for f in fields(ModelConfig) if f.type == "int"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "8", None])
def test_a_size_that_is_no_positive_integer_is_refused(field: str, value: object) -> None:
    refuse(field, value)


@pytest.mark.parametrize("field", ["rope_theta", "rms_norm_eps"])
@pytest.mark.parametrize("value", [0, -1.0, math.inf, math.nan, True, "1e6", None, 10**400])
def test_a_constant_that_is_no_positive_number_is_refused(field: str, value: object) -> None:
    refuse(field, value)


@pytest.mark.parametrize("field", ["tie_word_embeddings", "use_bias"])
@pytest.mark.parametrize("value", [0, 1, "true", None])
def test_a_switch_that_is_no_boolean_is_refused(field: str, value: object) -> None:
    refuse(field, value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"family": "gpt2"}, "family: 'gpt2' is none of qwen2, llama"),
        ({"num_kv_heads": 3}, "num_kv_heads: 3 does not divide num_attention_heads 4"),
        ({"head_dim": 31}, "head_dim: 31 is odd"),
        ({"use_bias": False}, "use_bias: False, but qwen2 has biases on q, k, v"),
        ({"family": "llama"}, "use_bias: True, but llama has no biases on q, k, v"),
    ],
)
def test_fields_that_do_not_fit_together_are_refused(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SHAPES["tiny-qwen2"], **changes)


def test_named_shapes_are_the_published_ones() -> None:
    qwen, llama = SHAPES["qwen2-0.5b"], SHAPES["llama-370m"]
    assert (qwen.head_dim, qwen.rope_theta, qwen.rms_norm_eps) == (64, 1_000_000.0, 1e-6)
    assert (qwen.vocab_size, qwen.max_position_embeddings) == (151_936, 32_768)
    assert (llama.head_dim, llama.rope_theta, llama.rms_norm_eps) == (64, 10_000.0, 1e-5)
    assert (llama.vocab_size, llama.max_position_embeddings) == (50_257, 4096)
    assert qwen.use_bias
    assert not llama.use_bias


@pytest.mark.parametrize("value", [10**400, 2**31])
def test_a_size_beyond_any_model_is_refused_and_shown_short(
    make_config: Callable[..., ModelConfig], value: int
) -> None:
    with pytest.raises(ValueError, match=r"vocab_size: .* is above 2147483647") as caught:
        make_config(vocab_size=value)
    assert len(str(caught.value)) < 100
