"""Which tensor of a checkpoint becomes which parameter, decided from names and shapes alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn

from pv_trainer import error_ids
from pv_trainer.errors import InitInvalid
from pv_trainer.formats.checkpoint_view import first_ones, refuse_dtype
from pv_trainer.model.config import ModelConfig, tensor_shapes


if TYPE_CHECKING:
    from collections.abc import Mapping

    from pv_trainer.formats.checkpoint_view import Checkpoint

_HEAD: Final = "lm_head.weight"
_EMBEDDING: Final = "model.embed_tokens.weight"


@dataclass(frozen=True, slots=True)
class PopulationPlan:
    """A complete assignment: every parameter has its tensor, every tensor has its use."""

    names: tuple[str, ...]
    """The parameters, in the model's order; each is read from the tensor of its name."""
    duplicates: Mapping[str, str]
    """Tensors that must repeat another one and are not written: the head of a tied model."""


def plan_population(checkpoint: Checkpoint, config: ModelConfig) -> PopulationPlan:
    """The assignment of a checkpoint's tensors to a model's parameters; torch-free.

    Names must be equal as sets, both ways, except that a tied model's checkpoint may hold
    `lm_head.weight` too; shapes must be equal; dtypes must fit into float32 exactly.

    Raises:
        InitInvalid: INIT-007 with every difference and the counts of both sides; INIT-004 a
            dtype that cannot be trained from.
    """
    stored = checkpoint.tensors
    _refuse_phantom_layers(checkpoint, config)
    wanted = tensor_shapes(config)
    extra = {_HEAD: _EMBEDDING} if config.tie_word_embeddings and _HEAD in stored else {}
    expected = wanted | {name: wanted[twin] for name, twin in extra.items()}
    missing = [name for name in expected if name not in stored]
    unused = [name for name in stored if name not in expected]
    misshapen = [
        name for name in expected if name in stored and stored[name].shape != expected[name]
    ]
    if missing or unused or misshapen:
        lines = [f"missing from the checkpoint: {name} {expected[name]}" for name in missing]
        lines += [f"not in the model: {name} {stored[name].shape}" for name in unused]
        lines += [
            f"{name}: the model wants {expected[name]}, the checkpoint has {stored[name].shape}"
            for name in misshapen
        ]
        counts = (
            f"the model has {len(wanted)} tensors, the checkpoint {len(stored)}: "
            f"{len(missing)} missing, {len(unused)} not in the model, "
            f"{len(misshapen)} of another shape"
        )
        _refuse(checkpoint, "\n  ".join([counts, *first_ones(lines)]))
    for name in expected:
        refuse_dtype(checkpoint.path, name, stored[name])
    return PopulationPlan(tuple(wanted), extra)


def _refuse_phantom_layers(checkpoint: Checkpoint, config: ModelConfig) -> None:
    """Refuse more layers than there are tensors, before a name is made up for each of them."""
    if config.num_hidden_layers > len(checkpoint.tensors):
        layers, tensors = config.num_hidden_layers, len(checkpoint.tensors)
        _refuse(checkpoint, f"{layers} layers are claimed, {tensors} tensors are stored")


def _refuse(checkpoint: Checkpoint, what: str) -> NoReturn:
    raise InitInvalid(error_ids.INIT_POPULATION, f"{checkpoint.path}: {what}")
