"""The tokenizer of the run that a checkpoint lies in, found again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pv_trainer import error_ids
from pv_trainer.data.tokenizer import read_tokenizer
from pv_trainer.errors import DataInvalid
from pv_trainer.json_files import read_json_object
from pv_trainer.training.run_folder import CHECKPOINTS, RUN_FILE


if TYPE_CHECKING:
    from collections.abc import Mapping

    from pv_trainer.data.tokenizer import TokenizerInfo


def tokenizer_place(record: Mapping[str, Any]) -> Path | None:
    """Where the run of this record had its tokenizer; None if the record does not say."""
    files = record.get("tokenizer_files")
    if not isinstance(files, list) or not files or not isinstance(files[0], str):
        return None
    return Path(files[0])


def recorded_tokenizer(checkpoint: Path) -> TokenizerInfo | None:
    """The tokenizer that the run of RUN/ckpt/NAME.apr was trained with; None outside of a run.

    Raises:
        DataInvalid: CORPUS-008 the run's record can't be read or names none, or the tokenizer
            is gone or another one by now.
    """
    record_file = checkpoint.absolute().parent.parent / RUN_FILE
    if checkpoint.absolute().parent.name != CHECKPOINTS or not record_file.exists():
        return None
    remedy = "name the tokenizer with --tokenizer"
    try:
        record = read_json_object(record_file)
    except ValueError as error:
        raise DataInvalid(
            error_ids.CORPUS_MANIFEST, f"{record_file}: {error}", remedy
        ) from error
    place, wanted = tokenizer_place(record), record.get("tokenizer_sha256")
    if place is None or not isinstance(wanted, str):
        what = f"{record_file}: it does not say which tokenizer the run had"
        raise DataInvalid(error_ids.CORPUS_MANIFEST, what, remedy)
    try:
        info = read_tokenizer(place)
    except DataInvalid as error:
        raise DataInvalid(error.id, f"{record_file}: its {error.what}", remedy) from error
    if info.digest != wanted:
        raise DataInvalid(
            error_ids.CORPUS_MANIFEST,
            f"{place}: its digest is {info.digest[:16]}; the run's was {wanted[:16]}",
            remedy,
        )
    return info
