"""Writing a model: as .apr, and as a Hugging Face directory. A tied head is stored once."""

from __future__ import annotations

import hashlib
import json
import shutil
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import torch
from safetensors.torch import save_file

from pv_trainer import error_ids
from pv_trainer.atomic import sync_file, sync_folder, temporary_sibling
from pv_trainer.errors import CheckpointFailed, UsageError
from pv_trainer.formats.apr_writer import Payload, write_apr
from pv_trainer.model.config import parameter_count


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pv_trainer.formats.checkpoint import Checkpoint
    from pv_trainer.model.config import ModelConfig
    from pv_trainer.model.decoder import Decoder

HF_ARCHITECTURES: Final = {"qwen2": "Qwen2ForCausalLM", "llama": "LlamaForCausalLM"}
_UNKNOWN: Final = ("name", "description", "author", "license", "data_source", "data_license")
"""Keys that are always written, null if nobody said."""
_NOT_INHERITED: Final = frozenset(
    {
        *("name", "description", "data_source", "data_license"),
        *("created_at", "total_size", "quantization", "sharding"),
    }
)
"""What a checkpoint says of its own training and file, and not of what is trained from it."""
_SPLIT_HALVES: Final = 2


def save_apr(path: Path, model: Decoder, extra_metadata: Mapping[str, Any]) -> str:
    """Write the model as an .apr file, whole or not at all; returns the file's sha256.

    Args:
        path: where to; an existing file is replaced in one step.
        model: its parameters are written in float32, byte for byte.
        extra_metadata: kept as given beside the architecture, which it cannot override.

    Raises:
        CheckpointFailed: CKPT-001 the file cannot be written, or the metadata is not JSON.
    """
    metadata = dict.fromkeys(_UNKNOWN) | dict(extra_metadata) | apr_metadata(model.config)
    payloads = [
        Payload(name, "F32", tuple(values.shape), partial(_bytes, values))
        for name, values in model.state_dict().items()
    ]
    try:
        return write_apr(path, metadata, payloads)
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointFailed(
            error_ids.CHECKPOINT, f"{path}: cannot be written: {error}"
        ) from error


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


def huggingface_config(config: ModelConfig, eos_token_id: int | None) -> dict[str, Any]:
    """The config.json of a model; rope_theta in the old and in the new place."""
    return {
        "architectures": [HF_ARCHITECTURES[config.family]],
        "model_type": config.family,
        "dtype": "float32",
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
    model: Decoder,
    tokenizer: Sequence[Path] = (),
    eos_token_id: int | None = None,
) -> dict[str, str]:
    """Write a Hugging Face directory, whole or not at all.

    Args:
        folder: must not exist, or be empty.
        model: its parameters are written in float32.
        tokenizer: the file that becomes tokenizer.json, or vocab.json and merges.txt.
        eos_token_id: for config.json.

    Returns:
        The sha256 of each file, by name.

    Raises:
        UsageError: APR-CLI-001 the folder holds something, or is a file.
        CheckpointFailed: CKPT-001 a file cannot be written or the tokenizer cannot be read.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(
            error_ids.USAGE, f"{folder}: exists and is not empty", "name a folder that is new"
        )
    temporary = temporary_sibling(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary.mkdir()
        _write_files(temporary, model, tokenizer, eos_token_id)
        digests = {file.name: _sync_and_digest(file) for file in sorted(temporary.iterdir())}
        sync_folder(temporary)
        temporary.rename(folder)
        sync_folder(folder.parent)
    except OSError as error:
        raise CheckpointFailed(
            error_ids.CHECKPOINT, f"{folder}: cannot be written: {error}"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return digests


def _write_files(
    folder: Path, model: Decoder, tokenizer: Sequence[Path], eos_token_id: int | None
) -> None:
    config = huggingface_config(model.config, eos_token_id)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    tensors = {name: values.cpu() for name, values in model.state_dict().items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    for file in tokenizer:
        name = "tokenizer.json" if len(tokenizer) == 1 else file.name
        shutil.copyfile(file, folder / name)


def _sync_and_digest(file: Path) -> str:
    sync_file(file)
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _bytes(values: torch.Tensor) -> memoryview:
    """The tensor's bytes, without a copy where it is on the CPU already."""
    return values.cpu().contiguous().view(-1).view(torch.uint8).numpy().data
