from __future__ import annotations

from pathlib import Path

import pytest

from pv_trainer.checkpoints.writing import writing
from pv_trainer.errors import CheckpointFailed


def test_a_full_disk_and_a_value_that_is_refused_are_failures_to_write() -> None:
    with pytest.raises(CheckpointFailed, match=r"CKPT-001.*x.apr: cannot be written: .*full"):
        fail(OSError(28, "disk full"))
    with pytest.raises(CheckpointFailed, match=r"x.apr: cannot be written: no JSON"):
        fail(ValueError("no JSON"), ValueError)


def test_a_defect_of_the_writer_stays_one() -> None:
    with pytest.raises(ValueError, match="no JSON"):
        fail(ValueError("no JSON"))
    with pytest.raises(TypeError, match="other"):
        fail(TypeError("other"), ValueError)


def fail(error: Exception, *refusals: type[Exception]) -> None:
    with writing(Path("x.apr"), *refusals):
        raise error
