"""The three ways to store a checkpoint, and which key of the metadata spells which field."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from pv_falsifiers import architectures
from pv_falsifiers.architectures import Shape
from pv_trainer.checkpoints.architecture import read_architecture
from pv_trainer.errors import InitInvalid
from pv_trainer.formats.checkpoint import open_checkpoint
from pv_trainer.model.config import ModelConfig


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from pv_trainer.checkpoints.architecture import Architecture

_ALIKE: Final = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "max_position_embeddings",
    "rope_theta",
    "rms_norm_eps",
)


@dataclass(frozen=True, slots=True)
class Container:
    """One way to store a checkpoint.

    Attributes:
        required: key in the metadata -> the field that nothing else in the file tells.
        derived: key -> the field that the tensors tell as well.
        family: the key of the family's name.
    """

    name: str
    describe: Callable[[Shape], dict[str, Any]]
    write: Callable[[Path, Mapping[str, Any], architectures.Shapes], Path]
    required: Mapping[str, str]
    derived: Mapping[str, str]
    family: str

    @property
    def all_keys(self) -> tuple[str, ...]:
        """Every key that can be taken away with metadata still there.

        Without its family a single file has no configuration at all, which is another fault.
        """
        family = () if self.name == "safetensors" else (self.family,)
        return (*self.required, *self.derived, *family)

    def store(self, folder: Path, metadata: Mapping[str, Any], shape: Shape) -> Path:
        """Write a checkpoint of that shape with this metadata."""
        return self.write(folder, metadata, architectures.tensor_shapes(shape))


def _apr(path: Path, metadata: Mapping[str, Any], shapes: architectures.Shapes) -> Path:
    return architectures.write_apr_file(path.with_suffix(".apr"), metadata, shapes)


def _single(path: Path, metadata: Mapping[str, Any], shapes: architectures.Shapes) -> Path:
    return architectures.write_safetensors(path.with_suffix(".safetensors"), shapes, metadata)


_HF_REQUIRED: Final = {name: name for name in _ALIKE} | {
    "num_hidden_layers": "num_hidden_layers",
    "num_attention_heads": "num_attention_heads",
    "num_key_value_heads": "num_kv_heads",
    "tie_word_embeddings": "tie_word_embeddings",
}
_HF_DERIVED: Final = {"head_dim": "head_dim", "attention_bias": "use_bias"}

APR: Final = Container(
    name="apr",
    describe=architectures.apr_metadata,
    write=_apr,
    required={name: name for name in _ALIKE}
    | {
        "num_layers": "num_hidden_layers",
        "num_heads": "num_attention_heads",
        "num_kv_heads": "num_kv_heads",
    },
    # The public key set of .apr has neither bias nor tie; old files lack both.
    derived={
        "head_dim": "head_dim",
        "use_bias": "use_bias",
        "tie_word_embeddings": "tie_word_embeddings",
    },
    family="architecture",
)
FOLDER: Final = Container(
    name="huggingface",
    describe=architectures.huggingface_config,
    write=architectures.write_folder,
    required=_HF_REQUIRED,
    derived=_HF_DERIVED,
    family="model_type",
)
SINGLE_FILE: Final = Container(
    name="safetensors",
    describe=partial(architectures.huggingface_config, nested_theta=False),
    write=_single,
    required=_HF_REQUIRED,
    derived=_HF_DERIVED,
    family="model_type",
)
CONTAINERS: Final = (APR, FOLDER, SINGLE_FILE)


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of reading an architecture: it, or the refusal."""

    architecture: Architecture | None
    error: InitInvalid | None

    @property
    def error_id(self) -> str:
        """The ID that the refusal carries, or `none`."""
        return "none" if self.error is None else self.error.id


def read(path: Path) -> Reading:
    """The architecture of the checkpoint at `path`, or the refusal as a value."""
    try:
        return Reading(read_architecture(open_checkpoint(path)), None)
    except InitInvalid as error:
        return Reading(None, error)


def stored_shapes() -> Iterator[tuple[Container, Shape]]:
    """Every kind of file with a tied Qwen2 and an untied Llama in it."""
    for container in CONTAINERS:
        yield container, Shape()
        yield container, Shape(family="llama", tie_word_embeddings=False)


def count_wrong(reading: Reading, shape: Shape) -> int:
    """The fields that were not read as stored; all of them after a refusal."""
    names = [field.name for field in fields(ModelConfig)]
    if reading.architecture is None:
        return len(names)
    config = reading.architecture.config
    return sum(getattr(config, name) != getattr(shape, name) for name in names)


def count_wrong_sources(reading: Reading, container: Container) -> int:
    """The fields whose recorded source is not the key that spells them; all after a refusal."""
    keys = {container.family: "family", **container.required, **container.derived}
    sources = {} if reading.architecture is None else reading.architecture.sources
    return sum(key not in sources.get(field, "") for key, field in keys.items())


def ways_to_lack(metadata: Mapping[str, Any], key: str) -> Iterator[dict[str, Any]]:
    """The same metadata without a key, and with null under it, at whatever depth it stands."""
    yield _without(metadata, key)
    yield _nulled(metadata, key)


def _without(metadata: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {
        name: _without(value, key) if isinstance(value, dict) else value
        for name, value in metadata.items()
        if name != key
    }


def _nulled(metadata: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {
        name: _nulled(value, key)
        if isinstance(value, dict)
        else (None if name == key else value)
        for name, value in metadata.items()
    }


def count_mismatched(source: Path, written: Path) -> int:
    """The tensors of `source` that `written` lacks or holds with other bytes."""
    wanted = open_checkpoint(source)
    if not written.exists():
        return len(wanted.tensors)
    found = open_checkpoint(written)
    return sum(
        name not in found.tensors or not found.read(name).equal(wanted.read(name))
        for name in wanted.tensors
    )
