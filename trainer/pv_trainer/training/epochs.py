"""Checkpoints of a run: weights and state are read back, then metadata counts them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pv_trainer import error_ids
from pv_trainer.checkpoints.init import load_model
from pv_trainer.checkpoints.saving import save_apr
from pv_trainer.checkpoints.writing import writing
from pv_trainer.errors import CheckpointFailed, InitInvalid
from pv_trainer.json_files import write_json
from pv_trainer.plain_files import file_sha256
from pv_trainer.training.checkpoint_folder import METADATA, STATE, WEIGHTS
from pv_trainer.training.evaluation import evaluate, perplexity
from pv_trainer.training.optimizer import PREFIX, state_digest
from pv_trainer.training.state_file import write_state


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import torch

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
    """`state_digest` of the tensors in the state file whose names begin with `optimizer.`."""
    wall_seconds: float
    """Of this epoch."""
    run_seconds: float
    """Of the run until here, without what a resume has thrown away."""
    tokens_seen: int
    grad_norm_max: float | None
    checkpoint: str
    checkpoint_sha256: str
    state: str
    state_sha256: str


@dataclass(frozen=True, slots=True)
class StopRecord:
    """What the metadata.json of a stop within an epoch says."""

    step: int
    optimizer_state_sha: str
    wall_seconds: float
    """Of the running epoch until here."""
    run_seconds: float
    tokens_seen: int
    checkpoint: str
    checkpoint_sha256: str
    state: str
    state_sha256: str


@dataclass(frozen=True, slots=True)
class TrainingState:
    """What resuming needs beside the weights."""

    tensors: Mapping[str, torch.Tensor]
    position: Mapping[str, Any]
    inherited: Mapping[str, Any]
    """What the weights' metadata keeps of the checkpoint that the run began from."""
    settings: str
    """`settings_digest` of the run."""

    @property
    def facts(self) -> dict[str, Any]:
        """What is no tensor, as JSON values."""
        return {
            "position": dict(self.position),
            "inherited": dict(self.inherited),
            "settings": self.settings,
        }

    @property
    def optimizer_sha(self) -> str:
        """The digest of the moments and step counters."""
        moments = {n: v for n, v in self.tensors.items() if n.startswith(PREFIX)}
        return state_digest(moments)


def write_epoch(
    folder: Path,
    model: Decoder,
    val: ValidationSet,
    validation: Validation,
    facts: Mapping[str, Any],
    state: TrainingState,
) -> EpochRecord:
    """Write `epoch-NNN.apr` and its state, read both back, then write its metadata.json.

    The epoch counts only if the files verify and the model in them has the same validation
    loss, to the last bit, as the model in memory.

    Args:
        folder: the run's ckpt folder.
        model: what is saved.
        val: what `validation` was measured on.
        validation: of the model in memory.
        facts: the other fields of `EpochRecord`.
        state: what resuming needs beside the weights.

    Raises:
        CheckpointFailed: a file cannot be written, does not verify, or evaluates otherwise;
            nothing of the epoch is left.
    """
    name = f"epoch-{facts['epoch']:03d}"
    own = {"source": "apr pretrain", "training": _provenance(facts)}
    try:
        pair = _write_pair(folder / name, model, {**state.inherited, **own}, state)
        verify_epoch(folder / f"{name}{WEIGHTS}", model, val, validation)
        record = EpochRecord(
            **facts,
            **pair,
            train_ppl=None if facts["train_loss"] is None else perplexity(facts["train_loss"]),
            val_loss=validation.loss,
            val_loss_standard_error=validation.standard_error,
            val_ppl=validation.ppl,
            val_set_id=validation.val_set_id,
            val_tokens=validation.tokens,
        )
        _write_metadata(folder / f"{name}{METADATA}", record)
    except BaseException:
        _remove(folder / name)
        raise
    return record


def write_stop(
    folder: Path,
    model: Decoder,
    facts: Mapping[str, Any],
    state: TrainingState,
) -> StopRecord:
    """Write a checkpoint within an epoch, each file read back before it counts.

    The weights are compared bit for bit and not evaluated: whoever sent a signal waits.

    Raises:
        CheckpointFailed: a file cannot be written or does not verify.
    """
    name = f"step-{facts['step']:08d}"
    own = {"source": "apr pretrain", "training": _provenance({**facts, "epoch": None})}
    try:
        pair = _write_pair(folder / name, model, {**state.inherited, **own}, state)
        _verify_weights(folder / f"{name}{WEIGHTS}", model)
        record = StopRecord(**facts, **pair)
        _write_metadata(folder / f"{name}{METADATA}", record)
    except BaseException:
        _remove(folder / name)
        raise
    return record


def verify_epoch(path: Path, model: Decoder, val: ValidationSet, expected: Validation) -> None:
    """Establish that the file at `path` holds a model that evaluates as `expected`.

    Raises:
        CheckpointFailed: it cannot be loaded, or its loss differs in any bit.
    """
    found = evaluate(_reload(path, model), val)
    if found.loss != expected.loss:
        raise CheckpointFailed(
            error_ids.CHECKPOINT,
            f"{path}: read back, its validation loss is {found.loss!r}; in memory it was "
            f"{expected.loss!r}",
        )


def _write_pair(
    stem: Path, model: Decoder, metadata: Mapping[str, Any], state: TrainingState
) -> dict[str, Any]:
    weights, moments = stem.with_name(stem.name + WEIGHTS), stem.with_name(stem.name + STATE)
    checkpoint_sha256 = save_apr(weights, model, metadata)
    with writing(moments, ValueError):
        state_sha256 = write_state(moments, state.tensors, state.facts)
        found = file_sha256(moments)
    if found != state_sha256:
        raise CheckpointFailed(
            error_ids.CHECKPOINT, f"{moments}: read back, it has sha256 {found}"
        )
    return {
        "checkpoint": weights.name,
        "checkpoint_sha256": checkpoint_sha256,
        "state": moments.name,
        "state_sha256": state_sha256,
        "optimizer_state_sha": state.optimizer_sha,
    }


def _verify_weights(path: Path, model: Decoder) -> None:
    found = _reload(path, model).state_dict()
    for name, values in model.state_dict().items():
        if not bool((found[name] == values).all()):
            raise CheckpointFailed(
                error_ids.CHECKPOINT, f"{path}: read back, {name} is not what was written"
            )


def _reload(path: Path, model: Decoder) -> Decoder:
    try:
        reloaded, _, _ = load_model(path, model.head_weight.device, model.dtype)
    except InitInvalid as error:
        raise CheckpointFailed(
            error_ids.CHECKPOINT, f"{path}: written, but does not read back: {error}"
        ) from error
    return reloaded


def _write_metadata(path: Path, record: EpochRecord | StopRecord) -> None:
    with writing(path):
        write_json(path, asdict(record))


def _remove(stem: Path) -> None:
    """Let nothing of a checkpoint that failed be taken for one."""
    for suffix in (METADATA, STATE, WEIGHTS):
        try:
            stem.with_name(stem.name + suffix).unlink(missing_ok=True)
        except OSError:
            return


def _provenance(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: facts[name] for name in ("epoch", "step", "tokens_seen")}
