"""What is written down of a run as it goes: metrics.jsonl, checkpoints, run.json."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from pv_trainer import error_ids
from pv_trainer.errors import Interrupted
from pv_trainer.training.checkpoint_folder import remove_superseded
from pv_trainer.training.epochs import EpochRecord, write_epoch, write_stop
from pv_trainer.training.metrics import StepMetrics
from pv_trainer.training.run_folder import CHECKPOINTS
from pv_trainer.training.run_record import describe_start, write_record


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pv_trainer.exit_status import ExitStatus
    from pv_trainer.training.evaluation import Validation
    from pv_trainer.training.metrics import MetricsLog
    from pv_trainer.training.position import Position
    from pv_trainer.training.preflight import TrainingPlan
    from pv_trainer.training.run_state import RunState

Report = Callable[[StepMetrics | EpochRecord], None]


@dataclass(slots=True)
class RunBook:
    """A run in progress, and what its folder says of it."""

    plan: TrainingPlan
    state: RunState
    run_dir: Path
    record: dict[str, Any]
    """What run.json says, or will when it is written next."""
    log: MetricsLog
    report: Report
    clock: Callable[[], float]
    started: float
    """What the clock would have said at the begin, had the run not been stopped since."""
    epoch_started: float
    """The same, of the running epoch."""
    saved: int
    """The updates of the checkpoint that it goes on from."""

    @property
    def position(self) -> Position:
        """Where the run stands."""
        return self.state.position

    def begin(self, measured: Mapping[str, Any]) -> None:
        """Write down that nothing has been trained yet, and what was measured of that."""
        self.record["fresh"] = describe_start(self.plan, self.state)
        self.record |= measured
        self._write()
        self.epoch_started = self.clock()

    def log_update(self, metrics: StepMetrics) -> None:
        """Write down an update."""
        self.log.write(metrics)
        self.report(metrics)

    def close_epoch(self, validation: Validation) -> None:
        """Close the epoch and write its checkpoint, which then counts.

        Raises:
            CheckpointFailed: it does not; nothing of it is left.
        """
        position, folder = self.position, self.run_dir / CHECKPOINTS
        facts = self._facts() | {
            "epoch": position.epoch,
            "train_loss": position.train_loss,
            "grad_norm_max": position.grad_norm_max if position.step else None,
        }
        position.close_epoch(validation.loss, validation.standard_error)
        self.log.sync()
        epoch = write_epoch(
            folder, self.state.model, self.plan.val, validation, facts, self.state.capture()
        )
        self.record["final"] = asdict(epoch)
        self._write()
        remove_superseded(folder, self.plan.options.keep, position.val_losses)
        self.report(epoch)
        self.epoch_started = self.clock()

    def stop(self) -> NoReturn:
        """Leave a checkpoint at this update, and end the run.

        Raises:
            Interrupted: always, unless the checkpoint fails.
        """
        step, epoch = self.position.step, self.position.epoch
        ended = epoch and step == self.plan.options.end_of_epoch(epoch - 1)
        # Writing the checkpoint again that it went on from would put that one at risk.
        if step > self.saved and not ended:
            facts = self._facts()
            self.log.sync()
            folder = self.run_dir / CHECKPOINTS
            write_stop(folder, self.state.model, facts, self.state.capture())
        raise Interrupted(
            error_ids.INTERRUPTED,
            f"{self.run_dir}: a signal ended the run after {step} updates",
            f"apr pretrain --resume {self.run_dir} goes on from there",
        )

    def end(self, status: ExitStatus, reason: str) -> None:
        """Note how the run ended; run.json has it when the run is closed."""
        self.record |= {"status": status.value, "exit_code": status.code, "reason": reason}

    def count(self) -> None:
        """Note how far the run is: updates, and where the tokens are."""
        self.record["tokens"] = asdict(self.plan.train.account(self.position.step))
        self.record["steps"] = self.position.step

    def _facts(self) -> dict[str, Any]:
        """What the metadata of every checkpoint says."""
        now, step = self.clock(), self.position.step
        return {
            "step": step,
            "wall_seconds": now - self.epoch_started,
            "run_seconds": now - self.started,
            "tokens_seen": self.plan.train.account(step).seen,
        }

    def _write(self) -> None:
        self.count()
        write_record(self.run_dir, self.record)
