"""What a checkpoint says about itself, from headers alone; no torch, no tensor byte."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pv_trainer.checkpoints.architecture import family_of_names, read_architecture
from pv_trainer.checkpoints.population import plan_population
from pv_trainer.errors import InitInvalid
from pv_trainer.formats.apr_reader import read_header
from pv_trainer.formats.checkpoint import open_checkpoint


if TYPE_CHECKING:
    from pathlib import Path

    from pv_trainer.formats.checkpoint import Checkpoint


def inspect_checkpoint(path: Path) -> dict[str, Any]:
    """Kind, metadata, architecture with its sources, tensors and their counts, as JSON values.

    A checkpoint that can be opened and cannot be trained from is listed too: `trainable` is
    false then and `problem` holds the ID and the sentence that `--init` would give.

    Raises:
        InitInvalid: as `open_checkpoint`.
    """
    checkpoint = open_checkpoint(path)
    return {
        "path": str(path),
        "kind": checkpoint.kind,
        "files": [
            {"path": str(file), "size_bytes": file.stat().st_size} for file in checkpoint.files
        ],
        "header": asdict(read_header(path).header) if checkpoint.kind == "apr" else None,
        "metadata": dict(checkpoint.metadata),
        "family_of_names": family_of_names(checkpoint.tensors),
        "tensor_count": len(checkpoint.tensors),
        "value_count": sum(math.prod(info.shape) for info in checkpoint.tensors.values()),
        "dtypes": dict(Counter(info.dtype for info in checkpoint.tensors.values())),
        "tensors": {
            name: {"dtype": info.dtype, "shape": list(info.shape)}
            for name, info in checkpoint.tensors.items()
        },
        "warnings": list(checkpoint.warnings),
        **_judge(checkpoint),
    }


def _judge(checkpoint: Checkpoint) -> dict[str, Any]:
    found: dict[str, Any] = {"config": None, "sources": None, "trainable": False}
    try:
        architecture = read_architecture(checkpoint)
        found |= {"config": asdict(architecture.config), "sources": dict(architecture.sources)}
        plan_population(checkpoint, architecture.config)
    except InitInvalid as error:
        return found | {"problem": {"id": error.id, "what": error.what}}
    return found | {"trainable": True, "problem": None}
