"""One view over the three kinds of checkpoint: .apr, .safetensors, a Hugging Face directory.

Opening reads headers and metadata only and imports no torch. Nothing is ever unpickled.
"""

from __future__ import annotations

from functools import partial
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


__all__ = ["Checkpoint", "TensorInfo", "open_checkpoint", "torch_dtype"]

if TYPE_CHECKING:
    from collections.abc import Iterator
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
    if is_folder:
        _refuse_run(path)
    # Importing safetensors brings numpy, which an .apr file does without.
    from pv_trainer.formats import safetensors_files  # noqa: PLC0415 - .apr needs none

    if is_folder:
        return safetensors_files.open_folder(path)
    return safetensors_files.open_file(path)


def _refuse_run(folder: Path) -> None:
    """Say which checkpoint to name instead: a run holds many, and is none itself."""
    inside = folder if folder.name == "ckpt" else folder / "ckpt"
    if not (inside.parent / "run.json").is_file() or not inside.is_dir():
        return
    newest = max(inside.glob("*.apr"), key=lambda file: file.stat().st_mtime_ns, default=None)
    raise InitInvalid(
        error_ids.INIT_FORMAT,
        f"{folder}: the folder of a run, which is no checkpoint itself",
        "it has none yet" if newest is None else f"name one in it; the newest is {newest}",
    )


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
        stream_tensors=partial(_stream_apr, file),
        verify_bytes=partial(apr_reader.verify_data, file),
    )


def _read_apr_tensor(file: AprFile, name: str) -> torch.Tensor:
    import torch  # noqa: PLC0415  # headers are checked without it

    entry = file.entries[name]
    tensor = torch.empty(entry.shape, dtype=torch_dtype(entry.dtype))
    apr_reader.read_into(file, name, tensor.view(-1).view(torch.uint8).numpy().data)
    return tensor


def _stream_apr(file: AprFile, portions: int) -> Iterator[tuple[str, int, torch.Tensor]]:
    import torch  # noqa: PLC0415 - headers need none

    for name, position, portion in apr_reader.stream(file, portions):
        dtype = torch_dtype(file.entries[name].dtype)
        yield name, position // dtype.itemsize, torch.frombuffer(portion, dtype=dtype)


def torch_dtype(name: str) -> torch.dtype:
    """What holds the values of a dtype, by its .apr name; uint8 for quantized ones."""
    import torch  # noqa: PLC0415 - headers need none

    dtypes = {
        "F64": torch.float64,
        "F32": torch.float32,
        "F16": torch.float16,
        "BF16": torch.bfloat16,
        "I64": torch.int64,
        "I32": torch.int32,
        "I8": torch.int8,
    }
    return dtypes.get(name, torch.uint8)
