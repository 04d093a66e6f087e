"""One view over the three kinds of checkpoint: .apr, .safetensors, a Hugging Face directory.

Opening reads headers and metadata only and imports no torch. Nothing is ever unpickled.
"""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

from pv_trainer import error_ids
from pv_trainer.errors import InitInvalid
from pv_trainer.formats import apr_reader
from pv_trainer.formats.checkpoint_view import (
    PICKLE_REASON,
    PICKLE_REMEDY,
    PICKLES,
    Checkpoint,
    TensorInfo,
)


__all__ = ["Checkpoint", "TensorInfo", "open_checkpoint"]

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import torch

    from pv_trainer.formats.apr_reader import AprFile


def open_checkpoint(path: Path) -> Checkpoint:
    """The checkpoint at `path`, its kind found from what is there.

    Raises:
        InitInvalid: INIT-003 nothing is there; INIT-004 it is no checkpoint, or one that is not
            read; INIT-005 its metadata is missing or makes no sense; INIT-011 it is truncated,
            altered or unreadable.
    """
    try:
        return _open(path)
    except OSError as error:
        what = f"{path}: cannot be read: {error.strerror}"
        raise InitInvalid(error_ids.INIT_READ, what) from error


def _open(path: Path) -> Checkpoint:
    is_folder, suffix = path.is_dir(), path.suffix.lower()
    if not is_folder and suffix in PICKLES and path.exists():
        raise InitInvalid(error_ids.INIT_FORMAT, f"{path}: {PICKLE_REASON}", PICKLE_REMEDY)
    if not is_folder and suffix != ".safetensors":
        return _open_apr(path)
    # Importing safetensors brings numpy, which an .apr file does without.
    from pv_trainer.formats import safetensors_files  # noqa: PLC0415

    if is_folder:
        return safetensors_files.open_folder(path)
    return safetensors_files.open_file(path)


def _open_apr(path: Path) -> Checkpoint:
    file = apr_reader.read_header(path)
    return Checkpoint(
        kind="apr",
        path=path,
        metadata=file.metadata,
        metadata_place="metadata",
        tensors={
            name: TensorInfo(entry.dtype, entry.shape) for name, entry in file.entries.items()
        },
        files=(path,),
        warnings=file.warnings,
        read_tensor=lambda name: _read_apr_tensor(file, name),
        verify_bytes=partial(_verify_apr, file, cache(partial(apr_reader.verify, path))),
    )


def _read_apr_tensor(file: AprFile, name: str) -> torch.Tensor:
    import torch  # noqa: PLC0415  # headers are checked without it

    dtypes = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
    entry = file.entries[name]
    tensor = torch.empty(entry.shape, dtype=dtypes[entry.dtype])
    apr_reader.read_into(file, name, tensor.view(-1).view(torch.uint8).numpy().data)
    return tensor


def _verify_apr(file: AprFile, verify_once: Callable[[], AprFile]) -> None:
    """Sum up the bytes the first time; later on it is enough that the file is the same."""
    apr_reader.check_unchanged(file)
    if verify_once().identity != file.identity:
        raise InitInvalid(
            error_ids.INIT_READ, f"{file.path}: the file changed while it was being read"
        )
