from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest

from pv_trainer import error_ids
from pv_trainer.checkpoints.architecture import read_architecture
from pv_trainer.checkpoints.saving import apr_metadata, save_apr, save_huggingface
from pv_trainer.errors import InitInvalid
from pv_trainer.formats.apr_writer import Payload
from pv_trainer.formats.checkpoint import open_checkpoint
from pv_trainer.model.config import SHAPES, ModelConfig


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pv_trainer.checkpoints.architecture import Architecture
    from pv_trainer.model.decoder import Decoder

SIZES = (
    *("vocab_size", "hidden_size", "num_attention_heads", "num_key_value_heads"),
    *("intermediate_size", "num_hidden_layers", "max_position_embeddings"),
)
HF_FIELDS = (*SIZES, "rms_norm_eps", "tie_word_embeddings", "model_type")
APR_FIELDS = (
    *("vocab_size", "hidden_size", "num_heads", "num_kv_heads", "intermediate_size"),
    *("num_layers", "max_position_embeddings", "rope_theta", "rms_norm_eps", "architecture"),
)


def architecture_of(path: Path) -> Architecture:
    return read_architecture(open_checkpoint(path))


@pytest.fixture
def folder(
    tmp_path: Path,
    make_config: Callable[..., ModelConfig],
    make_reference: Callable[..., tuple[Path, Any]],
) -> Path:
    """A directory whose config.json the reference library wrote."""
    return make_reference(tmp_path / "huggingface", make_config(rope_theta=5000.0))[0]


def edit_config(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))


# --- what is read


@pytest.mark.parametrize("family", ["qwen2", "llama"])
@pytest.mark.parametrize("tied", [True, False])
def test_what_the_reference_library_writes_is_read_exactly(
    *,
    tmp_path: Path,
    family: str,
    tied: bool,
    make_config: Callable[..., ModelConfig],
    make_reference: Callable[..., tuple[Path, Any]],
) -> None:
    config = make_config(family, tie_word_embeddings=tied, rope_theta=12345.0)
    folder, _ = make_reference(tmp_path / "huggingface", config)
    assert architecture_of(folder).config == config


@pytest.mark.parametrize("family", ["qwen2", "llama"])
@pytest.mark.parametrize("tied", [True, False])
def test_what_we_write_is_read_exactly(
    *,
    tmp_path: Path,
    family: str,
    tied: bool,
    make_config: Callable[..., ModelConfig],
    make_model: Callable[..., Decoder],
) -> None:
    config = make_config(
        family, tie_word_embeddings=tied, rope_theta=12345.5, rms_norm_eps=3e-6, head_dim=6
    )
    save_apr(tmp_path / "model.apr", make_model(config), {})
    save_huggingface(tmp_path / "folder", make_model(config))
    assert architecture_of(tmp_path / "model.apr").config == config
    assert architecture_of(tmp_path / "folder").config == config


def test_every_field_says_where_it_stood(folder: Path, apr_path: Path) -> None:
    names = {field.name for field in fields(ModelConfig)}
    huggingface, apr = architecture_of(folder).sources, architecture_of(apr_path).sources
    assert huggingface.keys() == apr.keys() == names
    assert huggingface["rope_theta"] == "config.json:rope_parameters.rope_theta"
    assert huggingface["num_kv_heads"] == "config.json:num_key_value_heads"
    assert huggingface["use_bias"] == "tensor names"
    assert apr["rope_theta"] == "metadata.rope_theta"
    assert apr["num_kv_heads"] == "metadata.num_kv_heads"
    assert apr["use_bias"] == "metadata.use_bias"


def test_the_old_spelling_of_rope_theta_is_read(folder: Path) -> None:
    edit_config(folder, lambda config: config.update(rope_theta=77.0, rope_parameters=None))
    architecture = architecture_of(folder)
    assert architecture.config.rope_theta == 77.0
    assert architecture.sources["rope_theta"] == "config.json:rope_theta"


def test_two_spellings_of_rope_theta_that_differ_are_refused(folder: Path) -> None:
    edit_config(folder, lambda config: config.update(rope_theta=77.0))
    with pytest.raises(InitInvalid, match=r"INIT-005.*rope_theta and .*rope_theta differ"):
        architecture_of(folder)


@pytest.mark.parametrize(("key", "value"), [("tie_word_embeddings", True), ("use_bias", True)])
def test_a_custom_key_that_an_apr_file_lacks_follows_from_its_tensors(
    *, apr_path: Path, rewrite_apr: Callable[..., Path], key: str, value: bool
) -> None:
    changed = rewrite_apr(
        apr_path, metadata=lambda found: {k: v for k, v in found.items() if k != key}
    )
    architecture = architecture_of(changed)
    assert getattr(architecture.config, key) is value
    assert architecture.sources[key] == "tensor names"


def test_an_apr_file_with_a_head_of_its_own_is_untied(
    tmp_path: Path,
    rewrite_apr: Callable[..., Path],
    make_config: Callable[..., ModelConfig],
    make_model: Callable[..., Decoder],
) -> None:
    save_apr(tmp_path / "a.apr", make_model(make_config(tie_word_embeddings=False)), {})

    def untold(found: dict[str, Any]) -> dict[str, Any]:
        return {k: v for k, v in found.items() if k != "tie_word_embeddings"}

    changed = rewrite_apr(tmp_path / "a.apr", metadata=untold)
    assert architecture_of(changed).config.tie_word_embeddings is False


def test_a_head_dim_that_is_not_said_follows_from_the_shapes(folder: Path) -> None:
    architecture = architecture_of(folder)
    assert architecture.config.head_dim == 8
    assert architecture.sources["head_dim"].startswith("tensor shapes")


# --- what is missing or makes no sense


@pytest.mark.parametrize("how", ["absent", "null"])
@pytest.mark.parametrize("field", HF_FIELDS)
def test_each_field_that_a_directory_lacks_is_an_error(
    folder: Path, field: str, how: str
) -> None:
    def change(config: dict[str, Any]) -> None:
        config[field] = None
        if how == "absent":
            del config[field]

    edit_config(folder, change)
    with pytest.raises(InitInvalid, match=rf"ARCH-003.*config\.json lacks {field}"):
        architecture_of(folder)


def test_rope_theta_that_is_in_neither_place_is_an_error(folder: Path) -> None:
    edit_config(folder, lambda config: config["rope_parameters"].pop("rope_theta"))
    with pytest.raises(InitInvalid, match=r"lacks rope_theta or rope_parameters\.rope_theta"):
        architecture_of(folder)


@pytest.mark.parametrize("field", APR_FIELDS)
def test_each_field_that_an_apr_file_lacks_is_an_error(
    apr_path: Path, rewrite_apr: Callable[..., Path], field: str
) -> None:
    changed = rewrite_apr(
        apr_path, metadata=lambda found: {k: v for k, v in found.items() if k != field}
    )
    with pytest.raises(InitInvalid, match=rf"ARCH-003.*metadata lacks {field}"):
        architecture_of(changed)


def test_all_missing_fields_are_named_at_once(folder: Path) -> None:
    edit_config(folder, lambda config: [config.pop("hidden_size"), config.pop("rms_norm_eps")])
    with pytest.raises(
        InitInvalid, match=r"lacks hidden_size, rms_norm_eps; none has a default"
    ):
        architecture_of(folder)


def test_metadata_that_is_empty_is_refused(
    apr_path: Path, rewrite_apr: Callable[..., Path]
) -> None:
    with pytest.raises(InitInvalid, match=r"INIT-005.*metadata: there is none"):
        architecture_of(rewrite_apr(apr_path, metadata=lambda _: {}))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("hidden_size", "32"),
        ("hidden_size", 32.0),
        ("vocab_size", -1),
        ("num_hidden_layers", [2]),
        ("rms_norm_eps", "small"),
        ("tie_word_embeddings", "yes"),
        ("num_attention_heads", 3),
        ("head_dim", {}),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_its_field(
    folder: Path, key: str, value: object
) -> None:
    edit_config(folder, lambda config: config.update({key: value}))
    with pytest.raises(InitInvalid, match=rf"INIT-005.*config\.json: .*{key}"):
        architecture_of(folder)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("hidden_act", "gelu"),
        ("use_sliding_window", True),
        ("rope_scaling", {"type": "linear", "factor": 2.0}),
        ("partial_rotary_factor", 0.5),
    ],
)
def test_arithmetic_that_we_do_not_do_is_refused(folder: Path, key: str, value: object) -> None:
    edit_config(folder, lambda config: config.update({key: value}))
    with pytest.raises(InitInvalid, match=rf"INIT-005.*{key} is .*does not compute"):
        architecture_of(folder)


def test_adjacent_pairs_are_refused(apr_path: Path, rewrite_apr: Callable[..., Path]) -> None:
    changed = rewrite_apr(apr_path, metadata=lambda found: found | {"rope_type": 0})
    with pytest.raises(InitInvalid, match=r"INIT-005.*rope_type is 0.*does not compute"):
        architecture_of(changed)


# --- the family


def test_a_claim_that_the_tensor_names_contradict_is_refused(
    apr_path: Path, rewrite_apr: Callable[..., Path]
) -> None:
    llama = {"architecture": "llama", "hf_architecture": None, "hf_model_type": "llama"}
    changed = rewrite_apr(apr_path, metadata=lambda found: found | llama)
    with pytest.raises(
        InitInvalid,
        match=r"ARCH-MATCH-001.*claimed llama, but 26 .* 6 of them biases.* show qwen2",
    ):
        architecture_of(changed)


def test_a_qwen2_checkpoint_without_its_biases_is_refused(
    apr_path: Path, rewrite_apr: Callable[..., Path]
) -> None:
    def drop(found: list[Payload]) -> list[Payload]:
        return [payload for payload in found if not payload.name.endswith(".bias")]

    with pytest.raises(InitInvalid, match=r"ARCH-MATCH-001.*claimed qwen2, .*show llama"):
        architecture_of(rewrite_apr(apr_path, tensors=drop))


@pytest.mark.parametrize("key", ["architecture", "hf_model_type", "hf_architecture"])
def test_claims_that_differ_from_each_other_are_refused(
    apr_path: Path, rewrite_apr: Callable[..., Path], key: str
) -> None:
    changed = rewrite_apr(apr_path, metadata=lambda found: found | {key: "llama"})
    with pytest.raises(InitInvalid, match=r"ARCH-MATCH-001.*'llama'"):
        architecture_of(changed)


def test_a_family_that_is_unknown_is_refused(folder: Path) -> None:
    edit_config(folder, lambda config: config.update(model_type="gpt2"))
    with pytest.raises(InitInvalid, match=r"ARCH-MATCH-001.*'gpt2'; qwen2 and llama are known"):
        architecture_of(folder)


def test_a_checkpoint_without_tensors_shows_no_family(
    apr_path: Path, rewrite_apr: Callable[..., Path]
) -> None:
    with pytest.raises(InitInvalid, match=r"ARCH-MATCH-001.*0 tensor names.*show no family"):
        architecture_of(rewrite_apr(apr_path, tensors=lambda _: []))


@pytest.mark.parametrize(
    "name",
    [
        "encoder.layer.0.attention.self.query.weight",
        "bert.encoder.layer.0.attention.self.query.weight",
        "embeddings.word_embeddings.weight",
        "roberta.embeddings.word_embeddings.weight",
    ],
)
def test_an_encoder_is_refused_by_its_tensor_names_whatever_it_claims(
    apr_path: Path, rewrite_apr: Callable[..., Path], name: str
) -> None:
    def encoder(found: list[Payload]) -> list[Payload]:
        return [Payload(name, "F32", (1,), lambda: bytes(4)), *found]

    with pytest.raises(InitInvalid, match=rf"ARCH-007.*tensor {name} belongs to an encoder"):
        architecture_of(rewrite_apr(apr_path, tensors=encoder))


@pytest.mark.parametrize("claim", ["bert", "BertModel", "RobertaForMaskedLM", "xlm-roberta"])
def test_an_encoder_is_refused_by_its_claim(
    apr_path: Path, rewrite_apr: Callable[..., Path], claim: str
) -> None:
    changed = rewrite_apr(apr_path, metadata=lambda found: found | {"architecture": claim})
    with pytest.raises(InitInvalid, match=rf"ARCH-007.*'{claim}', an encoder"):
        architecture_of(changed)


def test_a_real_encoder_is_refused_before_its_missing_fields(tmp_path: Path) -> None:
    import transformers

    config = transformers.BertConfig(
        vocab_size=30,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
    )
    transformers.BertModel(config).save_pretrained(tmp_path)
    with pytest.raises(InitInvalid, match="ARCH-007") as caught:
        architecture_of(tmp_path)
    assert caught.value.id == error_ids.ARCH_ENCODER


def test_the_metadata_that_we_write_holds_the_public_keys() -> None:
    written = apr_metadata(SHAPES["qwen2-0.5b"])
    assert written["param_count"] == 494_032_768
    assert written["rope_type"] == 2
    assert written["hf_architecture"] == "Qwen2ForCausalLM"
