"""What the trainer's library does with a checkpoint: its parameters, or why it is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pv_trainer.checkpoints.architecture import read_architecture
from pv_trainer.checkpoints.population import plan_population
from pv_trainer.errors import InitInvalid
from pv_trainer.formats.checkpoint import open_checkpoint


if TYPE_CHECKING:
    from pathlib import Path

    from pv_falsifiers.apr_bytes import Array

_UNTOUCHED: Final = 7.0
"""What parameters hold before a population that must not happen."""


def refusal_of(path: Path) -> str:
    """The ID with which the headers of a checkpoint are refused, or `none`."""
    try:
        checkpoint = open_checkpoint(path)
        plan_population(checkpoint, read_architecture(checkpoint).config)
    except InitInvalid as error:
        return error.id
    return "none"


def loading_refusal_of(path: Path) -> str:
    """The ID with which a checkpoint is refused when all of it is loaded, or `none`."""
    from pv_trainer.checkpoints.init import load_model  # noqa: PLC0415 - brings torch

    try:
        load_model(path)
    except InitInvalid as error:
        return error.id
    return "none"


def load(path: Path) -> tuple[dict[str, Array], int]:
    """The parameters of the model in a checkpoint, and how many its report leaves out.

    A refused checkpoint has no parameters.
    """
    from pv_trainer.checkpoints.init import load_model  # noqa: PLC0415 - brings torch

    try:
        model, _, report = load_model(path)
    except InitInvalid:
        return {}, 0
    found = {name: values.detach().numpy() for name, values in model.named_parameters()}
    return found, report.missing + report.unused + abs(len(found) - report.matched)


def try_populate(path: Path) -> tuple[str, int]:
    """The ID with which a checkpoint is refused, and the parameters written by then."""
    import torch  # noqa: PLC0415 - as above

    from pv_trainer.checkpoints.init import populate  # noqa: PLC0415
    from pv_trainer.model.decoder import Decoder  # noqa: PLC0415

    checkpoint = open_checkpoint(path)
    config = read_architecture(checkpoint).config
    model = Decoder(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(_UNTOUCHED)
    try:
        populate(model, checkpoint, plan_population(checkpoint, config))
    except InitInvalid as error:
        written = sum(bool((p != _UNTOUCHED).any()) for p in model.parameters())
        return error.id, written
    return "none", 0
