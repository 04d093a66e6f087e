from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pv_trainer.checkpoints.architecture import read_architecture
from pv_trainer.checkpoints.init import build_model, read_weights
from pv_trainer.checkpoints.memory import refuse_too_large
from pv_trainer.checkpoints.population import plan_population
from pv_trainer.errors import DeviceUnavailable
from pv_trainer.formats.checkpoint import open_checkpoint


if TYPE_CHECKING:
    from pathlib import Path

TOLD = r"GPUTRAIN-002.*its tensors take [0-9,.]+ GiB of memory, this machine has [0-9,.]+ GiB"


def test_tensors_that_no_memory_holds_are_refused_before_any_is_taken(init_path: Path) -> None:
    checkpoint = open_checkpoint(init_path)
    refuse_too_large(checkpoint)
    name, info = next(iter(checkpoint.tensors.items()))
    huge = {**checkpoint.tensors, name: replace(info, shape=(2**31, 2**20))}
    claimed = replace(checkpoint, tensors=huge)
    with pytest.raises(DeviceUnavailable, match=TOLD):
        refuse_too_large(claimed)


def test_every_way_to_the_weights_asks_first(
    init_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = open_checkpoint(init_path)
    config = read_architecture(checkpoint).config
    monkeypatch.setattr("os.sysconf", lambda _: 100)
    with pytest.raises(DeviceUnavailable, match=TOLD):
        build_model(config, checkpoint)
    with pytest.raises(DeviceUnavailable, match=TOLD):
        read_weights(checkpoint, plan_population(checkpoint, config))
