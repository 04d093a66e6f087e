"""Going on with a run: what it was asked for, where it stands, and whether all is as it was.

Imports no torch: a run that can't be resumed is refused at once.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from pv_trainer import error_ids
from pv_trainer.errors import DataInvalid, InitInvalid, UsageError
from pv_trainer.exit_status import ExitStatus
from pv_trainer.formats.checkpoint import open_checkpoint
from pv_trainer.json_files import read_json_object
from pv_trainer.plain_files import file_sha256
from pv_trainer.training.checkpoint_folder import newest_whole
from pv_trainer.training.options import DEFAULT_CONFIG, PretrainOptions, parse_options
from pv_trainer.training.run_folder import CHECKPOINTS, RUN_FILE


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pv_trainer.training.checkpoint_folder import SavedCheckpoint
    from pv_trainer.training.preflight import TrainingPlan

LOG: Final = logging.getLogger("pv_trainer")
_FINISHED: Final = frozenset(status.value for status in ExitStatus if status.code == 0)
_PATHS: Final = frozenset({"dataset", "val_shard", "tokenizer", "init"})
"""Named again they may have moved: their content is compared, not their place."""
_FREE: Final = frozenset({"device", "dtype", "compile", "keep", "cache"})
"""What may differ. The first three cost the promise of equal bits, and the record says so."""
_REGIME: Final = ("mode", "lr", "warmup_steps", "target_val_loss")


@dataclass(frozen=True, slots=True)
class ResumePoint:
    """A run that did not end, and the checkpoint that it goes on from."""

    run_dir: Path
    record: Mapping[str, Any]
    """run.json as the run left it."""
    options: PretrainOptions
    """What it was asked for, with what was chosen for it."""
    checkpoint: SavedCheckpoint | None
    """None if it was killed before one was complete: it begins again."""


def find_point(run_dir: Path) -> ResumePoint:
    """Where the run in `run_dir` goes on.

    Raises:
        UsageError: there is no run, or it has ended.
        InitInvalid: RESUME-002 run.json or each of the checkpoints is damaged.
    """
    file = run_dir / RUN_FILE
    if not file.exists():
        raise UsageError(
            error_ids.USAGE,
            f"--resume {run_dir}: no run began there: {RUN_FILE} is missing",
            "name the --run-dir of the run, or start it again",
        )
    try:
        record = read_json_object(file)
        options = _read_options(record)
    except ValueError as error:
        raise InitInvalid(error_ids.RESUME_STATE, f"{file}: {error}") from error
    if record["status"] in _FINISHED:
        raise UsageError(
            error_ids.RESUME_SETTINGS,
            f"--resume {run_dir}: the run has ended with {record['status']}",
            f"start a new run, with --init {run_dir}/{CHECKPOINTS}/{_last_weights(record)}",
        )
    folder = run_dir / CHECKPOINTS
    return ResumePoint(
        run_dir, record, options, newest_whole(folder) if folder.exists() else None
    )


def refuse_stale(point: ResumePoint) -> None:
    """Establish that nobody has written the run since `point` was found; the run is held.

    Raises:
        UsageError: another process went on with it, so that the point may lie far back.
    """
    try:
        now: object = read_json_object(point.run_dir / RUN_FILE)
    except ValueError:
        now = None
    if now != point.record:
        raise UsageError(
            error_ids.USAGE,
            f"--resume {point.run_dir}: another process has written the run meanwhile",
            "give the command again",
        )


def continued_options(point: ResumePoint, given: Mapping[str, Any]) -> PretrainOptions:
    """The options for preflight: those of the run, from its checkpoint if it has one.

    Args:
        point: the run.
        given: the flags of this command line, without those that were left out.

    Raises:
        UsageError: RESUME-001 flags contradict what the run began with; all are listed.
    """
    options = point.options
    differing = [
        f"--{name.replace('_', '-')} {value}: the run began with {getattr(options, name)}"
        for name, value in given.items()
        if name not in _FREE | _PATHS and value != getattr(options, name)
    ]
    if "init" in given and options.init is None:
        differing.append(f"--init {given['init']}: the run began from random weights")
    if differing:
        raise UsageError(
            error_ids.RESUME_SETTINGS, f"--resume {point.run_dir}: " + "\n  ".join(differing)
        )
    if "init" in given:
        _compare_init(point, given["init"])
    options = replace(options, **{n: v for n, v in given.items() if n in _FREE | _PATHS})
    if point.checkpoint is None:
        return options if options.init is None else replace(options, config=None)
    return replace(options, init=point.checkpoint.weights, config=None)


def check_same_inputs(point: ResumePoint, plan: TrainingPlan) -> None:
    """Establish that the plan reads what the run read before.

    Raises:
        DataInvalid: RESUME-001 a dataset, the held-out windows or the tokenizer is another.
        InitInvalid: RESUME-001 the weights that it starts again from are others.
    """
    record = point.record
    for name, before, now in (
        ("the tokenizer", record["tokenizer_sha256"], plan.tokenizer.digest),
        ("the dataset", record["dataset"]["manifest_sha256"], plan.train.dataset.digest),
        ("the held-out data", record["val"]["manifest_sha256"], plan.val_dataset.digest),
        ("the set of validation windows", record["val"]["val_set_id"], plan.val.id),
    ):
        if before != now:
            raise DataInvalid(
                error_ids.RESUME_SETTINGS,
                f"--resume {point.run_dir}: {name} is not the one that the run began with: "
                f"{str(now)[:16]}, it was {str(before)[:16]}",
                "give the data that it began with, or start a new run",
            )
    if point.checkpoint is None and plan.options.init is not None:
        _compare_init(point, plan.options.init)
    if asdict(plan.config) != dict(record["config"]):
        raise InitInvalid(
            error_ids.RESUME_STATE, f"{point.run_dir}: its checkpoint has another architecture"
        )


def _compare_init(point: ResumePoint, path: Path) -> None:
    before = sorted(point.record["init"]["files"].values())
    now = sorted(file_sha256(file) for file in open_checkpoint(path).files)
    if before != now:
        raise InitInvalid(
            error_ids.RESUME_SETTINGS,
            f"--resume {point.run_dir}: {path} is not what the run began from",
            "give the checkpoint that it began from, or start a new run",
        )


def _read_options(record: Mapping[str, Any]) -> PretrainOptions:
    """What run.json says of the options.

    Raises:
        ValueError: something is missing or of another type; the message names it.
    """
    stored = _mapping(record, "options")
    regime, environment = _mapping(record, "regime"), _mapping(record, "environment")
    for name, keys in (
        ("dataset", ("manifest_sha256",)),
        ("val", ("manifest_sha256", "val_set_id")),
        ("config", ()),
    ):
        for key in keys:
            _text(_mapping(record, name), key)
        _mapping(record, name)
    _text(record, "tokenizer_sha256")
    _text(record, "status")
    if record.get("init") is not None:
        files = _mapping(_mapping(record, "init"), "files")
        for file in files:
            _text(files, file)
    chosen = {name: regime.get(name) for name in _REGIME} | {"dtype": environment.get("dtype")}
    if stored.get("init") is None and stored.get("config") is None:
        chosen["config"] = DEFAULT_CONFIG
    # An option that is younger than the run has its default.
    return parse_options({**stored, **chosen})


def _mapping(record: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = record.get(key)
    if not isinstance(value, dict):
        raise ValueError(f"the object {key} is missing")  # noqa: TRY004 - bad content
    return value


def _text(record: Mapping[str, Any], key: str) -> str:
    value = record.get(key)
    if not isinstance(value, str):
        raise ValueError(f"the text {key} is missing")  # noqa: TRY004 - bad content
    return value


def _last_weights(record: Mapping[str, Any]) -> str:
    final = record.get("final")
    return str(final.get("checkpoint")) if isinstance(final, dict) else "epoch-NNN.apr"
