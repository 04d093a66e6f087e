"""A folder to publish: weights, tokenizer, card, evidence and the digests of all of it."""

from __future__ import annotations

import shutil
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn

from pv_trainer import error_ids
from pv_trainer.atomic import atomic_folder, refuse_content
from pv_trainer.checkpoints.conversion import compare_weights, read_stored
from pv_trainer.checkpoints.saving import write_huggingface
from pv_trainer.checkpoints.writing import writing
from pv_trainer.data.tokenizer import read_tokenizer
from pv_trainer.errors import CheckpointFailed
from pv_trainer.formats.checkpoint import open_checkpoint
from pv_trainer.json_files import read_json_object
from pv_trainer.model.config import parameter_count
from pv_trainer.plain_files import file_sha256
from pv_trainer.release.card import render_card
from pv_trainer.release.gate import ask_gate
from pv_trainer.release.stamping import KEY
from pv_trainer.training.recorded_tokenizer import tokenizer_place
from pv_trainer.training.run_folder import RUN_FILE


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pv_trainer.checkpoints.conversion import StoredWeights
    from pv_trainer.data.tokenizer import TokenizerInfo
    from pv_trainer.formats.checkpoint import Checkpoint

WEIGHTS: Final = "model.apr"
CARD: Final = "README.md"
EVIDENCE: Final = "evidence"
SUMS: Final = "SHA256SUMS"
_DEFAULT_STORE: Final = "reports/evidence"


@dataclass(frozen=True, slots=True)
class Release:
    """A folder that was published, and the sha256 of each of its files."""

    folder: Path
    files: Mapping[str, str]


def publish(
    path: Path, folder: Path, *, project: Path, pv: Path, tokenizer: Path | None = None
) -> Release:
    """Write the release folder of a stamped checkpoint, whole or not at all.

    Args:
        path: RUN/ckpt/NAME.apr, stamped.
        folder: must not exist, or be empty.
        project: where pv's contracts, policy and evidence are.
        pv: the program that decides whether the release may be made.
        tokenizer: by default where the run's record says; its digest must be the stamped one.

    Raises:
        UsageError: APR-CLI-001 the folder holds something.
        InitInvalid: the checkpoint is not one that training could start from.
        DataInvalid: the tokenizer cannot be read.
        CheckpointFailed: APR-PUBLISH-001 the gate is not met, the checkpoint is not stamped,
            the tokenizer is another one or there is no evidence; CKPT-001 a file cannot be
            written or reads back otherwise.
    """
    refuse_content(folder)
    checkpoint = open_checkpoint(path)
    provenance = _provenance(checkpoint)
    info = _check_tokenizer(tokenizer or _recorded_tokenizer(path), provenance)
    store = _evidence_store(project)
    standing = ask_gate(pv, project)
    weights = read_stored(checkpoint)
    documents = standing.documents | {
        CARD: render_card(
            weights.config,
            parameter_count(weights.config),
            checkpoint.metadata,
            provenance,
            standing.documents["scoreboard.md"],
        )
    }
    with writing(folder), atomic_folder(folder) as temporary:
        shutil.copyfile(path, temporary / WEIGHTS)
        write_huggingface(temporary, weights, info)
        for name, text in documents.items():
            (temporary / name).write_text(text, encoding="utf-8")
        shutil.copytree(store, temporary / EVIDENCE)
        _verify(temporary, weights)
        files = _write_sums(temporary)
    return Release(folder, files)


def _provenance(checkpoint: Checkpoint) -> dict[str, Any]:
    found = checkpoint.metadata.get(KEY) if checkpoint.kind == "apr" else None
    if not isinstance(found, dict):
        _refuse(f"{checkpoint.path}: not stamped", f"run `apr stamp {checkpoint.path}`")
    return found


def _recorded_tokenizer(path: Path) -> Path:
    """Where the run took its tokenizer from."""
    place = path.absolute().parent.parent / RUN_FILE
    remedy = "name the tokenizer with --tokenizer"
    try:
        found = tokenizer_place(read_json_object(place))
    except ValueError as error:
        _refuse(f"{place}: {error}", remedy)
    if found is None:
        _refuse(f"{place}: it does not say which tokenizer the run had", remedy)
    return found


def _check_tokenizer(path: Path, provenance: Mapping[str, Any]) -> TokenizerInfo:
    info = read_tokenizer(path)
    wanted = provenance.get("tokenizer_sha256")
    if info.digest != wanted:
        _refuse(
            f"{path}: its digest is {info.digest}; the checkpoint was trained with {wanted}",
            "name the tokenizer of the run with --tokenizer",
        )
    return info


def _evidence_store(project: Path) -> Path:
    """The folder of pv's evidence, from the project's settings."""
    settings: Any = {}
    try:
        settings = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
        told = settings.get("tool", {}).get("pv", {}).get("evidence", _DEFAULT_STORE)
        store = project / told
    except FileNotFoundError:
        _refuse(
            f"{project.absolute()}: no pyproject.toml there", "name the project with --project"
        )
    except (OSError, ValueError, AttributeError, TypeError) as error:
        _refuse(f"{project / 'pyproject.toml'}: {error}", "name the project with --project")
    if not store.is_dir() or not any(store.iterdir()):
        _refuse(f"{store}: there is no evidence to publish", "run `pv run --prove` there")
    return store


def _verify(folder: Path, weights: StoredWeights) -> None:
    """Establish that both forms of the weights, as written, hold the same tensors."""
    for place in (folder / WEIGHTS, folder):
        compare_weights(place, weights)


def _write_sums(folder: Path) -> dict[str, str]:
    """SHA256SUMS over every other file, as `sha256sum --check` reads it."""
    files = {
        file.relative_to(folder).as_posix(): file_sha256(file)
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
    lines = "".join(f"{digest}  {name}\n" for name, digest in files.items())
    (folder / SUMS).write_text(lines, encoding="utf-8")
    return files | {SUMS: file_sha256(folder / SUMS)}


def _refuse(what: str, remedy: str) -> NoReturn:
    raise CheckpointFailed(error_ids.PUBLISH, what, remedy)
