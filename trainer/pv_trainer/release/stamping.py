"""Where a checkpoint comes from, written into its metadata from the record of its run.

Nothing is typed in: every value is read from run.json and from the checkpoint's own
metadata.json, which must name this very file by its digest.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import partial
from glob import escape
from typing import TYPE_CHECKING, Any, Final, NoReturn

from pv_trainer import error_ids
from pv_trainer.atomic import sync_folder, temporary_sibling
from pv_trainer.checkpoints.writing import writing
from pv_trainer.errors import CheckpointFailed
from pv_trainer.formats import apr_reader
from pv_trainer.formats.apr_writer import Payload, write_apr
from pv_trainer.json_files import read_json_object, write_json
from pv_trainer.plain_files import file_sha256, name_as_text
from pv_trainer.training.checkpoint_folder import METADATA
from pv_trainer.training.run_folder import RUN_FILE, sole_writer


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pv_trainer.formats.apr_reader import AprFile

KEY: Final = "provenance"
"""The metadata key that the stamp is under."""
UNSTAMPED: Final = "unstamped_sha256"
_RUN_FIELDS: Final = {
    "status": ("status",),
    "exit_code": ("exit_code",),
    "version": ("version",),
    "mode": ("mode",),
    "tokenizer_sha256": ("tokenizer_sha256",),
    "seed": ("options", "seed"),
    "unigram_cross_entropy_nats": ("unigram_cross_entropy_nats",),
    "step0_val_loss": ("step0", "val_loss"),
}
_DATA_FIELDS: Final = ("manifest_sha256", "corpus_sha256", "documents", "total_tokens")
_MEASUREMENTS: Final = (
    *("epoch", "step", "tokens_seen", "train_loss", "val_loss", "val_loss_standard_error"),
    *("val_ppl", "val_set_id", "val_tokens"),
)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What was written, and the digests of the file before and after."""

    provenance: Mapping[str, Any]
    sha256: str
    tensors_sha256: str
    """Over name, dtype, shape and bytes of every tensor: the same before and after."""


def stamp_checkpoint(path: Path) -> Stamp:
    """Write the provenance of RUN/ckpt/NAME.apr into its metadata, in place and in one step.

    The new file is read back whole and its tensors are compared before it takes the old one's
    place. Then NAME.metadata.json gets the new digest, so that the run can still be resumed; if
    that did not happen, stamping again does it.

    Raises:
        InitInvalid: the checkpoint is no whole .apr file.
        UsageError: another process is writing the run.
        CheckpointFailed: APR-STAMP-001 run.json or metadata.json is missing, lacks something,
            or is of another file; CKPT-001 the file cannot be written or does not read back.
    """
    if path.is_dir():
        _refuse(f"{path}: a folder", "name RUN/ckpt/NAME.apr of a run")
    file = apr_reader.read_header(path)
    tensors = _tensors_sha256(file)
    run_dir, beside = path.absolute().parent.parent, path.with_name(path.stem + METADATA)
    record, measured = _read(run_dir / RUN_FILE), _read(beside)
    with sole_writer(run_dir):
        unstamped = _identify(file, measured, beside)
        provenance = _describe(run_dir, record, measured) | {UNSTAMPED: unstamped}
        digest = _rewrite(file, {**file.metadata, KEY: provenance}, tensors)
        write_json(beside, {**measured, "checkpoint_sha256": digest})
    return Stamp(provenance, digest, tensors)


def _identify(file: AprFile, measured: Mapping[str, Any], beside: Path) -> str:
    """The digest that the checkpoint had when its run wrote it."""
    found, recorded = file_sha256(file.path), measured.get("checkpoint_sha256")
    before = file.metadata.get(KEY)
    earlier: str | None = before.get(UNSTAMPED) if isinstance(before, dict) else None
    if found == recorded:
        return earlier or found
    if earlier is None or earlier != recorded:
        _refuse(f"{file.path}: its sha256 is {found}; {beside.name} is of {recorded}")
    return earlier


def _describe(
    run_dir: Path, record: Mapping[str, Any], measured: Mapping[str, Any]
) -> dict[str, Any]:
    """The provenance; every value is from the two records."""
    place = run_dir / RUN_FILE
    if record.get("status") == "RUNNING":
        _refuse(f"{place}: the run has not ended", "wait for it, or resume it to its end")
    missing = [key for key in _MEASUREMENTS if key not in measured]
    if missing:
        _refuse(f"{run_dir}: the checkpoint's metadata.json lacks {', '.join(missing)}")
    return {
        "run_id": name_as_text(run_dir.name),
        "run_json_sha256": file_sha256(place),
        "commit": record.get("commit"),
        **{name: _field(place, record, *keys) for name, keys in _RUN_FIELDS.items()},
        "data": {
            split: {name: _field(place, record, key, name) for name in _DATA_FIELDS}
            for split, key in (("train", "dataset"), ("val", "val"))
        },
        "parent": _describe_parent(place, record),
        "measurements": {name: measured[name] for name in _MEASUREMENTS},
    }


def _describe_parent(place: Path, record: Mapping[str, Any]) -> dict[str, Any] | None:
    """The checkpoint that the run started from, by digest; None for random weights."""
    if _field(place, record, "init") is None:
        return None
    files = _field(place, record, "init", "files")
    if not isinstance(files, dict) or not files:
        _refuse(f"{place}: init.files names no file")
    return {"kind": _field(place, record, "init", "kind"), "sha256": sorted(files.values())}


def _field(place: Path, record: Mapping[str, Any], *keys: str) -> Any:
    value: Any = record
    for key in keys:
        if not isinstance(value, dict) or key not in value:
            _refuse(f"{place}: {'.'.join(keys)} is missing")
        value = value[key]
    return value


def _rewrite(file: AprFile, metadata: Mapping[str, Any], tensors: str) -> str:
    """Replace the file by one with this metadata, once it was read back; its sha256."""
    for left_over in file.path.parent.glob(f".*{escape(file.path.name)}.*.tmp"):
        left_over.unlink()  # of a stamping that was killed: nobody else writes this run now
    temporary = temporary_sibling(file.path)
    payloads = [
        Payload(name, entry.dtype, entry.shape, partial(_data, file, name))
        for name, entry in file.entries.items()
    ]
    try:
        with writing(file.path, ValueError):
            digest = write_apr(temporary, metadata, payloads)
            written = apr_reader.read_header(temporary)
            if _tensors_sha256(written) != tensors or written.metadata != metadata:
                raise CheckpointFailed(
                    error_ids.CHECKPOINT, f"{file.path}: what was written reads back otherwise"
                )
            temporary.replace(file.path)
            sync_folder(file.path.parent)
    finally:
        temporary.unlink(missing_ok=True)
    return digest


def _data(file: AprFile, name: str) -> bytearray:
    data = bytearray(file.entries[name].size)
    apr_reader.read_into(file, name, memoryview(data))
    return data


def _tensors_sha256(file: AprFile) -> str:
    """The digest of all tensors; every byte of the file is verified."""
    digest = hashlib.sha256()
    for entry in file.entries.values():
        digest.update(json.dumps([entry.name, entry.dtype, entry.shape]).encode())
    for _, _, portion in apr_reader.stream(file):
        digest.update(portion)
    return digest.hexdigest()


def _read(path: Path) -> dict[str, Any]:
    try:
        return read_json_object(path)
    except ValueError as error:
        _refuse(f"{path}: {error}")


def _refuse(what: str, remedy: str | None = None) -> NoReturn:
    raise CheckpointFailed(error_ids.STAMP, what, remedy)
