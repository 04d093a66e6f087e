"""Small models and checkpoints for the tests of the trainer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import pytest
import torch

from pv_trainer import apr_reader
from pv_trainer.apr_writer import Payload, write_apr
from pv_trainer.config import SHAPES, ModelConfig
from pv_trainer.model import Decoder
from pv_trainer.saving import save_apr


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path


class RewriteApr(Protocol):
    """Write a changed copy of an .apr file beside it."""

    def __call__(
        self,
        path: Path,
        *,
        metadata: Callable[[dict[str, Any]], dict[str, Any]] = ...,
        tensors: Callable[[list[Payload]], Iterable[Payload]] = ...,
    ) -> Path: ...


def small_config(family: str = "qwen2", **changes: Any) -> ModelConfig:
    small = dict(
        vocab_size=96,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        head_dim=8,
        max_position_embeddings=64,
    )
    return replace(SHAPES[f"tiny-{family}"], **(small | changes))


def perturbed_model(config: ModelConfig, seed: int = 0) -> Decoder:
    """No parameter is zero or one: a bias or a norm that gets lost shows."""
    model = Decoder(config)
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        mean = 1.0 if name.endswith("norm.weight") else 0.0
        parameter.data = torch.normal(mean, 0.1, parameter.shape, generator=generator)
    return model


def rewritten_apr(
    path: Path,
    *,
    metadata: Callable[[dict[str, Any]], dict[str, Any]] = lambda found: found,
    tensors: Callable[[list[Payload]], Iterable[Payload]] = lambda found: found,
) -> Path:
    file = apr_reader.verify(path)
    payloads = []
    for name, entry in file.entries.items():
        data = bytearray(entry.size)
        apr_reader.read_into(file, name, memoryview(data))
        payloads.append(Payload(name, entry.dtype, entry.shape, data.copy))
    changed = path.with_name(f"changed-{path.name}")
    write_apr(changed, metadata(dict(file.metadata)), tensors(payloads))
    return changed


@pytest.fixture
def make_config() -> Callable[..., ModelConfig]:
    return small_config


@pytest.fixture
def make_model() -> Callable[..., Decoder]:
    return perturbed_model


@pytest.fixture
def rewrite_apr() -> RewriteApr:
    return rewritten_apr


@pytest.fixture
def apr_path(tmp_path: Path) -> Path:
    """A small tied Qwen2 checkpoint."""
    path = tmp_path / "model.apr"
    save_apr(path, perturbed_model(small_config()), {"name": "small"})
    return path
