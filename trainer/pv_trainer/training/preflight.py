"""Every check that a run must pass before anything is allocated or written; imports no torch.

The order is fixed: device, init file, its metadata, family, tokenizer against vocabulary,
dataset, held-out split, budget. The first that fails ends the command.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Final

from pv_trainer import error_ids
from pv_trainer.checkpoints.architecture import read_architecture
from pv_trainer.checkpoints.population import plan_population
from pv_trainer.data.batches import BatchPlan
from pv_trainer.data.corpus_gates import DEFAULT_THRESHOLDS, Gate, check_corpus
from pv_trainer.data.manifest import read_manifest
from pv_trainer.data.shards import Dataset, read_dataset
from pv_trainer.data.splits import check_disjoint
from pv_trainer.data.tokenizer import TokenizerInfo, open_tokenizer, read_tokenizer
from pv_trainer.data.validation_set import ValidationSet, choose_validation
from pv_trainer.errors import DataInvalid, StreamExhausted, UsageError
from pv_trainer.formats.checkpoint import open_checkpoint
from pv_trainer.model.config import SHAPES, ModelConfig
from pv_trainer.training.device import resolve_device
from pv_trainer.training.options import (
    DEFAULT_CONFIG,
    DTypeName,
    PretrainOptions,
    default_dtype,
)
from pv_trainer.training.regimes import Regime, choose_regime
from pv_trainer.training.schedule import learning_rate


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pv_trainer.formats.checkpoint import Checkpoint

LOG: Final = logging.getLogger("pv_trainer")
FIRST_RUN: Final = (
    "apr pretrain --num-steps 200 --warmup-steps 20 --batch-size 8 --seq-length 128"
)
"""For who gave no flags: their defaults are for a GPU and more text."""
_VAL_TOKENS: Final = 1024
"""Targets per forward pass of a validation, at least: a batch may be too small for speed."""


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """A run that has passed every check that headers, metadata and data allow."""

    options: PretrainOptions
    device: str
    dtype: DTypeName
    checkpoint: Checkpoint | None
    config: ModelConfig
    sources: Mapping[str, str]
    """Where each field of `config` came from."""
    tokenizer: TokenizerInfo
    train: BatchPlan
    val_dataset: Dataset
    val: ValidationSet
    gates: Mapping[str, tuple[Gate, ...]]
    regime: Regime

    @property
    def horizon(self) -> int:
        """The update at which the cosine reaches its minimum: the last one of the run."""
        return self.options.num_steps if self.options.horizon is None else self.options.horizon

    def rate_of(self, update: int) -> float:
        """The learning rate of an update, counted from 1; 0 stands before the first."""
        return learning_rate(
            update,
            peak=self.regime.lr,
            warmup_steps=self.regime.warmup_steps,
            num_steps=self.horizon,
        )


def preflight(options: PretrainOptions) -> TrainingPlan:
    """The plan of a run, every check passed, nothing written.

    Raises:
        UsageError: the arguments contradict each other.
        DeviceUnavailable: the device is not there.
        InitInvalid: the checkpoint can't be trained from.
        DataInvalid: tokenizer, dataset or held-out split can't be trained on.
        StreamExhausted: the data would end before the first epoch does.
    """
    _check_arguments(options)
    device = resolve_device(options.device)
    checkpoint, config, sources = _choose_model(options)
    embedded = options.dataset is None and checkpoint is None
    options = _name_data(options)
    tokenizer = _check_tokenizer(options, config, from_init=checkpoint is not None)
    dataset = _open_dataset(_training_path(options), tokenizer)
    held_out = _open_dataset(_held_out_path(options), tokenizer)
    check_disjoint(dataset, held_out)
    tool = open_tokenizer(tokenizer)
    gates = {
        name: check_corpus(data, tokenizer, tool, DEFAULT_THRESHOLDS, place=data.path)
        for name, data in (("train", dataset), ("val", held_out))
    }
    check_budget(options, config)
    train = BatchPlan(
        dataset, options.batch_size, options.seq_length, options.seed, options.cycle
    )
    _check_data_lasts(train, options, embedded=embedded)
    return TrainingPlan(
        options=options,
        device=device,
        dtype=options.dtype or default_dtype(device),
        checkpoint=checkpoint,
        config=config,
        sources=sources,
        tokenizer=tokenizer,
        train=train,
        val_dataset=held_out,
        val=choose_validation(
            held_out,
            seq_length=options.seq_length,
            batch_size=max(min(options.batch_size, 16), _VAL_TOKENS // options.seq_length),
            max_tokens=options.val_tokens,
        ),
        gates=gates,
        regime=choose_regime(
            options.mode,
            from_init=checkpoint is not None,
            lr=options.lr,
            warmup_steps=options.warmup_steps,
            target_val_loss=options.target_val_loss,
        ),
    )


def check_vocabulary(tokenizer: TokenizerInfo, config: ModelConfig, *, from_init: bool) -> None:
    """Establish that the model has a row for every id: more rows only where it came with them.

    Raises:
        DataInvalid: ARCH-010 the tokenizer is larger than the init model; ARCH-006 from
            scratch the two differ.
    """
    if from_init and tokenizer.vocab_size > config.vocab_size:
        raise DataInvalid(
            error_ids.ARCH_TOKENIZER_FITS,
            f"{tokenizer.files[0]}: {tokenizer.vocab_size} ids, the init model has "
            f"{config.vocab_size}; at most as many are needed",
            "use the tokenizer that the checkpoint was trained with",
        )
    if not from_init and tokenizer.vocab_size != config.vocab_size:
        raise DataInvalid(
            error_ids.ARCH_TOKENIZER_EQUAL,
            f"{tokenizer.files[0]}: {tokenizer.vocab_size} ids, the model from scratch has "
            f"{config.vocab_size}; they must be equal",
            "choose another --config or train a tokenizer of that size",
        )


def _check_arguments(options: PretrainOptions) -> None:
    if options.init is not None and options.config is not None:
        raise UsageError(
            error_ids.USAGE,
            f"--config {options.config} and --init {options.init}: the shape comes from the "
            "init checkpoint",
            "leave --config out",
        )
    if options.config is not None and options.config not in SHAPES:
        raise UsageError(
            error_ids.USAGE,
            f"--config {options.config!r} is none of {', '.join(sorted(SHAPES))}",
        )


def _choose_model(
    options: PretrainOptions,
) -> tuple[Checkpoint | None, ModelConfig, Mapping[str, str]]:
    if options.init is None:
        name = options.config or DEFAULT_CONFIG
        return None, SHAPES[name], {f.name: f"--config {name}" for f in fields(ModelConfig)}
    checkpoint = open_checkpoint(options.init)
    architecture = read_architecture(checkpoint)
    plan_population(checkpoint, architecture.config)
    checkpoint.verify()
    for warning in checkpoint.warnings:
        LOG.warning("%s: %s", checkpoint.path, warning)
    return checkpoint, architecture.config, architecture.sources


def _name_data(options: PretrainOptions) -> PretrainOptions:
    """The options with a dataset: the embedded corpus, built if need be, if none is named."""
    if options.dataset is not None:
        return options
    from pv_trainer.data.embedded_corpus import build_corpus  # noqa: PLC0415 - who needs it pays

    corpus = build_corpus(options.cache)
    return replace(
        options,
        dataset=corpus.pretrain if options.init is None else corpus.finetune,
        val_shard=options.val_shard or corpus.val,
    )


def _training_path(options: PretrainOptions) -> Path:
    assert options.dataset is not None  # _name_data has seen to it
    return options.dataset


def _check_tokenizer(
    options: PretrainOptions, config: ModelConfig, *, from_init: bool
) -> TokenizerInfo:
    if options.tokenizer is None:
        read_manifest(_training_path(options))  # a folder that is no dataset is told so first
    info = read_tokenizer(options.tokenizer or _training_path(options))
    check_vocabulary(info, config, from_init=from_init)
    return info


def _open_dataset(path: Path, tokenizer: TokenizerInfo) -> Dataset:
    dataset = read_dataset(path)
    manifest = dataset.manifest
    if manifest.tokenizer_sha256 != tokenizer.digest:
        raise DataInvalid(
            error_ids.CORPUS_MANIFEST,
            f"{path}: encoded by the tokenizer {manifest.tokenizer_sha256[:16]}, "
            f"{tokenizer.files[0]} is {tokenizer.digest[:16]}",
            "name the tokenizer that encoded it, or encode again",
        )
    if manifest.vocab_size != tokenizer.vocab_size:
        raise DataInvalid(
            error_ids.CORPUS_MANIFEST,
            f"{path}: vocab_size is {manifest.vocab_size}, its tokenizer has "
            f"{tokenizer.vocab_size} ids",
            "encode the corpus again",
        )
    if manifest.eos_policy != "none" and manifest.eos_token_id != tokenizer.eos_id:
        raise DataInvalid(
            error_ids.CORPUS_SPECIAL_IDS,
            f"{path}: eos_token_id is {manifest.eos_token_id}, the tokenizer's is "
            f"{tokenizer.eos_id}",
            "encode the corpus again",
        )
    return dataset


def _held_out_path(options: PretrainOptions) -> Path:
    if options.val_shard is not None:
        return options.val_shard
    inside = _training_path(options) / "val"
    if not inside.is_dir():
        raise DataInvalid(
            error_ids.CORPUS_DISJOINT,
            f"{inside.parent}: it has no held-out split val and no --val-shard was given",
            "encode with --hold-out, or name one with --val-shard",
        )
    return inside


def check_budget(options: PretrainOptions, config: ModelConfig) -> None:
    """Establish that windows fit the model's positions, and that each part has a window.

    Raises:
        UsageError: they don't.
    """
    if options.seq_length > config.max_position_embeddings:
        raise UsageError(
            error_ids.USAGE,
            f"--seq-length {options.seq_length} is above the model's "
            f"{config.max_position_embeddings} positions",
        )
    if options.grad_accum > options.batch_size:
        raise UsageError(
            error_ids.USAGE,
            f"--grad-accum {options.grad_accum} is above --batch-size {options.batch_size}: "
            "a part would have no window",
        )


def _check_data_lasts(train: BatchPlan, options: PretrainOptions, *, embedded: bool) -> None:
    """Refuse a run that is certain to end without one saved epoch; warn of one cut short."""
    steps = train.steps_per_pass
    if train.cycle or steps >= options.num_steps:
        return
    told = (
        f"{train.dataset.path}: its {train.dataset.manifest.total_tokens} tokens fill {steps} "
        f"steps of {train.batch_size} x {train.seq_length}"
    )
    first = min(options.steps_per_epoch, options.num_steps)
    if steps < first:
        raise StreamExhausted(
            error_ids.EXHAUSTION,
            f"{told}, and the first checkpoint comes after {first}",
            f"a first run on the embedded corpus, minutes on a CPU: {FIRST_RUN}"
            if embedded
            else "pass --cycle to read them again, lower --batch-size or --seq-length, or ask "
            f"for --num-steps {steps}",
        )
    LOG.warning(
        "%s; the run will end there, before its %d steps: pass --cycle to read them again",
        told,
        options.num_steps,
    )
