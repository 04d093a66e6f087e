"""The training loop, top to bottom: updates, a validation after each epoch, why it ends.

What is written down meanwhile, and how a run that was stopped goes on, is in run_lifetime and
run_book.
"""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import torch

from pv_trainer import error_ids
from pv_trainer.checkpoints.init import PopulationReport, build_model, fresh_model
from pv_trainer.data.splits import unigram_cross_entropy
from pv_trainer.errors import Divergence
from pv_trainer.exit_status import ExitStatus
from pv_trainer.training.evaluation import Validation, evaluate, window_losses
from pv_trainer.training.metrics import StepMetrics
from pv_trainer.training.run_lifetime import opened_run
from pv_trainer.training.stopping import divergence, early_stop
from pv_trainer.training.torch_modes import (
    compile_trunk,
    deterministic,
    eager,
    enough_memory,
    seeded,
)
from pv_trainer.training.update import check_finite, train_step


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pv_trainer.model.decoder import Decoder
    from pv_trainer.training.position import Position
    from pv_trainer.training.preflight import TrainingPlan
    from pv_trainer.training.resuming import ResumePoint
    from pv_trainer.training.run_book import Report, RunBook
    from pv_trainer.training.run_state import RunState

DTYPES: Final = {"float32": torch.float32, "bfloat16": torch.bfloat16}
LOG: Final = logging.getLogger("pv_trainer")


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended, and its record as run.json holds it."""

    status: ExitStatus
    record: dict[str, Any]


def run_training(
    plan: TrainingPlan,
    run_dir: Path,
    *,
    clock: Callable[[], float] = time.perf_counter,
    report: Report = lambda _: None,
    stop_asked: Callable[[], bool] = lambda: False,
    point: ResumePoint | None = None,
) -> RunResult:
    """Train as planned into `run_dir`: metrics.jsonl, ckpt/, run.json.

    Without a `point` the folder must not exist. It appears after the model is built, so that a
    refused checkpoint leaves nothing. With one, the run goes on from there, and on the CPU it
    ends with the bits of a run that was never stopped.

    Args:
        plan: what preflight allowed; with a point, for the options of `continued_options`.
        run_dir: the run's folder.
        clock: seconds that never go back.
        report: told of each update and each epoch.
        stop_asked: asked before each update; True leaves a checkpoint and ends the run.
        point: where a stopped run goes on.

    Raises:
        InitInvalid: the init weights can't be read or are not finite; RESUME-002 the files of
            the point don't fit together.
        UsageError: another process writes the run, or has written it since the point was found.
        DeviceUnavailable: the device's memory does not hold the run.
        Divergence, NumericalInstability, StreamExhausted, CheckpointFailed, Interrupted: the
            run was stopped; run.json says so.
    """
    with deterministic(plan.device), seeded(plan.options.seed), enough_memory(plan.device):
        start = prepare_model(plan)
        opened = opened_run(plan, run_dir, start, clock=clock, report=report, point=point)
        with opened as book:
            if plan.options.compile:
                compile_trunk(book.state.model)
            if book.position.step == 0:
                book.begin(measure_start(plan, book.state.model))
            while (ending := why_it_ends(plan, book.position)) is None:
                train_epoch(plan, book, stop_asked)
            status, reason = ending
            book.end(status, reason)
    return RunResult(status, book.record)


def prepare_model(plan: TrainingPlan) -> tuple[Decoder, PopulationReport | None]:
    """The model that a run starts from: the init checkpoint's weights, or random ones."""
    dtype = DTYPES[plan.dtype]
    if plan.checkpoint is not None:
        return build_model(plan.config, plan.checkpoint, device=plan.device, dtype=dtype)
    generator = torch.Generator().manual_seed(plan.options.seed)
    return fresh_model(plan.config, generator, device=plan.device, dtype=dtype), None


def measure_start(plan: TrainingPlan, model: Decoder) -> dict[str, Any]:
    """What the model that the run starts from predicts, before anything can change it."""
    validation = validate(plan, model)
    first = plan.train.batch_at(0)
    losses = window_losses(model, first.ids_BT, first.targets_BT)
    check_finite("train_loss", math.fsum(losses))
    return {
        "step0": {
            "val_loss": validation.loss,
            "val_loss_standard_error": validation.standard_error,
            "train_loss": math.fsum(losses) / len(losses),
        },
        "unigram_cross_entropy_nats": unigram_cross_entropy(plan.val.targets_NT),
        "ln_vocab": math.log(plan.config.vocab_size),
    }


def train_epoch(plan: TrainingPlan, book: RunBook, stop_asked: Callable[[], bool]) -> None:
    """Do what is left of an epoch: its updates, a validation, a checkpoint."""
    position = book.position
    end = plan.options.end_of_epoch(position.epoch)
    while position.step < end:
        if stop_asked():
            book.stop()
        book.log_update(do_update(plan, book.state, book.clock))
    validation = validate(plan, book.state.model)
    refuse_divergence(plan, position, validation)
    book.close_epoch(validation)


def do_update(plan: TrainingPlan, state: RunState, clock: Callable[[], float]) -> StepMetrics:
    """Change the weights once, by the next batch; what was measured of it."""
    position, started = state.position, clock()
    if position.step == plan.train.steps_per_pass and plan.train.cycle:
        total = plan.train.dataset.manifest.total_tokens
        LOG.info("the %d tokens of the dataset are read again from here on", total)
    batch = plan.train.batch_at(position.step)
    rate = plan.rate_of(position.step + 1)
    loss, norm = train_step(
        state.model, state.optimizer, batch, rate=rate, grad_accum=plan.options.grad_accum
    )
    position.advance(loss, norm)
    return StepMetrics(
        step=position.step,
        train_loss=loss,
        grad_norm=norm,
        lr=rate,
        tokens_per_sec=batch.tokens / (clock() - started),
        tokens_seen=plan.train.account(position.step).seen,
        batch_digest=batch.digest,
    )


def validate(plan: TrainingPlan, model: Decoder) -> Validation:
    """The loss over the held-out windows.

    Raises:
        NumericalInstability: it is not finite.
    """
    with eager(plan.options.compile):
        validation = evaluate(model, plan.val)
    check_finite("val_loss", validation.loss)
    return validation


def refuse_divergence(plan: TrainingPlan, position: Position, validation: Validation) -> None:
    """Establish that the epoch that ends here may count.

    Raises:
        Divergence: its loss is too far above the one before it, or too high for a first one.
    """
    reason = divergence(
        [*position.val_losses, validation.loss],
        mode=plan.regime.mode,
        vocab_size=plan.config.vocab_size,
    )
    if reason is not None:
        raise Divergence(error_ids.DIVERGENCE, reason, "lower --lr")


def why_it_ends(plan: TrainingPlan, position: Position) -> tuple[ExitStatus, str] | None:
    """How a run that stands here has ended, and why; None while it goes on."""
    if not position.val_losses:
        return None
    target, val_loss = plan.regime.target_val_loss, position.val_losses[-1]
    if val_loss <= target:
        return ExitStatus.TARGET_MET, f"target met: {val_loss:.4f} <= {target}"
    reason = early_stop(position.val_losses, position.val_errors)
    if reason is not None:
        return ExitStatus.EARLY_STOP, f"{reason}; target not met"
    if position.step >= plan.options.num_steps:
        return ExitStatus.BUDGET_END, f"target not met: {val_loss:.4f} > {target}"
    return None
