"""A run from its folder to its last word: begun or gone on with, and how it ended."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import torch

from pv_trainer import error_ids
from pv_trainer.checkpoints.saving import inherited_metadata
from pv_trainer.errors import (
    AprError,
    CheckpointFailed,
    Divergence,
    Interrupted,
    NumericalInstability,
)
from pv_trainer.training.checkpoint_folder import epoch_metadata
from pv_trainer.training.metrics import MetricsLog
from pv_trainer.training.optimizer import make_optimizer
from pv_trainer.training.resuming import refuse_stale
from pv_trainer.training.run_book import Report, RunBook
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
    settings_digest,
    write_record,
)
from pv_trainer.training.run_state import RunState
from pv_trainer.training.torch_modes import enough_memory


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pv_trainer.checkpoints.init import PopulationReport
    from pv_trainer.model.decoder import Decoder
    from pv_trainer.training.preflight import TrainingPlan
    from pv_trainer.training.resuming import ResumePoint

LOG: Final = logging.getLogger("pv_trainer")
_LOOK_AT_START: Final = "look at the weights that it starts from; no update has changed them"


@contextmanager
def opened_run(
    plan: TrainingPlan,
    run_dir: Path,
    start: tuple[Decoder, PopulationReport | None],
    *,
    clock: Callable[[], float],
    report: Report,
    point: ResumePoint | None,
) -> Iterator[RunBook]:
    """Yield a run that stands where it begins or goes on; run.json says how the block ended.

    Args:
        plan: what preflight allowed.
        run_dir: made here, unless there is a point.
        start: the model, and what was written into it.
        clock: seconds that never go back.
        report: told of each update and each epoch.
        point: where a stopped run goes on.

    Raises:
        InitInvalid: RESUME-002 the files of the point don't fit together.
        UsageError: another process writes the run, or has written it since the point was found.
        CheckpointFailed: the folder can't be made or written.
    """
    model, population = start
    optimizer = make_optimizer(model)
    record = describe_plan(plan, population, optimizer) if point is None else point.record
    state = RunState(model, optimizer, settings_digest(record))
    if point is None:
        make_run_folder(run_dir, lambda folder: write_record(folder, record))
    with sole_writer(run_dir):
        if point is None or point.checkpoint is None:
            state.inherited = inherited_metadata(plan.checkpoint)
        record = dict(record) if point is None else _go_on(plan, state, point)
        newest = None if point is None else point.checkpoint
        now = clock()
        started = now - (0.0 if newest is None else newest.run_seconds)
        with _recorded(run_dir, record):
            try:
                write_record(run_dir, record)
                with (run_dir / METRICS_FILE).open("a", encoding="utf-8") as file:
                    book = RunBook(
                        plan=plan,
                        state=state,
                        run_dir=run_dir,
                        record=record,
                        log=MetricsLog(file, torch.device(plan.device)),
                        report=report,
                        clock=clock,
                        started=started,
                        epoch_started=now - (0.0 if newest is None else newest.epoch_seconds),
                        saved=0 if newest is None else newest.step,
                    )
                    with _located(book), enough_memory(plan.device):
                        yield book
            finally:
                record["wall_seconds"] = clock() - started


def _go_on(plan: TrainingPlan, state: RunState, point: ResumePoint) -> dict[str, Any]:
    """Bring state and folder to where the point is; the record that goes on."""
    refuse_stale(point)
    newest = point.checkpoint
    if newest is None:
        LOG.info("%s: no checkpoint was complete, so the run begins again", point.run_dir)
    else:
        state.restore(newest.state, newest.step)
        LOG.info("%s: going on after update %d", point.run_dir, newest.step)
    name = None if newest is None else newest.name
    record = describe_resumed(plan, state, point.record, name)
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


@contextmanager
def _located(book: RunBook) -> Iterator[None]:
    """Count what was done, however the block ends; say where, if the numbers went wrong."""
    try:
        yield
    except NumericalInstability as error:
        what = f"{book.run_dir}: after {book.position.step} updates, {error.what}"
        remedy = error.remedy if book.position.step else _LOOK_AT_START
        raise NumericalInstability(error.id, what, remedy) from error
    except Divergence as error:
        raise Divergence(error.id, f"{book.run_dir}: {error.what}", error.remedy) from error
    finally:
        book.count()
