"""A run that was killed and goes on ends with the bits of one that was never stopped.

A kill leaves the files as they are at that moment. So instead of killing a run, its folder is
copied before each call that changes a file or a name: each copy is what a kill there leaves.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pv_trainer.errors import (
    CheckpointFailed,
    Interrupted,
)
from pv_trainer.training.checkpoint_folder import newest_whole
from pv_trainer.training.loop import run_training
from pv_trainer.training.preflight import preflight
from pv_trainer.training.resuming import continued_options, find_point


if TYPE_CHECKING:
    from collections.abc import Callable

    from pv_trainer.training.loop import RunResult
    from pv_trainer.training.options import PretrainOptions

    Resume = Callable[..., RunResult]


@pytest.fixture(scope="module")
def bits_of_whole() -> dict[str, Any]:
    return {}


@pytest.fixture
def whole(
    short_options: PretrainOptions, tmp_path: Path, bits_of_whole: dict[str, Any]
) -> dict[str, Any]:
    """What a run leaves that was never stopped."""
    if not bits_of_whole:
        plan = preflight(short_options)
        assert 3 < plan.train.steps_per_pass < 6
        run_training(plan, tmp_path / "whole")
        bits_of_whole.update(bits(tmp_path / "whole"))
    return bits_of_whole


def _stop_after(updates: int) -> Callable[[], bool]:
    """Ask for a stop when so many updates of this process are done."""
    calls = iter(range(updates))
    return lambda: next(calls, None) is None


def bits(run_dir: Path) -> dict[str, Any]:
    """All that a run leaves, without what clocks said and without how often it was resumed."""
    left: dict[str, Any] = {}
    for file in sorted(run_dir.rglob("*")):
        name = str(file.relative_to(run_dir))
        if file.suffix in {".apr", ".safetensors"}:
            left[name] = file.read_bytes()
        elif file.suffix == ".jsonl":
            lines = [json.loads(line) for line in file.read_text().splitlines()]
            left[name] = [line | {"tokens_per_sec": 0} for line in lines]
        elif file.suffix == ".json":
            left[name] = without_clocks(json.loads(file.read_text()))
        else:
            left[name] = file.is_dir()
    return left


def without_clocks(value: dict[str, Any]) -> dict[str, Any]:
    dropped = {"wall_seconds", "run_seconds", "resumes"}
    kept = {name: part for name, part in value.items() if name not in dropped}
    if "final" in kept:
        kept["final"] = without_clocks(kept["final"])
    return kept


def snapshots(run: Callable[[], object], run_dir: Path, into: Path) -> list[Path]:
    """Copies of the folder before each call that changes a file or a name in it."""
    copies: list[Path] = []

    def copy() -> None:
        if run_dir.exists():
            copies.append(into / f"{len(copies):03d}")
            shutil.copytree(run_dir, copies[-1])

    with pytest.MonkeyPatch.context() as patch:
        for owner, name in (
            (os, "fsync"), (os, "replace"), (os, "unlink"), (Path, "replace"), (Path, "unlink"),
        ):  # fmt: skip
            patch.setattr(owner, name, _after(copy, getattr(owner, name)))
        run()
    return copies


def _after(first: Callable[[], None], call: Callable[..., Any]) -> Callable[..., Any]:
    def both(*args: Any, **more: Any) -> Any:
        first()
        return call(*args, **more)

    return both


def running(copies: list[Path]) -> list[Path]:
    """One of each state of the files, and only of runs that had not ended."""
    kept: dict[str, Path] = {}
    for copy in copies:
        if json.loads((copy / "run.json").read_text())["status"] == "RUNNING":
            files = sorted(file for file in copy.rglob("*") if file.is_file())
            sizes = [
                (re.sub(r"\d+-\w{8}", "", file.name), file.stat().st_size) for file in files
            ]
            kept[str(sizes)] = copy
    return list(kept.values())


@pytest.fixture
def fast_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing wait for the disk; what a kill leaves does not depend on it."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.mark.usefixtures("fast_disk")
def test_killed_at_any_moment_and_resumed_equals_never_killed(
    short_options: PretrainOptions, whole: dict[str, Any], tmp_path: Path, resume: Resume
) -> None:
    run_dir = tmp_path / "run"
    copies = snapshots(
        lambda: run_training(preflight(short_options), run_dir), run_dir, tmp_path / "copies"
    )
    assert bits(run_dir) == whole
    moments = running(copies)
    assert len(moments) > 20
    begun = set()
    for copy in moments:
        result = resume(copy)
        begun.add(result.record["resumes"][0]["step"])
        assert bits(copy) == whole, copy.name
    assert begun == {0, 3, 6, 7}


def test_stopped_within_epochs_again_and_again_it_equals_never_stopped(
    short_options: PretrainOptions, whole: dict[str, Any], tmp_path: Path, resume: Resume
) -> None:
    run_dir = tmp_path / "run"
    with pytest.raises(Interrupted, match=r"after 2 updates; apr pretrain --resume .*run goes"):
        run_training(preflight(short_options), run_dir, stop_asked=_stop_after(2))
    names = sorted(file.name for file in (run_dir / "ckpt").iterdir())
    assert names == [
        *("step-00000002.apr", "step-00000002.metadata.json"),
        "step-00000002.state.safetensors",
    ]
    for updates, step in ((0, 2), (2, 4), (1, 5), (1, 6)):
        with pytest.raises(Interrupted, match=f"after {step} updates"):
            resume(run_dir, stop_asked=_stop_after(updates))
    result = resume(run_dir)
    assert bits(run_dir) == whole
    assert [entry["step"] for entry in result.record["resumes"]] == [2, 2, 4, 5, 6]
    assert all(entry["exact"] for entry in result.record["resumes"])


def test_a_stop_before_the_first_update_begins_again(
    short_options: PretrainOptions, whole: dict[str, Any], tmp_path: Path, resume: Resume
) -> None:
    with pytest.raises(Interrupted, match="after 0 updates"):
        run_training(preflight(short_options), tmp_path / "run", stop_asked=lambda: True)
    assert list((tmp_path / "run" / "ckpt").iterdir()) == []
    resume(tmp_path / "run")
    assert bits(tmp_path / "run") == whole


@pytest.mark.usefixtures("fast_disk")
def test_while_checkpoints_are_removed_a_whole_one_is_always_there(
    short_options: PretrainOptions, tmp_path: Path
) -> None:
    options, run_dir = replace(short_options, keep=1, steps_per_epoch=1), tmp_path / "run"
    copies = snapshots(
        lambda: run_training(preflight(options), run_dir), run_dir, tmp_path / "copies"
    )
    found = [newest_whole(copy / "ckpt") for copy in copies]
    steps = [0 if one is None else one.step for one in found]
    assert steps == sorted(steps)
    assert set(steps) == set(range(8))
    assert len(list((run_dir / "ckpt").glob("*.apr"))) <= 2


def failing_write(number: int, error: int) -> pytest.MonkeyPatch:
    """Let the `number`th call that opens, syncs or names a file for writing fail, no other."""
    calls = iter(range(number + 1))

    def wrap(call: Callable[..., Any]) -> Callable[..., Any]:
        def maybe(*args: Any, **more: Any) -> Any:
            reads = call is os_open and not args[1] & os.O_CREAT
            if not reads and next(calls, None) == number:
                raise OSError(error, os.strerror(error))
            return call(*args, **more)

        return maybe

    os_open, patch = os.open, pytest.MonkeyPatch()
    for owner, name in ((os, "open"), (os, "fsync"), (Path, "replace")):
        patch.setattr(owner, name, wrap(getattr(owner, name)))
    return patch


@pytest.mark.usefixtures("fast_disk")
def test_a_write_that_fails_leaves_the_checkpoint_before_it_and_a_run_that_goes_on(
    short_options: PretrainOptions, whole: dict[str, Any], tmp_path: Path, resume: Resume
) -> None:
    first = tmp_path / "first"
    with pytest.raises(Interrupted):
        run_training(preflight(short_options), first, stop_asked=_stop_after(3))
    before = bits(first / "ckpt")
    failures, ids = 0, set()
    for number in range(100):
        run_dir = Path(shutil.copytree(first, tmp_path / f"run-{number}"))
        point = find_point(run_dir)
        plan = preflight(continued_options(point, {}))
        patch = failing_write(number, (errno.ENOSPC, errno.EROFS)[number % 2])
        try:
            run_training(plan, run_dir, point=point)
            break
        except CheckpointFailed as failed:
            ids.add(failed.id)
        finally:
            patch.undo()
        failures += 1
        assert not list(run_dir.rglob("*.tmp"))
        left = bits(run_dir / "ckpt")
        assert {name: left[name] for name in before} == before
        if number % 5 == 0:
            resume(run_dir)
            assert bits(run_dir) == whole
    assert failures > 20
    assert ids == {"CKPT-001"}
