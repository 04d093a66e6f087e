from __future__ import annotations

import json
from itertools import count, pairwise
from typing import TYPE_CHECKING, Any

import pytest

from pv_trainer.errors import Interrupted
from pv_trainer.training.loop import run_training
from pv_trainer.training.preflight import preflight


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pv_trainer.training.options import PretrainOptions


def stop_after(updates: int) -> Callable[[], bool]:
    calls = count()
    return lambda: next(calls) >= updates


def stopped(options: PretrainOptions, run_dir: Path, updates: int) -> set[str]:
    with pytest.raises(Interrupted, match=f"after {updates} updates"):
        run_training(preflight(options), run_dir, stop_asked=stop_after(updates))
    return {file.name.partition(".")[0] for file in (run_dir / "ckpt").iterdir()}


@pytest.mark.parametrize(
    ("updates", "names"),
    [
        (0, set()),
        (2, {"step-00000002"}),
        (3, {"epoch-000"}),
        (4, {"epoch-000", "step-00000004"}),
    ],
)
def test_a_stop_leaves_a_checkpoint_unless_there_is_one_of_that_update(
    short_options: PretrainOptions, tmp_path: Path, updates: int, names: set[str]
) -> None:
    assert stopped(short_options, tmp_path / "run", updates) == names


def test_each_epoch_has_its_own_time_and_the_run_the_sum(
    short_options: PretrainOptions, tmp_path: Path
) -> None:
    """A clock that goes on by 1 each time that somebody looks."""
    clock = count()
    result = run_training(
        preflight(short_options), tmp_path / "run", clock=lambda: float(next(clock))
    )
    found: list[dict[str, Any]] = [
        json.loads((tmp_path / "run" / "ckpt" / f"epoch-00{n}.metadata.json").read_text())
        for n in range(3)
    ]
    # Each update looks twice; the begin and the end of an epoch look once.
    assert [epoch["wall_seconds"] for epoch in found] == [7.0, 7.0, 3.0]
    ends = [epoch["run_seconds"] for epoch in found]
    assert [later - one for one, later in pairwise(ends)] == [8.0, 4.0]
    assert result.record["wall_seconds"] > ends[-1]
