"""The training loop: from a plan to a status, with nothing in it that is not measured."""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

import torch

from pv_trainer import error_ids
from pv_trainer.checkpoints.init import PopulationReport, build_model, fresh_model
from pv_trainer.checkpoints.saving import inherited_metadata
from pv_trainer.data.splits import unigram_cross_entropy
from pv_trainer.errors import (
    AprError,
    CheckpointFailed,
    DeviceUnavailable,
    Divergence,
    Interrupted,
    NumericalInstability,
)
from pv_trainer.exit_status import ExitStatus
from pv_trainer.training.epochs import EpochRecord, write_epoch
from pv_trainer.training.evaluation import Validation, evaluate, window_losses
from pv_trainer.training.metrics import MetricsLog, StepMetrics
from pv_trainer.training.optimizer import make_optimizer, state_digest
from pv_trainer.training.run_record import (
    describe_crash,
    describe_failure,
    describe_plan,
    describe_start,
    write_record,
)
from pv_trainer.training.schedule import learning_rate
from pv_trainer.training.stopping import divergence, early_stop
from pv_trainer.training.update import check_finite, train_step


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pv_trainer.model.decoder import Decoder
    from pv_trainer.training.adamw import AdamW
    from pv_trainer.training.preflight import TrainingPlan

    Report = Callable[[StepMetrics | EpochRecord], None]

DTYPES: Final = {"float32": torch.float32, "bfloat16": torch.bfloat16}
LOG: Final = logging.getLogger("pv_trainer")
LOSS_WINDOW: Final = 100
"""An epoch's train_loss is the mean of the last steps, this many."""


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
) -> RunResult:
    """Train as planned into `run_dir`, which must not exist: metrics.jsonl, ckpt/, run.json.

    The folder appears after the model is built, so that a refused checkpoint leaves nothing.

    Raises:
        InitInvalid: the init weights can't be read or are not finite.
        DeviceUnavailable: the device's memory does not hold the run.
        Divergence, NumericalInstability, StreamExhausted, CheckpointFailed, Interrupted: the
            run was stopped; run.json says so.
    """
    with _deterministic(plan.device), _enough_memory(plan.device):
        model, population = prepare_model(plan)
        record = describe_plan(plan, population)
        started = clock()
        _make_folders(run_dir)
        try:
            write_record(run_dir, record)
            with (run_dir / "metrics.jsonl").open("x", encoding="utf-8") as file:
                log = MetricsLog(file, torch.device(plan.device))
                run = _Run(plan, model, run_dir, record, log, clock, report)
                with _enough_memory(plan.device):
                    status = run.to_the_end()
        except KeyboardInterrupt as error:
            stopped = Interrupted(error_ids.INTERRUPTED, f"{run_dir}: a signal ended the run")
            record |= describe_failure(stopped)
            raise stopped from error
        except OSError as error:
            failed = CheckpointFailed(error_ids.CHECKPOINT, f"{run_dir}: {error}")
            record |= describe_failure(failed)
            raise failed from error
        except AprError as error:
            record |= describe_failure(error)
            raise
        except BaseException as error:
            record |= describe_crash(error)
            raise
        else:
            record |= {"status": status.value, "exit_code": status.code}
        finally:
            record["wall_seconds"] = clock() - started
            write_record(run_dir, record)
    return RunResult(status, record)


def prepare_model(plan: TrainingPlan) -> tuple[Decoder, PopulationReport | None]:
    """The model that a run starts from: the init checkpoint's weights, or random ones."""
    dtype = DTYPES[plan.dtype]
    if plan.checkpoint is not None:
        return build_model(plan.config, plan.checkpoint, device=plan.device, dtype=dtype)
    generator = torch.Generator().manual_seed(plan.options.seed)
    return fresh_model(plan.config, generator, device=plan.device, dtype=dtype), None


@dataclass(slots=True)
class _Run:
    """A run in progress."""

    plan: TrainingPlan
    model: Decoder
    run_dir: Path
    record: dict[str, Any]
    log: MetricsLog
    clock: Callable[[], float]
    report: Report
    step: int = 0
    epochs: list[EpochRecord] = field(default_factory=list)
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=LOSS_WINDOW))

    def to_the_end(self) -> ExitStatus:
        if self.plan.options.compile:
            _compile(self.model)
        optimizer = make_optimizer(self.model)
        self.record["fresh"] = describe_start(self.plan, optimizer, self.step)
        try:
            self._record_step_0()
            status = None
            while status is None:
                status = self._epoch(optimizer)
        except NumericalInstability as error:
            raise self._located(error) from error
        finally:
            self._account()
        return status

    def _record_step_0(self) -> None:
        """Measure the model that the run starts from, before anything can change it."""
        validation = self._validate()
        first = self.plan.train.batch_at(0)
        losses = window_losses(self.model, first.ids_BT, first.targets_BT)
        check_finite("train_loss", math.fsum(losses))
        self.record["step0"] = {
            "val_loss": validation.loss,
            "val_loss_standard_error": validation.standard_error,
            "train_loss": math.fsum(losses) / len(losses),
        }
        self.record["unigram_cross_entropy_nats"] = unigram_cross_entropy(
            self.plan.val.targets_NT
        )
        self.record["ln_vocab"] = math.log(self.plan.config.vocab_size)
        self._account()
        write_record(self.run_dir, self.record)

    def _epoch(self, optimizer: AdamW) -> ExitStatus | None:
        """Train an epoch, or what the budget leaves of one; why the run ends, or None."""
        options = self.plan.options
        started, largest = self.clock(), 0.0
        for _ in range(min(options.steps_per_epoch, options.num_steps - self.step)):
            largest = max(largest, self._update(optimizer))
        validation = self._validate()
        facts = {
            "epoch": len(self.epochs),
            "step": self.step,
            "train_loss": math.fsum(self.recent) / len(self.recent) if self.recent else None,
            "optimizer_state_sha": state_digest(optimizer),
            "wall_seconds": self.clock() - started,
            "tokens_seen": self.plan.train.account(self.step).seen,
            "grad_norm_max": largest if self.step else None,
        }
        self._stop_divergence(validation)
        epoch = write_epoch(
            self.run_dir / "ckpt",
            self.model,
            self.plan.val,
            validation,
            facts,
            inherited_metadata(self.plan.checkpoint),
        )
        self.epochs.append(epoch)
        self.record["final"] = asdict(epoch)
        self.report(epoch)
        return self._status_after(validation)

    def _update(self, optimizer: AdamW) -> float:
        """Do the next update and log it; its gradient norm."""
        started = self.clock()
        if self.step == self.plan.train.steps_per_pass and self.plan.train.cycle:
            total = self.plan.train.dataset.manifest.total_tokens
            LOG.info("the %d tokens of the dataset are read again from here on", total)
        batch = self.plan.train.batch_at(self.step)
        rate = learning_rate(
            self.step + 1,
            peak=self.plan.regime.lr,
            warmup_steps=self.plan.regime.warmup_steps,
            num_steps=self.plan.horizon,
        )
        accum = self.plan.options.grad_accum
        loss, norm = train_step(self.model, optimizer, batch, rate=rate, grad_accum=accum)
        self.step += 1
        self.recent.append(loss)
        metrics = StepMetrics(
            step=self.step,
            train_loss=loss,
            grad_norm=norm,
            lr=rate,
            tokens_per_sec=batch.tokens / (self.clock() - started),
            tokens_seen=self.plan.train.account(self.step).seen,
            batch_digest=batch.digest,
        )
        self.log.write(metrics)
        self.report(metrics)
        return norm

    def _validate(self) -> Validation:
        with _eager(self.plan.options.compile):
            validation = evaluate(self.model, self.plan.val)
        check_finite("val_loss", validation.loss)
        return validation

    def _stop_divergence(self, validation: Validation) -> None:
        losses = [*(epoch.val_loss for epoch in self.epochs), validation.loss]
        reason = divergence(
            losses, mode=self.plan.regime.mode, vocab_size=self.plan.config.vocab_size
        )
        if reason is not None:
            what = f"{self.run_dir}: {reason}"
            raise Divergence(error_ids.DIVERGENCE, what, "lower --lr")

    def _located(self, error: NumericalInstability) -> NumericalInstability:
        what = f"{self.run_dir}: after {self.step} updates, {error.what}"
        return NumericalInstability(error.id, what, error.remedy)

    def _status_after(self, validation: Validation) -> ExitStatus | None:
        target = self.plan.regime.target_val_loss
        if validation.loss <= target:
            self.record["reason"] = f"target met: {validation.loss:.4f} <= {target}"
            return ExitStatus.TARGET_MET
        reason = early_stop(
            [epoch.val_loss for epoch in self.epochs],
            [epoch.val_loss_standard_error for epoch in self.epochs],
        )
        if reason is not None:
            self.record["reason"] = f"{reason}; target not met"
            return ExitStatus.EARLY_STOP
        if self.step >= self.plan.options.num_steps:
            self.record["reason"] = f"target not met: {validation.loss:.4f} > {target}"
            return ExitStatus.BUDGET_END
        return None

    def _account(self) -> None:
        self.record["tokens"] = asdict(self.plan.train.account(self.step))
        self.record["steps"] = self.step


def _make_folders(run_dir: Path) -> None:
    try:
        run_dir.parent.mkdir(parents=True, exist_ok=True)
        run_dir.mkdir()
        (run_dir / "ckpt").mkdir()
    except OSError as error:
        raise CheckpointFailed(
            error_ids.CHECKPOINT,
            f"{run_dir}: cannot be made: {error.strerror}",
            "name a new folder, in a place that can be written to, with --run-dir",
        ) from error


@contextmanager
def _enough_memory(device: str) -> Iterator[None]:
    """Tell a full device from a defect."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise DeviceUnavailable(
            error_ids.DEVICE_UNAVAILABLE,
            f"{device}: its memory does not hold the run: {str(error).partition('.')[0]}",
            "lower --batch-size or --seq-length, or raise --grad-accum",
        ) from error


def _compile(model: Decoder) -> None:
    """Compile the trunk in place; its kernels repeat bit for bit on the CPU then too."""
    torch.use_deterministic_algorithms(torch.are_deterministic_algorithms_enabled())
    model.hidden = torch.compile(model.hidden)  # type: ignore[method-assign]


@contextmanager
def _eager(compiled: bool) -> Iterator[None]:
    """Validate with the kernels that also evaluate a checkpoint that was read back."""
    if not compiled:
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


@contextmanager
def _deterministic(device: str) -> Iterator[None]:
    """Only repeatable kernels on the CPU, where they cost nothing; the old mode afterwards."""
    before = torch.get_deterministic_debug_mode()
    memory: Any = torch.utils.deterministic
    filled = memory.fill_uninitialized_memory
    # The debug mode is the same switch as use_deterministic_algorithms without what that
    # imports: 1.5 s of torch._inductor.
    torch.set_deterministic_debug_mode("error" if device == "cpu" else before)
    memory.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(before)
        memory.fill_uninitialized_memory = filled
