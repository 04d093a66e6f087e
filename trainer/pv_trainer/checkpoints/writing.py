"""What fails while a file is written is a checkpoint that failed, not a crash."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pv_trainer import error_ids
from pv_trainer.errors import CheckpointFailed


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def writing(path: Path, *refusals: type[Exception]) -> Iterator[None]:
    """Raise as a failure to write `path` what the block raises of its own.

    Args:
        path: what is being written.
        refusals: what the writer raises, beside OSError, for values that the format can't hold.

    Raises:
        CheckpointFailed: CKPT-001 the block raised an OSError or one of the refusals.
    """
    failures: tuple[type[Exception], ...] = (OSError, *refusals)
    try:
        yield
    except failures as error:
        raise CheckpointFailed(
            error_ids.CHECKPOINT, f"{path}: cannot be written: {error}"
        ) from error
