"""The checkpoints of a run: which are whole, which are kept, what a killed write left.

A checkpoint is `NAME.apr`, `NAME.state.safetensors` and `NAME.metadata.json`, written in this
order; the last names the others by digest and makes them count. NAME is `epoch-NNN` at the end
of an epoch and `step-NNNNNNNN` where a signal stopped the run within one.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pv_trainer import error_ids
from pv_trainer.errors import InitInvalid
from pv_trainer.json_files import read_json_object
from pv_trainer.plain_files import file_sha256


if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LOG: Final = logging.getLogger("pv_trainer")
WEIGHTS: Final = ".apr"
STATE: Final = ".state.safetensors"
METADATA: Final = ".metadata.json"
_NAME: Final = re.compile(
    r"(epoch-\d{3,}|step-\d{8,})(\.apr|\.state\.safetensors|\.metadata\.json)"
)


@dataclass(frozen=True, slots=True)
class SavedCheckpoint:
    """A checkpoint that its metadata.json says is whole."""

    folder: Path
    name: str
    metadata: dict[str, Any]

    @property
    def weights(self) -> Path:
        """The .apr file."""
        return self.folder / f"{self.name}{WEIGHTS}"

    @property
    def state(self) -> Path:
        """The file of moments, random state and position."""
        return self.folder / f"{self.name}{STATE}"

    @property
    def step(self) -> int:
        """The updates that it has seen."""
        step: int = self.metadata["step"]
        return step

    @property
    def run_seconds(self) -> float:
        """The wall time of the run until here."""
        seconds: float = self.metadata["run_seconds"]
        return seconds

    @property
    def epoch_seconds(self) -> float:
        """The wall time of the epoch that goes on from here."""
        seconds: float = 0.0 if self.is_epoch else self.metadata["wall_seconds"]
        return seconds

    @property
    def is_epoch(self) -> bool:
        """Whether it ends an epoch."""
        return self.name.startswith("epoch-")


def newest_whole(folder: Path) -> SavedCheckpoint | None:
    """The newest checkpoint whose files are those that its metadata names, by digest.

    None if there is no checkpoint yet.

    Raises:
        InitInvalid: RESUME-002 there are checkpoints, and each is damaged.
    """
    checkpoints = _list_metadata(folder)
    found: list[str] = []
    for checkpoint in reversed(checkpoints):
        damaged = _damaged(checkpoint)
        if not damaged:
            for told in found:
                LOG.warning("%s: %s; going back to the checkpoint before it", folder, told)
            return checkpoint
        found.append(" and ".join(damaged))
    if checkpoints:
        raise InitInvalid(
            error_ids.RESUME_STATE,
            f"{folder}: each of its {len(checkpoints)} checkpoints is damaged; of the newest, "
            f"{found[0]}",
        )
    return None


def epoch_metadata(folder: Path, epoch: int) -> dict[str, Any]:
    """What the metadata.json of an epoch says, its other files kept or not.

    Raises:
        InitInvalid: RESUME-002 it is missing or is none.
    """
    return _read_metadata(folder, f"epoch-{epoch:03d}")


def remove_unfinished(folder: Path, newest: SavedCheckpoint | None) -> None:
    """Remove what a killed write left, and checkpoints that come after `newest`.

    The run must not be written by another process meanwhile.
    """
    for temporary in folder.glob(".*.tmp"):
        temporary.unlink(missing_ok=True)
    step = -1 if newest is None else newest.step
    for checkpoint in _list_metadata(folder):
        if checkpoint.step > step:
            (folder / f"{checkpoint.name}{METADATA}").unlink()
    counted = {checkpoint.name for checkpoint in _list_metadata(folder)}
    for file in sorted(folder.iterdir()):
        match = _NAME.fullmatch(file.name)
        if match and match[1] not in counted:
            file.unlink()


def remove_superseded(folder: Path, keep: int | None, val_losses: Sequence[float]) -> None:
    """Remove what the newest epoch, which is complete, makes superfluous.

    That is each stop within an epoch, and of the epochs, if `keep` is a number, all but the
    last so many and the best. A removed epoch's metadata.json stays: it is the run's history.
    """
    stops = [file for file in folder.glob("step-*") if _NAME.fullmatch(file.name)]
    # The metadata first: what lacks a file must not count.
    for file in sorted(stops, key=lambda file: not file.name.endswith(METADATA)):
        file.unlink()
    if keep is None:
        return
    last = range(len(val_losses) - keep, len(val_losses))
    best = min(range(len(val_losses)), key=val_losses.__getitem__)
    for epoch in range(len(val_losses)):
        if epoch != best and epoch not in last:
            for suffix in (STATE, WEIGHTS):
                (folder / f"epoch-{epoch:03d}{suffix}").unlink(missing_ok=True)


def _list_metadata(folder: Path) -> list[SavedCheckpoint]:
    names = [
        file.name.removesuffix(METADATA)
        for file in folder.glob(f"*{METADATA}")
        if _NAME.fullmatch(file.name)
    ]
    found = [SavedCheckpoint(folder, name, _read_metadata(folder, name)) for name in names]
    # At one step an epoch's end says more than a stop there.
    return sorted(found, key=lambda one: (one.step, one.is_epoch))


def _damaged(checkpoint: SavedCheckpoint) -> list[str]:
    """What is wrong with its files, a sentence for each."""
    expected = (
        (checkpoint.weights, checkpoint.metadata["checkpoint_sha256"]),
        (checkpoint.state, checkpoint.metadata["state_sha256"]),
    )
    found = []
    for file, digest in expected:
        if not file.is_file():
            found.append(f"{file.name} is missing")
        elif not _has_digest(file, digest):
            found.append(f"{file.name} is not what was written")
    return found


def _has_digest(file: Path, digest: str) -> bool:
    try:
        return file_sha256(file) == digest
    except OSError:
        return False


def _read_metadata(folder: Path, name: str) -> dict[str, Any]:
    file = folder / f"{name}{METADATA}"
    try:
        metadata = read_json_object(file)
        _check_fields(metadata)
    except ValueError as error:
        raise InitInvalid(error_ids.RESUME_STATE, f"{file}: {error}") from error
    return metadata


def _check_fields(metadata: dict[str, Any]) -> None:
    kinds: dict[str, type | tuple[type, ...]] = {
        "step": int,
        "checkpoint_sha256": str,
        "state_sha256": str,
        "wall_seconds": (int, float),
        "run_seconds": (int, float),
    }
    for key, kind in kinds.items():
        if not isinstance(metadata.get(key), kind):
            what = f"the field {key} is missing or of another type"
            raise ValueError(what)  # noqa: TRY004 - one family: bad content
