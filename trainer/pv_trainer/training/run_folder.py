"""The folder of a run: made whole, written by one process, cut back to a checkpoint."""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from pv_trainer import error_ids
from pv_trainer.atomic import atomic_folder
from pv_trainer.errors import CheckpointFailed, InitInvalid, UsageError
from pv_trainer.training.checkpoint_folder import remove_unfinished


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from pv_trainer.training.checkpoint_folder import SavedCheckpoint

RUN_FILE: Final = "run.json"
METRICS_FILE: Final = "metrics.jsonl"
CHECKPOINTS: Final = "ckpt"


def make_run_folder(run_dir: Path, write: Callable[[Path], None]) -> None:
    """Make the folder with what `write` puts there, no metrics and no checkpoints.

    It appears whole: a run that was killed before leaves nothing that looks like a run.

    Raises:
        CheckpointFailed: it exists, or can't be made.
    """
    try:
        with atomic_folder(run_dir) as temporary:
            (temporary / CHECKPOINTS).mkdir()
            (temporary / METRICS_FILE).touch()
            write(temporary)
            if run_dir.exists():  # an empty folder would be replaced
                raise FileExistsError(None, "File exists")
    except OSError as error:
        raise CheckpointFailed(
            error_ids.CHECKPOINT,
            f"{run_dir}: cannot be made: {error.strerror}",
            "name a new folder, in a place that can be written to, with --run-dir",
        ) from error


@contextmanager
def sole_writer(run_dir: Path) -> Iterator[None]:
    """Hold the run against every other process that would write it; the kernel lets go of it.

    Raises:
        UsageError: another process holds it.
    """
    descriptor = os.open(run_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                error_ids.USAGE,
                f"{run_dir}: another process is writing this run",
                "wait for it",
            ) from None
        yield
    finally:
        os.close(descriptor)


def cut_back(run_dir: Path, newest: SavedCheckpoint | None) -> None:
    """Make the folder what it was when `newest` was complete, or when the run began.

    Raises:
        InitInvalid: RESUME-002 metrics.jsonl lacks a line of an update before that.
        OSError: the folder can't be written.
    """
    for temporary in run_dir.glob(".*.tmp"):
        temporary.unlink(missing_ok=True)
    (run_dir / CHECKPOINTS).mkdir(exist_ok=True)
    remove_unfinished(run_dir / CHECKPOINTS, newest)
    _truncate_metrics(run_dir / METRICS_FILE, 0 if newest is None else newest.step)


def _truncate_metrics(path: Path, steps: int) -> None:
    """Keep the lines of updates 1 to `steps`, and check that these are what is kept."""
    with path.open("r+b") as file:
        for step in range(1, steps + 1):
            if _step_of(file.readline()) != step:
                raise InitInvalid(
                    error_ids.RESUME_STATE,
                    f"{path}: line {step} is not the whole line of update {step}",
                )
        file.truncate(file.tell())
        os.fsync(file.fileno())


def _step_of(line: bytes) -> int | None:
    try:
        value: Mapping[str, Any] = json.loads(line) if line.endswith(b"\n") else {}
        step = value.get("step")
    except (ValueError, AttributeError, RecursionError):
        return None
    return step if isinstance(step, int) else None
