"""The training loop: from a plan to a status, with nothing in it that is not measured."""

from __future__ import annotations

import logging
import math
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import torch

from pv_trainer import error_ids
from pv_trainer.checkpoints.init import PopulationReport, build_model, fresh_model
from pv_trainer.checkpoints.saving import inherited_metadata
from pv_trainer.data.splits import unigram_cross_entropy
from pv_trainer.errors import (
    AprError,
    CheckpointFailed,
    Divergence,
    Interrupted,
    NumericalInstability,
)
from pv_trainer.exit_status import ExitStatus
from pv_trainer.training.checkpoint_folder import epoch_metadata, remove_superseded
from pv_trainer.training.epochs import EpochRecord, write_epoch, write_stop
from pv_trainer.training.evaluation import Validation, evaluate, window_losses
from pv_trainer.training.metrics import MetricsLog, StepMetrics
from pv_trainer.training.optimizer import make_optimizer
from pv_trainer.training.resuming import refuse_stale
from pv_trainer.training.run_folder import (
    CHECKPOINTS,
    METRICS_FILE,
    cut_back,
    make_run_folder,
    sole_writer,
)
from pv_trainer.training.run_record import (
    describe_crash,
    describe_failure,
    describe_plan,
    describe_resumed,
    describe_start,
    settings_digest,
    write_record,
)
from pv_trainer.training.run_state import RunState
from pv_trainer.training.schedule import learning_rate
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
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pv_trainer.model.decoder import Decoder
    from pv_trainer.training.position import Position
    from pv_trainer.training.preflight import TrainingPlan
    from pv_trainer.training.resuming import ResumePoint

    Report = Callable[[StepMetrics | EpochRecord], None]

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
        model, population = prepare_model(plan)
        record = describe_plan(plan, population) if point is None else {}
        settings = settings_digest(record if point is None else point.record)
        state = RunState(model, make_optimizer(model), settings)
        if point is None:
            make_run_folder(run_dir, lambda folder: write_record(folder, record))
        with sole_writer(run_dir):
            if point is None:
                state.inherited = inherited_metadata(plan.checkpoint)
            else:
                record |= _go_on(plan, state, point)
            newest = None if point is None else point.checkpoint
            started = clock() - (0.0 if newest is None else newest.run_seconds)
            with _recorded(run_dir, record):
                try:
                    write_record(run_dir, record)
                    with (run_dir / METRICS_FILE).open("a", encoding="utf-8") as file:
                        run = _Run(
                            plan=plan,
                            state=state,
                            run_dir=run_dir,
                            record=record,
                            log=MetricsLog(file, torch.device(plan.device)),
                            clock=clock,
                            started=started,
                            epoch_seconds=0.0 if newest is None else newest.epoch_seconds,
                            saved=0 if newest is None else newest.step,
                            report=report,
                            stop_asked=stop_asked,
                        )
                        with enough_memory(plan.device):
                            status = run.to_the_end()
                    record |= {"status": status.value, "exit_code": status.code}
                finally:
                    record["wall_seconds"] = clock() - started
    return RunResult(status, record)


def prepare_model(plan: TrainingPlan) -> tuple[Decoder, PopulationReport | None]:
    """The model that a run starts from: the init checkpoint's weights, or random ones."""
    dtype = DTYPES[plan.dtype]
    if plan.checkpoint is not None:
        return build_model(plan.config, plan.checkpoint, device=plan.device, dtype=dtype)
    generator = torch.Generator().manual_seed(plan.options.seed)
    return fresh_model(plan.config, generator, device=plan.device, dtype=dtype), None


def _go_on(plan: TrainingPlan, state: RunState, point: ResumePoint) -> dict[str, Any]:
    """Bring state and folder to where the point is; the record that goes on."""
    refuse_stale(point)
    newest = point.checkpoint
    if newest is None:
        state.inherited = inherited_metadata(plan.checkpoint)
        LOG.info("%s: no checkpoint was complete, so the run begins again", point.run_dir)
    else:
        state.restore(newest.state, newest.step)
        LOG.info("%s: going on after update %d", point.run_dir, newest.step)
    name = None if newest is None else newest.name
    record = describe_resumed(plan, point.record, name, state.position.step)
    if differs := record["resumes"][-1]["differs"]:
        LOG.warning(
            "%s: %s differ from when the run began, so its numbers may differ from those of "
            "a run that was never stopped",
            point.run_dir,
            ", ".join(f"{name} ({was} -> {now})" for name, (was, now) in differs.items()),
        )
    if state.position.epoch:
        folder = point.run_dir / CHECKPOINTS
        record["final"] = epoch_metadata(folder, state.position.epoch - 1)
    try:
        cut_back(point.run_dir, newest)
    except OSError as error:
        raise CheckpointFailed(error_ids.CHECKPOINT, f"{point.run_dir}: {error}") from error
    return record


@contextmanager
def _recorded(run_dir: Path, record: dict[str, Any]) -> Iterator[None]:
    """Let run.json say how the block ended, whichever way it does."""
    try:
        yield
    except KeyboardInterrupt as error:
        stopped = Interrupted(
            error_ids.INTERRUPTED,
            f"{run_dir}: a signal ended the run at once",
            f"apr pretrain --resume {run_dir} goes on from its last checkpoint",
        )
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
    finally:
        write_record(run_dir, record)


@dataclass(slots=True)
class _Run:
    """A run in progress."""

    plan: TrainingPlan
    state: RunState
    run_dir: Path
    record: dict[str, Any]
    log: MetricsLog
    clock: Callable[[], float]
    started: float
    """What the clock would have said at the begin, had the run not been stopped since."""
    epoch_seconds: float
    """What the next epoch took before the run was stopped in it."""
    saved: int
    """The updates of the checkpoint that it goes on from."""
    report: Report
    stop_asked: Callable[[], bool]

    @property
    def position(self) -> Position:
        return self.state.position

    @property
    def step(self) -> int:
        return self.state.position.step

    def to_the_end(self) -> ExitStatus:
        if self.plan.options.compile:
            compile_trunk(self.state.model)
        try:
            if self.step == 0:
                self.record["fresh"] = describe_start(
                    self.plan, self.state.optimizer, self.step
                )
                self._record_step_0()
            # Killed between the last epoch and the record's end, it has nothing left to train.
            ended = self.position.epoch and self.step == self._end_of(self.position.epoch - 1)
            status = self._status() if ended else None
            while status is None:
                status = self._epoch()
        except NumericalInstability as error:
            raise self._located(error) from error
        finally:
            self._account()
        return status

    def _record_step_0(self) -> None:
        """Measure the model that the run starts from, before anything can change it."""
        validation = self._validate()
        first = self.plan.train.batch_at(0)
        losses = window_losses(self.state.model, first.ids_BT, first.targets_BT)
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

    def _end_of(self, epoch: int) -> int:
        """The number of updates after which an epoch ends."""
        options = self.plan.options
        return min((epoch + 1) * options.steps_per_epoch, options.num_steps)

    def _epoch(self) -> ExitStatus | None:
        """Train what is left of an epoch; why the run ends, or None."""
        position, began = self.position, self.clock() - self.epoch_seconds
        self.epoch_seconds = 0.0
        while self.step < self._end_of(position.epoch):
            if self.stop_asked():
                self._stop(self.clock() - began)
            position.grad_norm_max = max(position.grad_norm_max, self._update())
        validation = self._validate()
        self._stop_divergence(validation)
        facts = {
            "epoch": position.epoch,
            "step": self.step,
            "train_loss": position.train_loss,
            "wall_seconds": self.clock() - began,
            "run_seconds": self.clock() - self.started,
            "tokens_seen": self.plan.train.account(self.step).seen,
            "grad_norm_max": position.grad_norm_max if self.step else None,
        }
        position.val_losses.append(validation.loss)
        position.val_errors.append(validation.standard_error)
        position.grad_norm_max = 0.0
        self._save_epoch(validation, facts)
        return self._status()

    def _save_epoch(self, validation: Validation, facts: dict[str, Any]) -> None:
        folder = self.run_dir / CHECKPOINTS
        self.log.sync()
        epoch = write_epoch(
            folder,
            self.state.model,
            self.plan.val,
            validation,
            facts,
            self.state.capture(),
        )
        self.record["final"] = asdict(epoch)
        self._account()
        write_record(self.run_dir, self.record)
        remove_superseded(folder, self.plan.options.keep, self.position.val_losses)
        self.report(epoch)

    def _stop(self, epoch_seconds: float) -> None:
        """Leave a checkpoint at this update, and end the run.

        Raises:
            Interrupted: always, unless the checkpoint fails.
        """
        position = self.position
        ended = position.epoch and self.step == self._end_of(position.epoch - 1)
        # Writing the checkpoint again that it went on from would put that one at risk.
        if self.step > self.saved and not ended:
            self.log.sync()
            seen = self.plan.train.account(self.step).seen
            write_stop(
                self.run_dir / CHECKPOINTS,
                self.state.model,
                {
                    "step": self.step,
                    "wall_seconds": epoch_seconds,
                    "run_seconds": self.clock() - self.started,
                    "tokens_seen": seen,
                },
                self.state.capture(),
            )
        raise Interrupted(
            error_ids.INTERRUPTED,
            f"{self.run_dir}: a signal ended the run after {self.step} updates",
            f"apr pretrain --resume {self.run_dir} goes on from there",
        )

    def _update(self) -> float:
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
        loss, norm = train_step(
            self.state.model,
            self.state.optimizer,
            batch,
            rate=rate,
            grad_accum=self.plan.options.grad_accum,
        )
        self.position.step += 1
        self.position.recent.append(loss)
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
        with eager(self.plan.options.compile):
            validation = evaluate(self.state.model, self.plan.val)
        check_finite("val_loss", validation.loss)
        return validation

    def _stop_divergence(self, validation: Validation) -> None:
        reason = divergence(
            [*self.position.val_losses, validation.loss],
            mode=self.plan.regime.mode,
            vocab_size=self.plan.config.vocab_size,
        )
        if reason is not None:
            what = f"{self.run_dir}: {reason}"
            raise Divergence(error_ids.DIVERGENCE, what, "lower --lr")

    def _located(self, error: NumericalInstability) -> NumericalInstability:
        what = f"{self.run_dir}: after {self.step} updates, {error.what}"
        return NumericalInstability(error.id, what, error.remedy)

    def _status(self) -> ExitStatus | None:
        """Why the run ends after its last epoch, or None."""
        target, val_loss = self.plan.regime.target_val_loss, self.position.val_losses[-1]
        if val_loss <= target:
            self.record["reason"] = f"target met: {val_loss:.4f} <= {target}"
            return ExitStatus.TARGET_MET
        reason = early_stop(self.position.val_losses, self.position.val_errors)
        if reason is not None:
            self.record["reason"] = f"{reason}; target not met"
            return ExitStatus.EARLY_STOP
        if self.step >= self.plan.options.num_steps:
            self.record["reason"] = f"target not met: {val_loss:.4f} > {target}"
            return ExitStatus.BUDGET_END
        return None

    def _account(self) -> None:
        self.record["tokens"] = asdict(self.plan.train.account(self.step))
        self.record["steps"] = self.step
