"""run.json: what a run was, what it read, and how it ended. It exists from start to end."""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import torch

from pv_trainer import error_ids
from pv_trainer.commit import code_commit
from pv_trainer.errors import CheckpointFailed
from pv_trainer.exit_status import CRASH_CODE, CRASHED
from pv_trainer.json_files import write_json
from pv_trainer.model.config import parameter_count
from pv_trainer.plain_files import file_sha256
from pv_trainer.training.metrics import METRIC_SOURCES
from pv_trainer.training.optimizer import nonzero_state_values
from pv_trainer.training.run_folder import RUN_FILE
from pv_trainer.version import installed_version


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pv_trainer.checkpoints.init import PopulationReport
    from pv_trainer.data.shards import Dataset
    from pv_trainer.errors import AprError
    from pv_trainer.training.adamw import AdamW
    from pv_trainer.training.preflight import TrainingPlan
    from pv_trainer.training.run_state import RunState

_ENDING: Final = frozenset({"error", "reason", "wall_seconds", "final", "tokens", "steps"})
"""What the end of a run writes, or what a checkpoint knows better."""
_SETTINGS: Final = (
    *("num_steps", "batch_size", "seq_length", "steps_per_epoch", "grad_accum"),
    *("seed", "val_tokens", "cycle"),
)
"""The options that a resume keeps and that no other part of the record has."""


def write_record(run_dir: Path, record: Mapping[str, Any]) -> None:
    """Write run.json, whole or not at all.

    Raises:
        CheckpointFailed: it can't be written.
    """
    try:
        write_json(run_dir / RUN_FILE, record)
    except OSError as error:
        raise CheckpointFailed(
            error_ids.CHECKPOINT, f"{run_dir / RUN_FILE}: {error}"
        ) from error


def describe_plan(
    plan: TrainingPlan, population: PopulationReport | None, optimizer: AdamW
) -> dict[str, Any]:
    """What is known before the first batch: model, inputs by digest, budget, environment."""
    return {
        "status": "RUNNING",
        "exit_code": None,
        "version": installed_version(),
        "commit": code_commit(),
        "mode": plan.regime.mode,
        "regime": asdict(plan.regime),
        "options": _describe_options(plan),
        "horizon": plan.horizon,
        "config": asdict(plan.config),
        "parameters": parameter_count(plan.config),
        "config_sources": dict(plan.sources),
        "init": _describe_init(plan),
        "population": None if population is None else population.to_json(),
        "tokenizer_sha256": plan.tokenizer.digest,
        "tokenizer_files": [str(file.absolute()) for file in plan.tokenizer.files],
        "dataset": _describe_dataset(plan.train.dataset),
        "val": _describe_dataset(plan.val_dataset)
        | {
            "val_set_id": plan.val.id,
            "windows": len(plan.val.ids_NT),
            "targets": plan.val.tokens,
        },
        "gates": {name: [asdict(gate) for gate in gates] for name, gates in plan.gates.items()},
        "metrics": dict(METRIC_SOURCES),
        "environment": describe_environment(plan, optimizer),
        "resumes": [],
    }


def settings_digest(record: Mapping[str, Any]) -> str:
    """sha256 over what a record says the run was asked for and reads.

    Each checkpoint of the run carries it: under other settings, or in the folder of another
    run, it is none of theirs. What a resume may change is left out, and so are places.
    """
    options, init = record["options"], record.get("init")
    facts = {
        **{name: record.get(name) for name in ("regime", "horizon", "config")},
        **{name: options.get(name) for name in _SETTINGS},
        "tokenizer": record["tokenizer_sha256"],
        "dataset": record["dataset"]["manifest_sha256"],
        "val": record["val"]["val_set_id"],
        "init": None if init is None else sorted(init["files"].values()),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def describe_resumed(
    plan: TrainingPlan, state: RunState, before: Mapping[str, Any], checkpoint: str | None
) -> dict[str, Any]:
    """The record of a run that goes on: what it was, without how it was broken off.

    `resumes` gains an entry. Its `exact` promises the bits of a run that was never stopped:
    on the CPU, where nothing differs that the arithmetic depends on.
    """
    differs = {
        name: [before["environment"].get(name), now]
        for name, now in describe_environment(plan, state.optimizer).items()
        if before["environment"].get(name) != now
    }
    resume = {
        "step": state.position.step,
        "checkpoint": checkpoint,
        "differs": differs,
        "exact": plan.device == "cpu" and not differs,
    }
    kept = {name: value for name, value in before.items() if name not in _ENDING}
    earlier = kept.get("resumes")
    resumes = [*(earlier if isinstance(earlier, list) else []), resume]
    return {**kept, "status": "RUNNING", "exit_code": None, "resumes": resumes}


def describe_environment(plan: TrainingPlan, optimizer: AdamW) -> dict[str, Any]:
    """What the numbers depend on beside the inputs."""
    return {
        "version": installed_version(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
        "device": plan.device,
        "device_name": torch.cuda.get_device_name(plan.device)
        if plan.device.startswith("cuda")
        else "cpu",
        "dtype": plan.dtype,
        "optimizer": repr(optimizer),
        "compile": plan.options.compile,
        "deterministic": torch.are_deterministic_algorithms_enabled(),
    }


def describe_start(plan: TrainingPlan, state: RunState) -> dict[str, Any]:
    """Whether optimizer and schedule are fresh, measured on the optimizer itself."""
    return {
        "nonzero_state_values": nonzero_state_values(state.optimizer),
        "schedule_step": state.position.step,
        "lr": plan.rate_of(state.position.step),
    }


def describe_failure(error: AprError) -> dict[str, Any]:
    """How a run that failed on purpose ended."""
    return {
        "status": error.status.value,
        "exit_code": error.status.code,
        "error": {"id": error.id, "what": error.what, "remedy": error.remedy},
    }


def describe_crash(error: BaseException) -> dict[str, Any]:
    """How a run ended that met a defect of this program."""
    what = f"{type(error).__name__}: {error}"
    return {
        "status": CRASHED,
        "exit_code": CRASH_CODE,
        "error": {"id": None, "what": what, "remedy": "run again with --debug for the place"},
    }


def _describe_init(plan: TrainingPlan) -> dict[str, Any] | None:
    if plan.checkpoint is None:
        return None
    return {
        "path": str(plan.checkpoint.path),
        "kind": plan.checkpoint.kind,
        "files": {str(file): file_sha256(file) for file in plan.checkpoint.files},
    }


def _describe_dataset(dataset: Dataset) -> dict[str, Any]:
    return {
        "path": str(dataset.path),
        "manifest_sha256": dataset.digest,
        "corpus_sha256": dataset.manifest.corpus_sha256,
        "documents": dataset.manifest.documents,
        "total_tokens": dataset.manifest.total_tokens,
    }


def _describe_options(plan: TrainingPlan) -> dict[str, Any]:
    return {
        name: str(value) if hasattr(value, "parts") else value
        for name, value in asdict(plan.options).items()
    }
