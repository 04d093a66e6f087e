"""The refusal of an input file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_trainer import error_ids
from pv_trainer.errors import DataInvalid


if TYPE_CHECKING:
    from pathlib import Path


def unreadable(path: Path, what: str, remedy: str | None = None) -> DataInvalid:
    """The error that says what is wrong with the text, or the file, at `path`."""
    return DataInvalid(error_ids.CORPUS_MANIFEST, f"{path}: {what}", remedy)
