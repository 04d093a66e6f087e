from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings, strategies as st
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from pv_trainer import error_ids
from pv_trainer.checkpoints.init import (
    build_model,
    fresh_model,
    load_model,
    plan_population,
    populate,
)
from pv_trainer.checkpoints.saving import save_apr, save_huggingface
from pv_trainer.errors import InitInvalid, UsageError
from pv_trainer.formats.apr_writer import Payload
from pv_trainer.formats.checkpoint import open_checkpoint


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pv_trainer.model.config import ModelConfig
    from pv_trainer.model.decoder import Decoder

    MakeConfig = Callable[..., ModelConfig]
    MakeModel = Callable[..., Decoder]
    MakeReference = Callable[..., tuple[Path, Any]]
    Rewrite = Callable[..., Path]

HEAD, EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"


def assert_same_weights(one: Decoder, other: Decoder) -> None:
    ours, theirs = one.state_dict(), other.state_dict()
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert torch.equal(ours[name].view(torch.int32), theirs[name].view(torch.int32)), name


# --- what arrives


@pytest.mark.parametrize("shard_size", ["5GB", "20KB"])
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("family", ["qwen2", "llama"])
def test_a_checkpoint_of_the_reference_library_gives_its_logits(
    *,
    tmp_path: Path,
    family: str,
    tied: bool,
    shard_size: str,
    make_config: MakeConfig,
    make_reference: MakeReference,
) -> None:
    config = make_config(family, tie_word_embeddings=tied, rope_theta=5000.0)
    folder, theirs = make_reference(tmp_path / "hf", config, shard_size=shard_size)
    model, architecture, report = load_model(folder)
    ids_BT = torch.randint(
        config.vocab_size, (2, 50), generator=torch.Generator().manual_seed(2)
    )
    with torch.no_grad():
        ours, expected = model(ids_BT), theirs(ids_BT).logits
    assert (ours - expected).abs().max() <= 1e-4
    assert F.cosine_similarity(ours.flatten(), expected.flatten(), dim=0) >= 0.9999
    assert architecture.config == config
    assert report.matched == report.model_tensors == report.checkpoint_tensors


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_widens_exactly(
    tmp_path: Path, dtype: str, make_config: MakeConfig, make_reference: MakeReference
) -> None:
    folder, _ = make_reference(tmp_path / "hf", make_config(), dtype=dtype)
    model, _, _ = load_model(folder)
    stored = load_file(folder / "model.safetensors")
    for name, parameter in model.named_parameters():
        assert stored[name].dtype == getattr(torch, dtype)
        assert parameter.dtype == torch.float32
        assert torch.equal(parameter.to(stored[name].dtype), stored[name]), name
        assert torch.equal(parameter, stored[name].float()), name


@pytest.mark.parametrize("family", ["qwen2", "llama"])
@pytest.mark.parametrize("tied", [True, False])
def test_every_parameter_equals_its_source_byte_for_byte(
    *, tmp_path: Path, family: str, tied: bool, make_config: MakeConfig, make_model: MakeModel
) -> None:
    model = make_model(make_config(family, tie_word_embeddings=tied))
    save_apr(tmp_path / "model.apr", model, {})
    loaded, _, report = load_model(tmp_path / "model.apr")
    assert_same_weights(loaded, model)
    assert report.parameters == sum(value.numel() for value in model.parameters())
    assert (report.missing, report.unused, report.allowed_extra) == (0, 0, ())


def test_two_loads_give_identical_bytes(apr_path: Path) -> None:
    assert_same_weights(load_model(apr_path)[0], load_model(apr_path)[0])


def test_the_signs_of_zeros_and_the_smallest_numbers_arrive(
    tmp_path: Path, make_config: MakeConfig, make_model: MakeModel
) -> None:
    model = make_model(make_config())
    model.model.norm.weight.data[:3] = torch.tensor([-0.0, 1e-45, -1e-45])
    save_apr(tmp_path / "model.apr", model, {})
    assert_same_weights(load_model(tmp_path / "model.apr")[0], model)


def test_a_loaded_tied_model_still_shares_its_head(apr_path: Path) -> None:
    model, _, _ = load_model(apr_path)
    assert model.head_weight.data_ptr() == model.model.embed_tokens.weight.data_ptr()


# --- one allowed extra


def with_head(change: Callable[[bytearray], None]) -> Callable[[list[Payload]], list[Payload]]:
    def add(found: list[Payload]) -> list[Payload]:
        table = next(payload for payload in found if payload.name == EMBEDDING)
        data = bytearray(table.data())
        change(data)
        return [*found, Payload(HEAD, "F32", table.shape, lambda: data)]

    return add


def test_a_tied_head_that_is_stored_again_is_allowed_and_not_trained(
    apr_path: Path, rewrite_apr: Rewrite
) -> None:
    changed = rewrite_apr(apr_path, tensors=with_head(lambda _: None))
    model, _, report = load_model(changed)
    assert report.allowed_extra == (HEAD,)
    assert (report.model_tensors, report.checkpoint_tensors, report.unused) == (26, 27, 0)
    assert_same_weights(model, load_model(apr_path)[0])


def test_a_tied_head_that_differs_in_one_value_is_refused(
    apr_path: Path, rewrite_apr: Rewrite
) -> None:
    def change(data: bytearray) -> None:
        data[:4] = b"\0\0\x80\x3f"

    changed = rewrite_apr(apr_path, tensors=with_head(change))
    with pytest.raises(
        InitInvalid, match=rf"INIT-007.*{HEAD} differs from {EMBEDDING} in 1 of 3072 values"
    ):
        load_model(changed)


# --- refusals


def names_of(path: Path) -> list[str]:
    return list(open_checkpoint(path).tensors)


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(number=st.integers(0, 25))
def test_each_missing_tensor_is_refused(
    apr_path: Path, rewrite_apr: Rewrite, number: int
) -> None:
    lost = names_of(apr_path)[number]
    changed = rewrite_apr(apr_path, tensors=lambda found: found[:number] + found[number + 1 :])
    with pytest.raises(InitInvalid, match=r"INIT-007|ARCH-MATCH") as caught:
        load_model(changed)
    assert caught.value.id == error_ids.INIT_POPULATION
    assert f"missing from the checkpoint: {lost} " in caught.value.what


def test_a_tensor_that_nobody_asked_for_is_refused(
    apr_path: Path, rewrite_apr: Rewrite
) -> None:
    extra = Payload("model.layers.0.self_attn.o_proj.bias", "F32", (32,), lambda: bytes(128))
    with pytest.raises(
        InitInvalid,
        match=r"26 tensors, the checkpoint 27(.|\n)*not in the model: .*o_proj\.bias",
    ):
        load_model(rewrite_apr(apr_path, tensors=lambda found: [*found, extra]))


def test_one_value_too_many_is_refused(apr_path: Path, rewrite_apr: Rewrite) -> None:
    def lengthen(found: list[Payload]) -> list[Payload]:
        kept = [payload for payload in found if payload.name != "model.norm.weight"]
        return [*kept, Payload("model.norm.weight", "F32", (33,), lambda: bytes(132))]

    wanted = r"model\.norm\.weight: the model wants \(32,\), the checkpoint has \(33,\)"
    with pytest.raises(InitInvalid, match=rf"INIT-007(.|\n)*{wanted}"):
        load_model(rewrite_apr(apr_path, tensors=lengthen))


def test_all_differences_are_listed_with_both_counts(
    apr_path: Path, rewrite_apr: Rewrite
) -> None:
    def damage(found: list[Payload]) -> list[Payload]:
        return [*found[2:], Payload("stray", "F32", (1,), lambda: bytes(4))]

    with pytest.raises(InitInvalid) as caught:
        load_model(rewrite_apr(apr_path, tensors=damage))
    first, *rest = caught.value.what.splitlines()
    assert first.endswith(
        "the model has 26 tensors, the checkpoint 25: 2 missing, 1 not in the model, "
        "0 of another shape"
    )
    assert len(rest) == 3


def test_a_tied_claim_does_not_excuse_an_untied_shape(
    tmp_path: Path, make_config: MakeConfig, make_model: MakeModel
) -> None:
    folder = tmp_path / "hf"
    save_huggingface(folder, make_model(make_config()))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": False}))
    with pytest.raises(InitInvalid, match=rf"INIT-007(.|\n)*missing from .*: {HEAD}"):
        load_model(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_value_that_is_not_finite_is_refused(
    tmp_path: Path, value: float, make_config: MakeConfig, make_model: MakeModel
) -> None:
    model = make_model(make_config())
    model.model.norm.weight.data[3] = value
    save_apr(tmp_path / "model.apr", model, {})
    with pytest.raises(
        InitInvalid, match=r"INIT-007.*NaN or infinity.*\n  model\.norm\.weight: 1 of 32 values"
    ):
        load_model(tmp_path / "model.apr")


@pytest.mark.parametrize("dtype", [torch.float64, torch.int8])
def test_a_dtype_that_float32_cannot_hold_is_refused_before_reading(
    tmp_path: Path, dtype: torch.dtype, make_config: MakeConfig, make_model: MakeModel
) -> None:
    config, folder = make_config(), tmp_path / "hf"
    save_huggingface(folder, make_model(config))
    tensors = load_file(folder / "model.safetensors")
    tensors["model.norm.weight"] = tensors["model.norm.weight"].to(dtype)
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(InitInvalid, match=r"INIT-004.*norm\.weight is .*not for training"):
        plan_population(open_checkpoint(folder), config)


def test_a_claim_of_a_billion_layers_is_refused_at_once(
    apr_path: Path, make_config: MakeConfig
) -> None:
    config = replace(make_config(), num_hidden_layers=10**9)
    with pytest.raises(InitInvalid, match=r"1000000000 layers are claimed, 26 tensors"):
        plan_population(open_checkpoint(apr_path), config)


def test_a_wrong_checksum_is_refused(apr_path: Path) -> None:
    data = bytearray(apr_path.read_bytes())
    data[-200] ^= 1
    apr_path.write_bytes(data)
    with pytest.raises(InitInvalid, match=r"INIT-011.*the footer says checksum"):
        load_model(apr_path)


def test_nothing_is_written_before_all_is_verified(
    tmp_path: Path, make_config: MakeConfig, make_model: MakeModel
) -> None:
    bad = make_model(make_config(), seed=1)
    bad.model.norm.weight.data[-1] = float("nan")  # the last tensor of the model
    save_apr(tmp_path / "bad.apr", bad, {})
    checkpoint = open_checkpoint(tmp_path / "bad.apr")
    model = make_model(make_config(), seed=2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(InitInvalid, match="INIT-007"):
        populate(model, checkpoint, plan_population(checkpoint, make_config()))
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_populating_keeps_the_parameters_that_an_optimizer_holds(
    apr_path: Path, make_config: MakeConfig, make_model: MakeModel
) -> None:
    model = make_model(make_config(), seed=2)
    held = list(model.parameters())
    checkpoint = open_checkpoint(apr_path)
    populate(model, checkpoint, plan_population(checkpoint, make_config()))
    assert all(one is other for one, other in zip(held, model.parameters(), strict=True))


# --- unpaired arguments


@pytest.mark.parametrize(
    ("with_config", "with_init", "given_text"),
    [
        (True, False, "an architecture alone"),
        (False, True, "a checkpoint without its architecture"),
        (False, False, "neither architecture nor checkpoint"),
    ],
)
def test_unpaired_arguments_are_a_usage_error_that_names_the_function(
    *,
    apr_path: Path,
    make_config: MakeConfig,
    with_config: bool,
    with_init: bool,
    given_text: str,
) -> None:
    config = make_config() if with_config else None
    init = open_checkpoint(apr_path) if with_init else None
    with pytest.raises(
        UsageError,
        match=rf"INIT-CUDA-002.*pv_trainer\.checkpoints\.init\.build_model: .*{given_text}",
    ):
        build_model(config, init)


def test_fresh_weights_do_not_depend_on_the_global_generator(make_config: MakeConfig) -> None:
    models = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        models.append(fresh_model(make_config(), torch.Generator().manual_seed(7)))
    assert_same_weights(*models)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_holds_the_weights_of_the_file(apr_path: Path) -> None:
    model, _, _ = load_model(apr_path, "cuda")
    assert {value.device.type for value in model.parameters()} == {"cuda"}
    assert_same_weights(model.to("cpu"), load_model(apr_path)[0])
