"""Writing a model: as .apr, and as a Hugging Face directory. A tied head is stored once."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from safetensors.torch import save_file

from pv_trainer.atomic import atomic_folder, refuse_content
from pv_trainer.checkpoints.tensor_bytes import raw_bytes
from pv_trainer.checkpoints.writing import writing
from pv_trainer.data.tokenizer_folder import write_tokenizer
from pv_trainer.formats.apr_writer import Payload, write_apr
from pv_trainer.model.config import parameter_count
from pv_trainer.plain_files import file_sha256


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import torch

    from pv_trainer.data.tokenizer import TokenizerInfo
    from pv_trainer.formats.checkpoint import Checkpoint
    from pv_trainer.model.config import ModelConfig
    from pv_trainer.model.decoder import Decoder

HF_ARCHITECTURES: Final = {"qwen2": "Qwen2ForCausalLM", "llama": "LlamaForCausalLM"}
ALWAYS_WRITTEN: Final = (
    "name",
    "description",
    "author",
    "license",
    "data_source",
    "data_license",
)
"""Keys that are always written, null if nobody said."""
_NOT_INHERITED: Final = frozenset(
    {
        *("name", "description", "data_source", "data_license"),
        *("created_at", "total_size", "quantization", "sharding"),
        *("provenance", "original_format", "source_files"),
    }
)
"""What a checkpoint says of its own training and file, and not of what is trained from it."""
_SPLIT_HALVES: Final = 2


class Weights(Protocol):
    """A decoder, or what a file holds of one."""

    @property
    def config(self) -> ModelConfig:
        """The shape."""

    def state_dict(self) -> Mapping[str, torch.Tensor]:
        """The tensors by name."""


def save_apr(path: Path, model: Decoder, extra_metadata: Mapping[str, Any]) -> str:
    """Write the model as an .apr file, whole or not at all; returns the file's sha256.

    Args:
        path: where to; an existing file is replaced in one step.
        model: its parameters are written in float32, byte for byte.
        extra_metadata: kept as given beside the architecture, which it cannot override.

    Raises:
        CheckpointFailed: CKPT-001 the file cannot be written, or the metadata is not JSON.
    """
    metadata = dict.fromkeys(ALWAYS_WRITTEN) | dict(extra_metadata) | apr_metadata(model.config)
    payloads = [
        Payload(name, "F32", tuple(values.shape), partial(raw_bytes, values))
        for name, values in model.state_dict().items()
    ]
    with writing(path, ValueError, TypeError):
        return write_apr(path, metadata, payloads)


def inherited_metadata(checkpoint: Checkpoint | None) -> dict[str, Any]:
    """What a model that was trained from an .apr file still says: chat template, own keys."""
    if checkpoint is None or checkpoint.kind != "apr":
        return {}
    return {k: v for k, v in checkpoint.metadata.items() if k not in _NOT_INHERITED}


def apr_metadata(config: ModelConfig) -> dict[str, Any]:
    """The architecture in the public .apr keys, and two of our own: tie and bias."""
    return {
        "model_type": config.family,
        "architecture": config.family,
        "hf_architecture": HF_ARCHITECTURES[config.family],
        "hf_model_type": config.family,
        "param_count": parameter_count(config),
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "num_layers": config.num_hidden_layers,
        "num_heads": config.num_attention_heads,
        "num_kv_heads": config.num_kv_heads,
        "head_dim": config.head_dim,
        "intermediate_size": config.intermediate_size,
        "max_position_embeddings": config.max_position_embeddings,
        "rope_theta": config.rope_theta,
        "rope_type": _SPLIT_HALVES,
        "rms_norm_eps": config.rms_norm_eps,
        "tie_word_embeddings": config.tie_word_embeddings,
        "use_bias": config.use_bias,
    }


def huggingface_config(
    config: ModelConfig, eos_token_id: int | None, dtype: str = "float32"
) -> dict[str, Any]:
    """The config.json of a model; rope_theta in the old and in the new place."""
    return {
        "architectures": [HF_ARCHITECTURES[config.family]],
        "model_type": config.family,
        "dtype": dtype,
        "hidden_act": "silu",
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size,
        "num_hidden_layers": config.num_hidden_layers,
        "num_attention_heads": config.num_attention_heads,
        "num_key_value_heads": config.num_kv_heads,
        "head_dim": config.head_dim,
        "max_position_embeddings": config.max_position_embeddings,
        "rms_norm_eps": config.rms_norm_eps,
        "rope_theta": config.rope_theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        "tie_word_embeddings": config.tie_word_embeddings,
        "attention_bias": config.use_bias,
        "use_sliding_window": False,
        "bos_token_id": None,
        "eos_token_id": eos_token_id,
    }


def save_huggingface(
    folder: Path,
    weights: Weights,
    tokenizer: TokenizerInfo | None = None,
) -> dict[str, str]:
    """Write a Hugging Face directory, whole or not at all.

    Args:
        folder: must not exist, or be empty.
        weights: each tensor is written in its own dtype, byte for byte.
        tokenizer: written beside the weights, its end of text named in config.json.

    Returns:
        The sha256 of each file, by name.

    Raises:
        UsageError: APR-CLI-001 the folder holds something, or is a file.
        CheckpointFailed: CKPT-001 a file cannot be written or the tokenizer cannot be read.
    """
    refuse_content(folder)
    with writing(folder), atomic_folder(folder) as temporary:
        write_huggingface(temporary, weights, tokenizer)
        return {file.name: file_sha256(file) for file in sorted(temporary.iterdir())}


def write_huggingface(
    folder: Path, weights: Weights, tokenizer: TokenizerInfo | None = None
) -> None:
    """Write the files of a Hugging Face directory into a folder.

    Raises:
        OSError: a file cannot be written, or the tokenizer not be read.
        DataInvalid: as `write_tokenizer`.
    """
    eos_token_id = None if tokenizer is None else tokenizer.eos_id
    tensors = {name: values.cpu() for name, values in weights.state_dict().items()}
    config = huggingface_config(weights.config, eos_token_id, _dtype_of(tensors))
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    # The library lets nobody else read the file; let it be as readable as its neighbours.
    (folder / "model.safetensors").chmod((folder / "config.json").stat().st_mode)
    if tokenizer is not None:
        write_tokenizer(folder, tokenizer)


def _dtype_of(tensors: Mapping[str, torch.Tensor]) -> str:
    """What transformers loads every tensor into: float32 holds whatever a mixture has."""
    dtypes = {str(values.dtype).removeprefix("torch.") for values in tensors.values()}
    return dtypes.pop() if len(dtypes) == 1 else "float32"
