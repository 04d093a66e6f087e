"""From a Hugging Face checkpoint to .apr and back, every tensor byte for byte."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import torch

from pv_trainer import error_ids
from pv_trainer.checkpoints.architecture import read_architecture
from pv_trainer.checkpoints.init import read_weights
from pv_trainer.checkpoints.population import plan_population
from pv_trainer.checkpoints.saving import ALWAYS_WRITTEN, apr_metadata, save_huggingface
from pv_trainer.checkpoints.tensor_bytes import as_bytes, raw_bytes
from pv_trainer.checkpoints.writing import writing
from pv_trainer.errors import CheckpointFailed, DataInvalid, InitInvalid, UsageError
from pv_trainer.formats.apr_writer import Payload, write_apr
from pv_trainer.formats.checkpoint import open_checkpoint
from pv_trainer.plain_files import file_sha256, name_as_text


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pv_trainer.data.tokenizer import TokenizerInfo
    from pv_trainer.formats.checkpoint import Checkpoint
    from pv_trainer.model.config import ModelConfig

ORIGINAL_FORMAT: Final = "safetensors"


@dataclass(frozen=True, slots=True)
class StoredWeights:
    """What a checkpoint holds of a model, verified, each tensor in the dtype of the file."""

    config: ModelConfig
    tensors: Mapping[str, torch.Tensor]

    def state_dict(self) -> Mapping[str, torch.Tensor]:
        """The tensors by name."""
        return self.tensors


@dataclass(frozen=True, slots=True)
class Conversion:
    """What was written and from what."""

    config: ModelConfig
    tensors: int
    files: Mapping[str, str]
    """The sha256 of each file that was written, by name."""
    metadata: Mapping[str, Any]


def read_stored(checkpoint: Checkpoint) -> StoredWeights:
    """The weights of a checkpoint that training could start from, in their own dtypes.

    Raises:
        InitInvalid: as `read_architecture`, `plan_population` and `populate`.
    """
    architecture = read_architecture(checkpoint)
    plan = plan_population(checkpoint, architecture.config)
    return StoredWeights(architecture.config, read_weights(checkpoint, plan))


def import_checkpoint(source: Path, output: Path) -> Conversion:
    """Write the .apr file of a Hugging Face directory or .safetensors file, and read it back.

    Args:
        source: with its config.json.
        output: must not exist.

    Raises:
        UsageError: APR-CLI-001 `output` exists, or `source` is an .apr file already.
        InitInvalid: the source is not one that training could start from.
        CheckpointFailed: CKPT-001 the file cannot be written or does not read back.
    """
    if output.exists() or output.is_symlink():
        raise UsageError(error_ids.USAGE, f"{output} exists", "name a new file")
    checkpoint = open_checkpoint(source)
    if checkpoint.kind == "apr":
        raise UsageError(
            error_ids.USAGE, f"{source} is an .apr file already", "copy it as it is"
        )
    weights = read_stored(checkpoint)
    metadata = _describe_import(checkpoint, weights.config)
    payloads = [
        Payload(name, info.dtype, info.shape, partial(raw_bytes, weights.tensors[name]))
        for name, info in checkpoint.tensors.items()
    ]
    with writing(output, ValueError):
        output.parent.mkdir(parents=True, exist_ok=True)
        digest = write_apr(output, metadata, payloads)
    try:
        compare_weights(output, weights)
    except CheckpointFailed:
        output.unlink(missing_ok=True)
        raise
    return Conversion(weights.config, len(payloads), {output.name: digest}, metadata)


def export_checkpoint(
    source: Path, folder: Path, tokenizer: TokenizerInfo | None = None
) -> Conversion:
    """Write the Hugging Face directory of a checkpoint of any kind, whole or not at all.

    Raises:
        InitInvalid: the source is not one that training could start from.
        DataInvalid: ARCH-010 the tokenizer has more ids than the model.
        UsageError, CheckpointFailed: as `save_huggingface`.
    """
    checkpoint = open_checkpoint(source)
    weights = read_stored(checkpoint)
    if tokenizer is not None and tokenizer.vocab_size > weights.config.vocab_size:
        raise DataInvalid(
            error_ids.ARCH_TOKENIZER_FITS,
            f"{tokenizer.files[0]}: {tokenizer.vocab_size} ids, the model has "
            f"{weights.config.vocab_size}; at most as many are needed",
            "name the tokenizer that it was trained with",
        )
    files = save_huggingface(folder, weights, tokenizer)
    return Conversion(weights.config, len(weights.tensors), files, checkpoint.metadata)


def _describe_import(checkpoint: Checkpoint, config: ModelConfig) -> dict[str, Any]:
    """The architecture in the public keys, and where the weights came from."""
    found = checkpoint.metadata
    claimed = {
        "hf_architecture": next(iter(found.get("architectures") or ()), None),
        "hf_model_type": found.get("model_type"),
    }
    return {
        **dict.fromkeys(ALWAYS_WRITTEN),
        **apr_metadata(config),
        **{key: value for key, value in claimed.items() if value is not None},
        "original_format": ORIGINAL_FORMAT,
        "source": name_as_text(checkpoint.path),
        "source_files": {
            name_as_text(file.name): file_sha256(file) for file in checkpoint.files
        },
    }


def compare_weights(output: Path, weights: StoredWeights) -> None:
    """Establish that the file holds these tensors, bit for bit, and that all of it verifies."""
    try:
        found = read_stored(open_checkpoint(output))
    except InitInvalid as error:
        raise CheckpointFailed(
            error_ids.CHECKPOINT, f"{output}: written, but does not read back: {error.what}"
        ) from error
    different = [
        name
        for name, values in weights.tensors.items()
        if name not in found.tensors
        or not torch.equal(as_bytes(found.tensors[name]), as_bytes(values))
    ]
    if different or found.config != weights.config:
        what = f"{', '.join(different) or 'the architecture'} differs"
        raise CheckpointFailed(error_ids.CHECKPOINT, f"{output}: read back, {what}")
