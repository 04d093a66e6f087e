"""The decoder beside the reference library's, and the properties that tell a wrong one apart.

Shape suffixes: B batch, T time, D hidden width, H query heads, K key/value heads, E head width,
V vocabulary.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch.nn import functional as F

from pv_trainer.model.config import tensor_shapes
from pv_trainer.model.decoder import Decoder, RMSNorm, rotary_tables, rotate


if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from pv_trainer.model.config import ModelConfig


def with_our_weights(theirs: Any, model: Decoder) -> Any:
    result = theirs.load_state_dict(model.state_dict(), strict=False)
    tied = model.config.tie_word_embeddings
    assert result.unexpected_keys == []
    assert result.missing_keys == (["lm_head.weight"] if tied else [])
    theirs.tie_weights()
    return theirs


def some_ids(config: ModelConfig, batch: int = 2, length: int = 40) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(config.vocab_size, (batch, length), generator=generator)


@pytest.mark.parametrize("heads", [(4, 4), (4, 2), (8, 1), (7, 1)])
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("family", ["qwen2", "llama"])
def test_logits_equal_the_reference_librarys(
    *,
    family: str,
    tied: bool,
    heads: tuple[int, int],
    make_config: Callable[..., ModelConfig],
    make_model: Callable[..., Decoder],
    make_reference_model: Callable[[ModelConfig], Any],
) -> None:
    config = make_config(
        family,
        tie_word_embeddings=tied,
        num_attention_heads=heads[0],
        num_kv_heads=heads[1],
        hidden_size=8 * heads[0],
        rope_theta=5000.0,
    )
    model, ids_BT = make_model(config), some_ids(config)
    reference = with_our_weights(make_reference_model(config), model)
    with torch.no_grad():
        ours, theirs = model(ids_BT), reference(ids_BT).logits
    assert (ours - theirs).abs().max() <= 1e-4
    assert F.cosine_similarity(ours.flatten(), theirs.flatten(), dim=0) >= 0.9999
    assert ours.std() > 0.1, "logits that are all alike would agree with anything"


@pytest.mark.parametrize("family", ["qwen2", "llama"])
def test_parameter_names_and_shapes_are_those_of_the_configuration(
    family: str, make_config: Callable[..., ModelConfig]
) -> None:
    config = make_config(family, tie_word_embeddings=False)
    shapes = {name: tuple(value.shape) for name, value in Decoder(config).named_parameters()}
    assert shapes == tensor_shapes(config)
    assert list(shapes) == list(tensor_shapes(config)), "in the same order"


def test_a_tied_head_is_the_token_table_itself(make_config: Callable[..., ModelConfig]) -> None:
    model = Decoder(make_config())
    assert model.head_weight is model.model.embed_tokens.weight
    assert "lm_head.weight" not in model.state_dict()


def test_an_untied_head_is_a_parameter_of_its_own(
    make_config: Callable[..., ModelConfig],
) -> None:
    model = Decoder(make_config(tie_word_embeddings=False))
    assert model.head_weight.data_ptr() != model.model.embed_tokens.weight.data_ptr()


def test_a_later_token_changes_nothing_before_it(
    make_config: Callable[..., ModelConfig], make_model: Callable[..., Decoder]
) -> None:
    config = make_config()
    model, ids_BT = make_model(config), some_ids(config, batch=1)
    other_BT = ids_BT.clone()
    other_BT[0, 20] = (other_BT[0, 20] + 1) % config.vocab_size
    with torch.no_grad():
        one, other = model(ids_BT), model(other_BT)
    assert torch.equal(one[:, :20], other[:, :20])
    assert not torch.equal(one[:, 20:], other[:, 20:])


def test_rows_of_a_batch_do_not_mix(
    make_config: Callable[..., ModelConfig], make_model: Callable[..., Decoder]
) -> None:
    config = make_config()
    model, ids_BT = make_model(config), some_ids(config, batch=3)
    with torch.no_grad():
        together = model(ids_BT)
        alone = torch.cat([model(row.unsqueeze(0)) for row in ids_BT])
    assert torch.allclose(together, alone, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(shift=st.integers(0, 400), seed=st.integers(0, 99))
def test_rotation_makes_scores_depend_on_distance_only(shift: int, seed: int) -> None:
    from pv_trainer.model.config import SHAPES

    config = SHAPES["tiny-qwen2"]
    generator = torch.Generator().manual_seed(seed)
    q_E, k_E = torch.randn(2, 1, config.head_dim, generator=generator)
    cos_TE, sin_TE = rotary_tables(config, 512, torch.device("cpu"))

    def score(query_at: int, key_at: int) -> Tensor:
        q = rotate(q_E, cos_TE[query_at], sin_TE[query_at])
        return (q * rotate(k_E, cos_TE[key_at], sin_TE[key_at])).sum()

    assert torch.allclose(score(7, 3), score(7 + shift, 3 + shift), atol=1e-3)
    assert torch.allclose(rotate(q_E, cos_TE[shift], sin_TE[shift]).norm(), q_E.norm())


def test_position_zero_is_not_rotated(make_config: Callable[..., ModelConfig]) -> None:
    cos_TE, sin_TE = rotary_tables(make_config(), 4, torch.device("cpu"))
    x_TE = torch.randn(1, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(rotate(x_TE, cos_TE[:1], sin_TE[:1]), x_TE)
    assert not torch.equal(rotate(x_TE, cos_TE[1:2], sin_TE[1:2]), x_TE)


def test_the_norm_divides_by_the_root_mean_square() -> None:
    norm = RMSNorm(4, 0.5, device=torch.device("cpu"))
    norm.weight.data = torch.tensor([1.0, 2.0, 3.0, 4.0])
    x = torch.tensor([[1.0, -1.0, 2.0, 0.0]])
    root = math.sqrt((1 + 1 + 4) / 4 + 0.5)
    assert torch.allclose(norm(x), torch.tensor([[1.0, -2.0, 6.0, 0.0]]) / root)


def test_fresh_weights_have_the_deviations_that_are_promised(
    make_config: Callable[..., ModelConfig],
) -> None:
    config = make_config(hidden_size=128, intermediate_size=256, tie_word_embeddings=False)
    model = Decoder(config)
    model.init_weights(torch.Generator().manual_seed(0))
    for name, value in model.state_dict().items():
        if name.endswith("norm.weight"):
            assert torch.equal(value, torch.ones_like(value)), name
        elif name.endswith(".bias"):
            assert torch.equal(value, torch.zeros_like(value)), name
        else:
            residual = "o_proj" in name or "down_proj" in name
            wanted = 0.02 / math.sqrt(4) if residual else 0.02
            assert float(value.std()) == pytest.approx(wanted, rel=0.1), name
            assert abs(float(value.mean())) < 0.1 * wanted, name


def test_one_seed_gives_one_model_and_two_seeds_two(
    make_config: Callable[..., ModelConfig],
) -> None:
    models = [Decoder(make_config()) for _ in range(3)]
    for model, seed in zip(models, (1, 1, 2), strict=True):
        model.init_weights(torch.Generator().manual_seed(seed))
    one, same, other = (model.model.embed_tokens.weight for model in models)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_building_and_drawing_leave_the_global_generator_alone(
    make_config: Callable[..., ModelConfig],
) -> None:
    before = torch.random.get_rng_state()
    Decoder(make_config()).init_weights(torch.Generator().manual_seed(1))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_bfloat16_computes_near_float32_and_keeps_float32_masters(
    make_config: Callable[..., ModelConfig], make_model: Callable[..., Decoder]
) -> None:
    config = make_config()
    exact = make_model(config)
    rough = Decoder(config, dtype=torch.bfloat16)
    rough.load_state_dict(exact.state_dict())
    ids_BT = some_ids(config)
    logits = rough(ids_BT)
    assert {value.dtype for value in rough.parameters()} == {torch.float32}
    assert rough.hidden(ids_BT).dtype == torch.bfloat16
    assert logits.dtype == torch.float32
    assert F.cosine_similarity(logits.flatten(), exact(ids_BT).flatten(), dim=0) > 0.999
    logits.square().mean().backward()
    assert all(value.grad is not None for value in rough.parameters())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_gives_the_logits_of_the_cpu(
    make_config: Callable[..., ModelConfig], make_model: Callable[..., Decoder]
) -> None:
    config = make_config()
    model, ids_BT = make_model(config), some_ids(config)
    with torch.no_grad():
        cpu = model(ids_BT)
        cuda = model.to("cuda")(ids_BT.to("cuda")).cpu()
    assert (cpu - cuda).abs().max() <= 1e-3
