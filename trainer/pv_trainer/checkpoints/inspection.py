"""What a checkpoint says about itself, from headers alone; no torch, no tensor byte."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pv_trainer.checkpoints.architecture import family_of_names, read_architecture
from pv_trainer.checkpoints.population import plan_population
from pv_trainer.errors import InitInvalid
from pv_trainer.formats.apr_layout import DTYPE_BY_NAME, FLAG_NAMES
from pv_trainer.formats.apr_reader import read_header
from pv_trainer.formats.checkpoint import open_checkpoint


if TYPE_CHECKING:
    from pathlib import Path

    from pv_trainer.formats.checkpoint import Checkpoint, TensorInfo


def inspect_checkpoint(path: Path, *, verify: bool = False) -> dict[str, Any]:
    """Kind, metadata, architecture with its sources, tensors and their counts, as JSON values.

    A checkpoint that can be opened and cannot be trained from is listed too: `trainable` is
    false then and `problem` holds the ID and the sentence that `--init` would give.

    Args:
        path: .apr, .safetensors or a Hugging Face directory.
        verify: read every byte too, and hold it against the checksum if the format has one.

    Raises:
        InitInvalid: as `open_checkpoint`; with `verify`, as `Checkpoint.verify`.
    """
    checkpoint = open_checkpoint(path)
    file = read_header(path) if checkpoint.kind == "apr" else None
    if verify:
        checkpoint.verify()
    return {
        "path": str(path),
        "kind": checkpoint.kind,
        "files": [
            {"path": str(file), "size_bytes": file.stat().st_size} for file in checkpoint.files
        ],
        "header": None if file is None else asdict(file.header),
        "flags": [] if file is None else _flag_names(file.header.flags),
        "verified": verify and file is not None,
        "metadata": dict(checkpoint.metadata),
        "family_of_names": family_of_names(checkpoint.tensors),
        "tensor_count": len(checkpoint.tensors),
        "value_count": sum(math.prod(info.shape) for info in checkpoint.tensors.values()),
        "dtypes": dict(Counter(info.dtype for info in checkpoint.tensors.values())),
        "tensors": {
            name: {
                "dtype": info.dtype,
                "quantized": info.quantized,
                "shape": list(info.shape),
                "offset": None if file is None else file.entries[name].offset,
                "size_bytes": _size(info),
            }
            for name, info in checkpoint.tensors.items()
        },
        "warnings": list(checkpoint.warnings),
        **_judge(checkpoint),
    }


def _flag_names(flags: int) -> list[str]:
    return [name for bit, name in enumerate(FLAG_NAMES) if flags >> bit & 1]


def _size(info: TensorInfo) -> int | None:
    """None for a dtype that .apr does not know."""
    dtype = DTYPE_BY_NAME.get(info.dtype)
    return None if dtype is None else dtype.size_bytes(info.shape)


def _judge(checkpoint: Checkpoint) -> dict[str, Any]:
    found: dict[str, Any] = {"config": None, "sources": None, "trainable": False}
    try:
        architecture = read_architecture(checkpoint)
        found |= {"config": asdict(architecture.config), "sources": dict(architecture.sources)}
        plan_population(checkpoint, architecture.config)
    except InitInvalid as error:
        return found | {"problem": {"id": error.id, "what": error.what}}
    return found | {"trainable": True, "problem": None}
