"""The folder of a run: made whole, written by one process, cut back to a checkpoint."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from pv_trainer import error_ids
from pv_trainer.atomic import sync_folder, temporary_sibling
from pv_trainer.errors import CheckpointFailed, InitInvalid, UsageError
from pv_trainer.training.checkpoint_folder import remove_unfinished


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from pv_trainer.training.checkpoint_folder import SavedCheckpoint

METRICS_FILE: Final = "metrics.jsonl"
CHECKPOINTS: Final = "ckpt"


def make_run_folder(run_dir: Path, write: Callable[[Path], None]) -> None:
    """Make the folder with what `write` puts there, no metrics and no checkpoints.

    It appears whole: a run that was killed before leaves nothing that looks like a run.

    Raises:
        CheckpointFailed: it exists, or can't be made.
    """
    temporary = temporary_sibling(run_dir)
    try:
        run_dir.parent.mkdir(parents=True, exist_ok=True)
        _remove_killed_tries(run_dir)
        temporary.mkdir()
        (temporary / CHECKPOINTS).mkdir()
        (temporary / METRICS_FILE).touch()
        write(temporary)
        if run_dir.exists():  # a rename would replace an empty folder
            raise FileExistsError(None, "File exists")
        temporary.rename(run_dir)
        sync_folder(run_dir.parent)
    except OSError as error:
        raise CheckpointFailed(
            error_ids.CHECKPOINT,
            f"{run_dir}: cannot be made: {error.strerror}",
            "name a new folder, in a place that can be written to, with --run-dir",
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


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


def _remove_killed_tries(run_dir: Path) -> None:
    """Remove what processes that are gone left of making this folder."""
    prefix = f".{run_dir.name}."
    for place in run_dir.parent.iterdir():
        if place.name.startswith(prefix) and place.suffix == ".tmp":
            pid = place.name.removeprefix(prefix).partition("-")[0]
            if pid.isdecimal() and not _is_alive(int(pid)):
                shutil.rmtree(place, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
