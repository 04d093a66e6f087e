"""Which decoder a checkpoint holds: every field from the file, with the place it stood in."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final, NoReturn

from pv_trainer import error_ids
from pv_trainer.errors import InitInvalid
from pv_trainer.model.config import BIASED, FAMILIES, ModelConfig
from pv_trainer.wording import brief


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pv_trainer.formats.checkpoint_view import Checkpoint

# How each field is spelled where. Later spellings are alternatives; a dot enters an object.
_SHARED: Final = {
    name: (name,)
    for name in (
        "vocab_size",
        "hidden_size",
        "intermediate_size",
        "max_position_embeddings",
        "head_dim",
        "rms_norm_eps",
        "tie_word_embeddings",
    )
}
_APR_SPELLINGS: Final[Mapping[str, tuple[str, ...]]] = _SHARED | {
    "num_hidden_layers": ("num_layers",),
    "num_attention_heads": ("num_heads",),
    "num_kv_heads": ("num_kv_heads",),
    "rope_theta": ("rope_theta",),
    "use_bias": ("use_bias",),
}
_HF_SPELLINGS: Final[Mapping[str, tuple[str, ...]]] = _SHARED | {
    "num_hidden_layers": ("num_hidden_layers",),
    "num_attention_heads": ("num_attention_heads",),
    "num_kv_heads": ("num_key_value_heads",),
    "rope_theta": ("rope_theta", "rope_parameters.rope_theta"),
    "use_bias": ("attention_bias",),
}
_APR_CLAIMS: Final = ("architecture", "hf_model_type", "hf_architecture")
_HF_CLAIMS: Final = ("model_type", "architectures")
"""Where a file says its family; the first one must be there."""

# Variants of the arithmetic that this decoder does not compute, and the value that means "not".
_HF_VARIANTS: Final[Mapping[str, tuple[Any, ...]]] = {
    "hidden_act": ("silu",),
    "use_sliding_window": (False,),
    "rope_scaling": (),
    "rope_parameters.rope_type": ("default",),
    "rope_parameters.partial_rotary_factor": (1, 1.0),
    "partial_rotary_factor": (1, 1.0),
}
_SPLIT_HALVES: Final = 2
_APR_VARIANTS: Final[Mapping[str, tuple[Any, ...]]] = {"rope_type": (_SPLIT_HALVES,)}

ENCODERS: Final = frozenset(
    {
        *("bert", "roberta", "xlm-roberta", "distilbert", "albert", "camembert", "electra"),
        *("deberta", "deberta-v2", "mpnet", "modernbert", "nomic_bert", "t5", "bart"),
    }
)


@dataclass(frozen=True, slots=True)
class Architecture:
    """A decoder's shape, and for each of its fields where in the checkpoint it stood."""

    config: ModelConfig
    sources: Mapping[str, str]


def read_architecture(checkpoint: Checkpoint) -> Architecture:
    """The architecture of a checkpoint, from its metadata and tensor names; torch-free.

    Raises:
        InitInvalid: ARCH-007 it is an encoder; ARCH-003 fields are missing, all of them named;
            ARCH-MATCH-001 claim and tensor names show different families; INIT-005 there is no
            metadata, or a field's value makes no sense or asks for arithmetic that this decoder
            does not do.
    """
    _refuse_encoder(checkpoint)
    if not checkpoint.metadata:
        _bogus(checkpoint, "there is none")
    family, family_source = _claimed_family(checkpoint)
    _match_family(checkpoint, family)
    _refuse_variants(checkpoint)
    found = {"family": (family, family_source)} | dict(_read_fields(checkpoint))
    missing = [field.name for field in fields(ModelConfig) if field.name not in found]
    if missing:
        spellings = _spellings(checkpoint)
        named = ", ".join(" or ".join(spellings[name]) for name in missing)
        raise InitInvalid(
            error_ids.ARCH_FIELD,
            f"{checkpoint.path}: {checkpoint.metadata_place} lacks {named}; none has a default",
        )
    values = {name: value for name, (value, _) in found.items()}
    try:
        config = ModelConfig(**values)
    except ValueError as error:
        _bogus(checkpoint, str(error))
    return Architecture(config, {name: source for name, (_, source) in found.items()})


def _refuse_encoder(checkpoint: Checkpoint) -> None:
    for name in checkpoint.tensors:
        if "encoder" in name.split(".") or "embeddings.word_embeddings" in name:
            raise InitInvalid(
                error_ids.ARCH_ENCODER,
                f"{checkpoint.path}: tensor {name} belongs to an encoder; a decoder is needed",
            )
    for place, claim in _claims(checkpoint):
        if _normalise(claim) in ENCODERS:
            raise InitInvalid(
                error_ids.ARCH_ENCODER,
                f"{checkpoint.path}: {place} is {claim!r}, an encoder; a decoder is needed",
            )


def _claims(checkpoint: Checkpoint) -> Iterator[tuple[str, str]]:
    """Each claim of a family, with its place."""
    for key in _claim_keys(checkpoint):
        value = checkpoint.metadata.get(key)
        for item in value if isinstance(value, list) else [value]:
            if item is not None:
                yield _place(checkpoint, key), str(item)


def _normalise(claim: str) -> str:
    """`Qwen2ForCausalLM` and `qwen2` are one claim."""
    lowered = claim.lower()
    for suffix in ("forcausallm", "formaskedlm", "formodel", "model"):
        lowered = lowered.removesuffix(suffix)
    return lowered


def _claimed_family(checkpoint: Checkpoint) -> tuple[str, str]:
    claims = list(_claims(checkpoint))
    key = _claim_keys(checkpoint)[0]
    if checkpoint.metadata.get(key) is None:
        raise InitInvalid(
            error_ids.ARCH_FIELD,
            f"{checkpoint.path}: {checkpoint.metadata_place} lacks {key}, the family's name",
        )
    first_place, first = claims[0]
    for place, claim in claims:
        if _normalise(claim) not in FAMILIES:
            _mismatch(
                checkpoint, f"{place} is {brief(claim)}; {' and '.join(FAMILIES)} are known"
            )
        if _normalise(claim) != _normalise(first):
            _mismatch(
                checkpoint, f"{first_place} is {brief(first)} and {place} is {brief(claim)}"
            )
    return _normalise(first), first_place


def _match_family(checkpoint: Checkpoint, claimed: str) -> None:
    shown = family_of_names(checkpoint.tensors)
    biases = sum(_is_qkv_bias(name) for name in checkpoint.tensors)
    counted = f"{len(checkpoint.tensors)} tensor names, {biases} of them biases on q, k, v"
    if shown != claimed:
        _mismatch(checkpoint, f"claimed {claimed}, but {counted}, show {shown or 'no family'}")


def family_of_names(names: Mapping[str, object]) -> str | None:
    """The family that tensor names show; None if it is not one of ours."""
    if not any(name.endswith(".self_attn.q_proj.weight") for name in names):
        return None
    return "qwen2" if any(_is_qkv_bias(name) for name in names) else "llama"


def _is_qkv_bias(name: str) -> bool:
    return name.endswith(
        (
            ".self_attn.q_proj.bias",
            ".self_attn.k_proj.bias",
            ".self_attn.v_proj.bias",
        )
    )


def _refuse_variants(checkpoint: Checkpoint) -> None:
    variants = _APR_VARIANTS if checkpoint.kind == "apr" else _HF_VARIANTS
    for key, plain in variants.items():
        value = _lookup(checkpoint.metadata, key)
        if value is not None and value not in plain:
            _bogus(checkpoint, f"{key} is {brief(value)}, which this decoder does not compute")


def _read_fields(checkpoint: Checkpoint) -> Iterator[tuple[str, tuple[Any, str]]]:
    """Every field that the file gives, with its place; the family is not among them."""
    for name, spellings in _spellings(checkpoint).items():
        found = [
            (value, _place(checkpoint, key))
            for key in spellings
            if (value := _lookup(checkpoint.metadata, key)) is not None
        ]
        if len({repr(value) for value, _ in found}) > 1:
            _bogus(checkpoint, f"{' and '.join(place for _, place in found)} differ")
        derived = _derive(checkpoint, name)
        if found:
            yield name, found[0]
        elif derived is not None:
            yield name, derived


def _derive(checkpoint: Checkpoint, name: str) -> tuple[Any, str] | None:
    """What the tensors say about a field that the metadata need not hold, and how."""
    if name == "use_bias":
        return family_of_names(checkpoint.tensors) in BIASED, "tensor names"
    if name == "tie_word_embeddings" and checkpoint.kind == "apr":
        return "lm_head.weight" not in checkpoint.tensors, "tensor names"
    query = checkpoint.tensors.get("model.layers.0.self_attn.q_proj.weight")
    heads = _lookup(checkpoint.metadata, _spellings(checkpoint)["num_attention_heads"][0])
    if name == "head_dim" and query and query.shape and isinstance(heads, int) and heads > 0:
        return query.shape[0] // heads, "tensor shapes: rows of q_proj / heads"
    return None


def _spellings(checkpoint: Checkpoint) -> Mapping[str, tuple[str, ...]]:
    return _APR_SPELLINGS if checkpoint.kind == "apr" else _HF_SPELLINGS


def _claim_keys(checkpoint: Checkpoint) -> tuple[str, ...]:
    return _APR_CLAIMS if checkpoint.kind == "apr" else _HF_CLAIMS


def _place(checkpoint: Checkpoint, key: str) -> str:
    separator = "." if checkpoint.kind == "apr" else ":"
    return f"{checkpoint.metadata_place}{separator}{key}"


def _lookup(metadata: Mapping[str, Any], dotted: str) -> Any:
    """The value under a key, entering objects at dots; None if it is not there."""
    value: Any = metadata
    for key in dotted.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _mismatch(checkpoint: Checkpoint, what: str) -> NoReturn:
    raise InitInvalid(error_ids.ARCH_MATCH, f"{checkpoint.path}: {what}")


def _bogus(checkpoint: Checkpoint, what: str) -> NoReturn:
    raise InitInvalid(
        error_ids.INIT_METADATA, f"{checkpoint.path}: {checkpoint.metadata_place}: {what}"
    )
