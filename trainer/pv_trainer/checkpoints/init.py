"""The one way from a checkpoint to a model, for training, evaluation and export alike.

A plan from the headers comes first and fails before any tensor is read; then every tensor is
read and verified; then all of them are written, and none if one is wrong.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import torch

from pv_trainer import error_ids
from pv_trainer.checkpoints.architecture import Architecture, read_architecture
from pv_trainer.checkpoints.filling import fill
from pv_trainer.checkpoints.memory import refuse_too_large
from pv_trainer.checkpoints.population import PopulationPlan, plan_population
from pv_trainer.errors import InitInvalid, UsageError
from pv_trainer.formats.checkpoint import Checkpoint, open_checkpoint, torch_dtype
from pv_trainer.model.decoder import Decoder


if TYPE_CHECKING:
    from pathlib import Path

    from pv_trainer.model.config import ModelConfig

__all__ = [
    "PopulationPlan",
    "PopulationReport",
    "build_model",
    "fresh_model",
    "load_model",
    "plan_population",
    "populate",
    "read_weights",
]

_SLICE: Final = 2**20
"""Values looked at together when looking for NaN: bounds the scratch memory of the look."""


@dataclass(frozen=True, slots=True)
class PopulationReport:
    """What was written into the model, counted both ways.

    `matched` tensors were written; `missing` of the model's were not in the checkpoint and
    `unused` of the checkpoint's were not in the model, both 0 or there would be no report;
    `allowed_extra` were read, found to repeat another tensor, and left.
    """

    model_tensors: int
    checkpoint_tensors: int
    matched: int
    missing: int
    unused: int
    allowed_extra: tuple[str, ...]
    parameters: int

    def to_json(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        return asdict(self) | {"allowed_extra": list(self.allowed_extra)}


def load_model(
    path: Path, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> tuple[Decoder, Architecture, PopulationReport]:
    """The model in a checkpoint, with every parameter equal to its source tensor.

    Args:
        path: .apr, .safetensors or a Hugging Face directory.
        device: where the parameters live.
        dtype: the compute dtype; the parameters are float32 in any case.

    Raises:
        InitInvalid: as `open_checkpoint`, `read_architecture`, `plan_population`, `populate`.
    """
    checkpoint = open_checkpoint(path)
    architecture = read_architecture(checkpoint)
    model, report = build_model(architecture.config, checkpoint, device=device, dtype=dtype)
    return model, architecture, report


def build_model(
    config: ModelConfig | None,
    init: Checkpoint | None,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> tuple[Decoder, PopulationReport]:
    """A model of this shape, populated from this checkpoint; both are needed.

    Raises:
        UsageError: INIT-CUDA-002 one of the two is None: a shape without weights would train
            from random numbers that nobody asked for.
        InitInvalid: as `plan_population` and `populate`.
        DeviceUnavailable: GPUTRAIN-002 the memory cannot hold it.
    """
    if config is None or init is None:
        given = "a checkpoint without its architecture" if init else "an architecture alone"
        given = given if config or init else "neither architecture nor checkpoint"
        raise UsageError(
            error_ids.UNPAIRED,
            f"pv_trainer.checkpoints.init.build_model: called with {given}; the two come "
            "together",
            "call pv_trainer.checkpoints.init.fresh_model for random weights",
        )
    plan = plan_population(init, config)
    if torch.device(device).type == "cpu":
        refuse_too_large(init, "F32")
    model = Decoder(config, device=device, dtype=dtype)
    return model, populate(model, init, plan)


def fresh_model(
    config: ModelConfig,
    generator: torch.Generator,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Decoder:
    """A model of this shape with random weights drawn from `generator`."""
    model = Decoder(config, device=device, dtype=dtype)
    model.init_weights(generator)
    return model


def populate(model: Decoder, checkpoint: Checkpoint, plan: PopulationPlan) -> PopulationReport:
    """Write every parameter of `model` from the checkpoint, after all of them are verified.

    float32 tensors arrive byte for byte; float16 and bfloat16 widen exactly.

    Raises:
        InitInvalid: INIT-007 a tensor holds a NaN or an infinity, or the extra head of a tied
            model differs from its embedding; INIT-011 the bytes cannot be read or are not
            those that were written. The model is unchanged.
    """
    parameters = dict(model.named_parameters())
    staged, counts = _stage(checkpoint, {name: parameters[name] for name in plan.names})
    _refuse_non_finite(checkpoint, counts, staged)
    for name, twin in plan.duplicates.items():
        _refuse_different(checkpoint, name, twin, staged[twin])
    for name, values in staged.items():
        assert parameters[name].shape == values.shape
        parameters[name].data = values
    return PopulationReport(
        model_tensors=len(parameters),
        checkpoint_tensors=len(checkpoint.tensors),
        matched=len(staged),
        missing=len(parameters.keys() - staged.keys()),
        unused=len(checkpoint.tensors.keys() - staged.keys() - plan.duplicates.keys()),
        allowed_extra=tuple(plan.duplicates),
        parameters=sum(values.numel() for values in staged.values()),
    )


def read_weights(checkpoint: Checkpoint, plan: PopulationPlan) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint that a model could be populated from, in their own dtypes.

    They are verified as `populate` does it; a tied head that is stored again is among them.

    Raises:
        InitInvalid: as `populate`.
        DeviceUnavailable: GPUTRAIN-002 the memory cannot hold them.
    """
    refuse_too_large(checkpoint)
    tensors = {
        name: torch.empty(info.shape, dtype=torch_dtype(info.dtype))
        for name, info in checkpoint.tensors.items()
    }
    _refuse_non_finite(checkpoint, fill(checkpoint, tensors), tensors)
    for name, twin in plan.duplicates.items():
        _refuse_different(checkpoint, name, twin, tensors[twin])
    return tensors


def _stage(
    checkpoint: Checkpoint, parameters: dict[str, torch.Tensor]
) -> tuple[dict[str, torch.Tensor], dict[str, int]]:
    """New float32 tensors with the values of the file, each byte verified, and as `fill`."""
    staged = {
        name: torch.empty(values.shape, dtype=torch.float32, device=values.device)
        for name, values in parameters.items()
    }
    return staged, fill(checkpoint, staged)


def _refuse_non_finite(
    checkpoint: Checkpoint, counts: dict[str, int], staged: dict[str, torch.Tensor]
) -> None:
    lines = "".join(
        f"\n  {name}: {count} of {staged[name].numel()} values"
        for name, count in counts.items()
        if count
    )
    if lines:
        raise InitInvalid(
            error_ids.INIT_POPULATION,
            f"{checkpoint.path}: NaN or infinity in the weights:{lines}",
        )


def _refuse_different(
    checkpoint: Checkpoint, name: str, twin: str, values: torch.Tensor
) -> None:
    pairs = zip(
        torch.split(checkpoint.read(name).view(-1), _SLICE),
        torch.split(values.view(-1), _SLICE),
        strict=True,
    )
    differing = sum(int((part.to(whole) != whole).sum()) for part, whole in pairs)
    if differing:
        raise InitInvalid(
            error_ids.INIT_POPULATION,
            f"{checkpoint.path}: {name} differs from {twin} in {differing} of {values.numel()} "
            "values, but tie_word_embeddings says that they are one",
        )
