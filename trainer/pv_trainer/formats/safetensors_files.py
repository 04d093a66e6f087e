"""Opening .safetensors: a single file with its configuration, or a Hugging Face directory."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import safetensors
from safetensors import SafetensorError

from pv_trainer import error_ids
from pv_trainer.errors import InitInvalid
from pv_trainer.formats import apr_layout
from pv_trainer.formats.checkpoint_view import (
    PICKLE_REASON,
    PICKLE_REMEDY,
    PICKLES,
    Checkpoint,
    TensorInfo,
    first_ones,
)
from pv_trainer.plain_files import open_plain
from pv_trainer.wording import brief


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import torch

SINGLE: Final = "model.safetensors"
INDEX: Final = "model.safetensors.index.json"
CONFIG: Final = "config.json"
MAX_JSON: Final = 16 * 2**20
_MAX_FILE_NAME: Final = 256
PORTION: Final = 2**21
"""Values per portion of a stream."""


def open_file(path: Path) -> Checkpoint:
    """The checkpoint in one file; its configuration is beside it or in its `__metadata__`.

    Raises:
        InitInvalid: as `pv_trainer.formats.checkpoint.open_checkpoint`.
    """
    tensors, embedded = _read_header(path)
    beside = path.with_name(CONFIG)
    if beside.exists():
        metadata, warnings = _read_json(beside)
        return _checkpoint(path, (metadata, CONFIG, warnings), {path: tensors})
    if "model_type" not in embedded:
        raise InitInvalid(
            error_ids.INIT_METADATA,
            f"{path}: no {CONFIG} beside it, and no model_type in its __metadata__",
            f"put the model's {CONFIG} beside it",
        )
    decoded = {key: _decode(value) for key, value in embedded.items()}
    return _checkpoint(path, (decoded, "__metadata__", []), {path: tensors})


def open_folder(folder: Path) -> Checkpoint:
    """The checkpoint in a Hugging Face directory, whole or in shards.

    Raises:
        InitInvalid: as `pv_trainer.formats.checkpoint.open_checkpoint`; also INIT-004 if it is
            not clear which weights are meant, INIT-007 if the index and the shards differ.
    """
    shards = _list_shards(folder)
    headers = {path: _read_header(path)[0] for path in shards}
    if not (folder / CONFIG).exists():
        raise InitInvalid(error_ids.INIT_METADATA, f"{folder}: there is no {CONFIG}")
    if (folder / INDEX).exists():
        _check_index(folder, headers)
    metadata, warnings = _read_json(folder / CONFIG)
    return _checkpoint(folder, (metadata, CONFIG, warnings), headers)


def _checkpoint(
    path: Path,
    described: tuple[Mapping[str, Any], str, list[str]],
    headers: Mapping[Path, Mapping[str, TensorInfo]],
) -> Checkpoint:
    metadata, place, warnings = described
    for file, tensors in headers.items():
        for name in tensors:
            if not name.isprintable() or len(name.encode()) > apr_layout.MAX_NAME:
                raise InitInvalid(
                    error_ids.INIT_FORMAT,
                    f"{file}: tensor name {brief(name)} holds control characters, or "
                    f"more than {apr_layout.MAX_NAME} bytes",
                )
    homes = {name: file for file, tensors in headers.items() for name in tensors}

    @cache
    def opened(file: Path) -> Any:
        return safetensors.safe_open(file, framework="pt")

    def mapped(name: str) -> torch.Tensor:
        """The tensor on the mapped file itself, which others can change or cut."""
        try:
            tensor: torch.Tensor = opened(homes[name]).get_tensor(name)
        except (SafetensorError, OSError) as error:
            raise _unreadable(homes[name], error) from error
        return tensor

    def stream(_portions: int) -> Iterator[tuple[str, int, torch.Tensor]]:
        """What is mapped lasts."""
        for name in homes:
            values = mapped(name).view(-1)
            for start in range(0, len(values), PORTION):
                yield name, start, values[start : start + PORTION]

    return Checkpoint(
        kind="huggingface" if path.is_dir() else "safetensors",
        path=path,
        metadata=metadata,
        metadata_place=place,
        tensors={name: info for tensors in headers.values() for name, info in tensors.items()},
        files=tuple(headers),
        warnings=tuple(warnings),
        read_tensor=lambda name: mapped(name).clone(),
        stream_tensors=stream,
        verify_bytes=lambda: None,
    )


def _list_shards(folder: Path) -> list[Path]:
    single, index = folder / SINGLE, folder / INDEX
    if single.exists() and index.exists():
        raise InitInvalid(
            error_ids.INIT_FORMAT,
            f"{folder}: both {SINGLE} and {INDEX} are there; which one is meant is unknown",
            "remove the one that is out of date",
        )
    if single.exists():
        return [single]
    if index.exists():
        return [folder / name for name in sorted(set(_weight_map(index).values()))]
    if any(file.suffix in PICKLES for file in folder.iterdir()):
        raise InitInvalid(
            error_ids.INIT_FORMAT,
            f"{folder}: no {SINGLE}, only pickled weights: {PICKLE_REASON}",
            PICKLE_REMEDY,
        )
    raise InitInvalid(error_ids.INIT_FORMAT, f"{folder}: neither {SINGLE} nor {INDEX} is there")


def _weight_map(index: Path) -> dict[str, str]:
    content, _ = _read_json(index)
    weight_map = content.get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise InitInvalid(error_ids.INIT_METADATA, f"{index}: weight_map is no filled object")
    for name, file in weight_map.items():
        # A path would let an index read files from outside its folder.
        if not isinstance(file, str) or Path(file).name != file or not _is_name(file):
            raise InitInvalid(
                error_ids.INIT_METADATA,
                f"{index}: {brief(name)} is in {brief(file)}, not a file's name",
            )
    return weight_map


def _is_name(text: str) -> bool:
    return bool(text) and text.isprintable() and text != ".." and len(text) < _MAX_FILE_NAME


def _check_index(folder: Path, headers: Mapping[Path, Mapping[str, TensorInfo]]) -> None:
    """Establish that index and shards agree on which file each tensor is in."""
    index = folder / INDEX
    claimed = {(name, file) for name, file in _weight_map(index).items()}
    found = {(name, path.name) for path, tensors in headers.items() for name in tensors}
    problems = [f"{name} is not in {file}" for name, file in sorted(claimed - found)]
    problems += [f"{name} in {file} is not listed" for name, file in sorted(found - claimed)]
    if problems:
        lines = "".join(f"\n  {problem}" for problem in first_ones(problems))
        raise InitInvalid(
            error_ids.INIT_POPULATION,
            f"{index}: {len(claimed)} tensors listed, {len(found)} found in the shards:{lines}",
        )


def _read_header(path: Path) -> tuple[dict[str, TensorInfo], dict[str, str]]:
    """Names, dtypes and shapes in a file, and its `__metadata__`."""
    try:
        with open_plain(path):
            pass  # The library would wait for whoever writes into a pipe.
        with safetensors.safe_open(path, framework="np") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - no mapping
            tensors = {
                name: TensorInfo(part.get_dtype(), tuple(part.get_shape()))
                for name, part in slices.items()
            }
            return tensors, file.metadata() or {}
    except FileNotFoundError:
        raise InitInvalid(error_ids.INIT_MISSING, f"{path}: no such file") from None
    except OSError as error:
        raise _unreadable(path, error) from error
    except SafetensorError as error:
        raise _invalid(path, error) from error


def _invalid(path: Path, error: SafetensorError) -> InitInvalid:
    if not path.stat().st_size:
        return InitInvalid(error_ids.INIT_FORMAT, f"{path}: the file is empty")
    truncated = ("incomplete metadata", "invalid header length", "header too small")
    if any(words in str(error) for words in truncated):
        return _unreadable(path, error)
    return InitInvalid(error_ids.INIT_FORMAT, f"{path}: not a safetensors file: {error}")


def _unreadable(path: Path, error: Exception) -> InitInvalid:
    return InitInvalid(
        error_ids.INIT_READ,
        f"{path}: cannot be read, or is truncated: {error}",
        "copy the file again from where it came from",
    )


def _read_json(path: Path) -> tuple[dict[str, Any], list[str]]:
    """The object in a JSON file, and warnings about repeated keys."""
    try:
        with open_plain(path) as file:
            data = file.read(MAX_JSON + 1)
    except OSError as error:
        raise _unreadable(path, error) from error
    if len(data) > MAX_JSON:
        raise InitInvalid(error_ids.INIT_METADATA, f"{path}: more than {MAX_JSON} bytes")
    try:
        return apr_layout.parse_metadata(data)
    except apr_layout.LayoutError as error:
        raise InitInvalid(error_ids.INIT_METADATA, f"{path}: {error}") from None


def _decode(value: str) -> Any:
    """A value of `__metadata__`, which holds strings only: numbers are written as JSON."""
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value
