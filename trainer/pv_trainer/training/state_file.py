"""What only resuming needs, as one safetensors file: tensors, and facts as JSON in its header.

Nothing in it is pickled, and any reader of safetensors reads it.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

import torch
from safetensors import SafetensorError, safe_open

from pv_trainer import error_ids
from pv_trainer.atomic import atomic_file
from pv_trainer.checkpoints.tensor_bytes import raw_bytes
from pv_trainer.errors import InitInvalid


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT: Final = "apr-training-state-1"
_DTYPES: Final = {torch.float32: "F32", torch.uint8: "U8"}
_ALIGNMENT: Final = 8


def write_state(
    path: Path, tensors: Mapping[str, torch.Tensor], facts: Mapping[str, Any]
) -> str:
    """Write the state, whole or not at all; returns the file's sha256.

    Raises:
        OSError: the folder is missing or not writable, or the disk is full.
        ValueError: the facts are no JSON, or a tensor is neither float32 nor uint8.
    """
    # Wider values first: each tensor then starts at a multiple of its own width.
    names = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    digest = hashlib.sha256()
    with atomic_file(path) as file:
        head = _header(names, tensors, facts)
        for part in (len(head).to_bytes(8, "little"), head):
            digest.update(part)
            file.write(part)
        for name in names:
            data = raw_bytes(tensors[name])
            digest.update(data)
            file.write(data)
    return digest.hexdigest()


def read_state(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The tensors and the facts that `write_state` wrote.

    Raises:
        InitInvalid: RESUME-002 the file can't be read, or is not of this format.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            facts = json.loads(metadata.get("facts", "null"))
            # The file is mapped; a copy outlives its removal and its change.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 - no mapping
    except (OSError, SafetensorError, ValueError, RecursionError) as error:
        raise _refused(path, f"cannot be read: {error}") from error
    if metadata.get("format") != FORMAT or not isinstance(facts, dict):
        raise _refused(path, f"it is not a training state of the format {FORMAT}")
    return tensors, facts


def _header(
    names: list[str], tensors: Mapping[str, torch.Tensor], facts: Mapping[str, Any]
) -> bytes:
    text = json.dumps(facts, allow_nan=False)
    header: dict[str, Any] = {"__metadata__": {"format": FORMAT, "facts": text}}
    offset = 0
    for name in names:
        values = tensors[name]
        if values.dtype not in _DTYPES:
            raise ValueError(f"{name}: {values.dtype} is neither float32 nor uint8")
        end = offset + values.numel() * values.element_size()
        header[name] = {
            "dtype": _DTYPES[values.dtype],
            "shape": list(values.shape),
            "data_offsets": [offset, end],
        }
        offset = end
    raw = json.dumps(header, separators=(",", ":")).encode()
    return raw + b" " * (-len(raw) % _ALIGNMENT)


def _refused(path: Path, what: str) -> InitInvalid:
    return InitInvalid(error_ids.RESUME_STATE, f"{path}: {what}")
