"""The artifacts of an epoch: a checkpoint that was read back, and its metadata."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pv_trainer import error_ids
from pv_trainer.atomic import atomic_file
from pv_trainer.checkpoints.init import load_model
from pv_trainer.checkpoints.saving import save_apr
from pv_trainer.errors import CheckpointFailed, InitInvalid
from pv_trainer.training.evaluation import evaluate, perplexity


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pv_trainer.data.validation_set import ValidationSet
    from pv_trainer.model.decoder import Decoder
    from pv_trainer.training.evaluation import Validation


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """What an epoch's metadata.json says; losses in nats per token."""

    epoch: int
    step: int
    train_loss: float | None
    """The mean of the last 100 steps of the run; None if there was no step."""
    train_ppl: float | None
    val_loss: float
    val_loss_standard_error: float
    val_ppl: float
    val_set_id: str
    val_tokens: int
    optimizer_state_sha: str
    wall_seconds: float
    tokens_seen: int
    grad_norm_max: float | None
    checkpoint: str
    checkpoint_sha256: str


def write_epoch(
    folder: Path,
    model: Decoder,
    val: ValidationSet,
    validation: Validation,
    facts: Mapping[str, Any],
    inherited: Mapping[str, Any] = MappingProxyType({}),
) -> EpochRecord:
    """Write `epoch-NNN.apr`, read it back, then write `epoch-NNN.metadata.json`.

    The epoch counts only if the file verifies and the model in it has the same validation loss,
    to the last bit, as the model in memory.

    Args:
        folder: the run's ckpt folder.
        model: what is saved.
        val: what `validation` was measured on.
        validation: of the model in memory.
        facts: the other fields of `EpochRecord`.
        inherited: what the checkpoint's metadata keeps of the one that the run started from.

    Raises:
        CheckpointFailed: the file cannot be written, does not verify, or evaluates otherwise.
    """
    path = folder / f"epoch-{facts['epoch']:03d}.apr"
    own = {"source": "apr pretrain", "training": _provenance(facts)}
    digest = save_apr(path, model, {**inherited, **own})
    verify_epoch(path, model, val, validation)
    record = EpochRecord(
        **facts,
        train_ppl=None if facts["train_loss"] is None else perplexity(facts["train_loss"]),
        val_loss=validation.loss,
        val_loss_standard_error=validation.standard_error,
        val_ppl=validation.ppl,
        val_set_id=validation.val_set_id,
        val_tokens=validation.tokens,
        checkpoint=path.name,
        checkpoint_sha256=digest,
    )
    with atomic_file(path.with_suffix(".metadata.json")) as file:
        file.write(json.dumps(asdict(record), indent=1, allow_nan=False).encode() + b"\n")
    return record


def verify_epoch(path: Path, model: Decoder, val: ValidationSet, expected: Validation) -> None:
    """Establish that the file at `path` holds a model that evaluates as `expected`.

    Raises:
        CheckpointFailed: it cannot be loaded, or its loss differs in any bit.
    """
    try:
        reloaded, _, _ = load_model(path, model.head_weight.device, model.dtype)
    except InitInvalid as error:
        raise CheckpointFailed(
            error_ids.CHECKPOINT, f"{path}: written, but does not read back: {error}"
        ) from error
    found = evaluate(reloaded, val)
    if found.loss != expected.loss:
        raise CheckpointFailed(
            error_ids.CHECKPOINT,
            f"{path}: read back, its validation loss is {found.loss!r}; in memory it was "
            f"{expected.loss!r}",
        )


def _provenance(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: facts[name] for name in ("epoch", "step", "tokens_seen")}
