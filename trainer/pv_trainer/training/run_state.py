"""Between a run in memory and the state beside its weights on disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import torch

from pv_trainer import error_ids
from pv_trainer.errors import InitInvalid
from pv_trainer.training.epochs import TrainingState
from pv_trainer.training.optimizer import PREFIX, named_state, restore_state
from pv_trainer.training.position import Position, parse_position
from pv_trainer.training.state_file import read_state


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pv_trainer.model.decoder import Decoder
    from pv_trainer.training.adamw import AdamW

_CPU_GENERATOR: Final = "generator.cpu"
_CUDA_GENERATOR: Final = "generator.cuda"


@dataclass(slots=True)
class RunState:
    """All that an update changes, and what checkpoints inherit."""

    model: Decoder
    optimizer: AdamW
    settings: str
    """`settings_digest` of the run that the checkpoints belong to."""
    position: Position = field(default_factory=Position)
    inherited: Mapping[str, Any] = field(default_factory=dict)
    """What the metadata of each checkpoint keeps of the one that the run began from."""

    def capture(self) -> TrainingState:
        """What a checkpoint keeps beside the weights; the tensors are not copied."""
        tensors = named_state(self.model, self.optimizer)
        tensors[_CPU_GENERATOR] = torch.get_rng_state()
        device = self.model.head_weight.device
        if device.type == "cuda":
            tensors[_CUDA_GENERATOR] = torch.cuda.get_rng_state(device)
        return TrainingState(tensors, self.position.to_json(), self.inherited, self.settings)

    def restore(self, path: Path, step: int) -> None:
        """Go on from a state file of update `step`; the weights are those of its checkpoint.

        Raises:
            InitInvalid: RESUME-002 the file is damaged or does not fit the model.
        """
        tensors, facts = read_state(path)
        moments = {n: tensors.pop(n) for n in list(tensors) if n.startswith(PREFIX)}
        try:
            position = parse_position(facts.get("position", {}))
            if wrong := self._misfit(facts, position, len(moments), step):
                raise InitInvalid(error_ids.RESUME_STATE, f"{path}: {wrong}")
            restore_state(self.model, self.optimizer, moments)
            torch.set_rng_state(tensors[_CPU_GENERATOR])
            self.inherited = dict(facts["inherited"])
        except (ValueError, TypeError, KeyError, RuntimeError) as error:
            raise InitInvalid(error_ids.RESUME_STATE, f"{path}: {error}") from error
        device = self.model.head_weight.device
        # A run that has moved has no state for this device; the record says that it moved.
        if device.type == "cuda" and _CUDA_GENERATOR in tensors:
            torch.cuda.set_rng_state(tensors[_CUDA_GENERATOR], device)
        self.position = position

    def _misfit(
        self, facts: Mapping[str, Any], position: Position, moments: int, step: int
    ) -> str | None:
        """Why a state is not the one that belongs to the weights of update `step`."""
        if facts.get("settings") != self.settings:
            return "it is of a run with other settings or inputs"
        if position.step != step:
            return f"it is of update {position.step}, the metadata of {step}"
        if bool(moments) != bool(step):
            return f"{moments} tensors of the optimizer at update {step}"
        return None
