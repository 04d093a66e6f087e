"""What every kind of checkpoint offers, whichever file format it is in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from pv_trainer import error_ids
from pv_trainer.errors import InitInvalid
from pv_trainer.formats import apr_layout


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import torch

Kind = Literal["apr", "safetensors", "huggingface"]

TRAINABLE_DTYPES: Final = ("F32", "F16", "BF16")
"""What becomes float32 without changing a value."""

MOST_LINES: Final = 1000
"""As many as a large model has tensors."""

PICKLES: Final = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"})
PICKLE_REASON: Final = "a pickle can run code when it is loaded, so none ever is"
PICKLE_REMEDY: Final = "convert it to safetensors with the tool that wrote it"


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """The storage type, by its .apr name, and the shape of a tensor in a file."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def quantized(self) -> bool:
        """Whether values share a scale."""
        dtype = apr_layout.DTYPE_BY_NAME.get(self.dtype)
        return dtype is not None and dtype.quantized


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint whose header has been checked; tensors are read one at a time."""

    kind: Kind
    path: Path
    metadata: Mapping[str, Any]
    """As found, under the names of the file."""
    metadata_place: str
    """Where the metadata stood: `metadata`, `config.json` or `__metadata__`."""
    tensors: Mapping[str, TensorInfo]
    files: tuple[Path, ...]
    """Every file that the weights are read from."""
    warnings: tuple[str, ...]
    read_tensor: Callable[[str], torch.Tensor]
    stream_tensors: Callable[[int], Iterator[tuple[str, int, torch.Tensor]]]
    verify_bytes: Callable[[], None]

    def read(self, name: str) -> torch.Tensor:
        """The tensor on the CPU, in the dtype of the file.

        Raises:
            InitInvalid: INIT-004 its dtype is quantized or unknown; INIT-011 it cannot be read.
            KeyError: there is no such tensor.
        """
        info = self.tensors[name]
        refuse_dtype(self.path, name, info)
        return self.read_tensor(name)

    def stream(self, portions: int = 1) -> Iterator[tuple[str, int, torch.Tensor]]:
        """Yield every tensor in portions, each byte of the files read once.

        An .apr file has a checksum over all of itself, which is compared when the iteration
        ends: use nothing of what was yielded before. The other two kinds have none.

        Args:
            portions: how many of them last at a time.

        Yields:
            A name, the position of the first value, and the values: flat, on the CPU, in the
            dtype of the file, overwritten when `portions` more are asked for. Quantized blocks
            are uint8.

        Raises:
            InitInvalid: INIT-011 the bytes are not those that were written, or cannot be read.
        """
        return self.stream_tensors(portions)

    def verify(self) -> None:
        """Establish that the bytes are those that were written, where the format can tell.

        Imports no torch; what `stream` reads later is verified again, as it is read.

        Raises:
            InitInvalid: INIT-011 the checksum is wrong, or the file cannot be read.
        """
        self.verify_bytes()


def first_ones(lines: Sequence[str]) -> list[str]:
    """The lines of a message; of so many that nobody reads them, how many are left out."""
    more = len(lines) - MOST_LINES
    return [*lines[:MOST_LINES], f"and {more:,} more"] if more > 0 else list(lines)


def refuse_dtype(path: Path, name: str, info: TensorInfo) -> None:
    """Refuse a tensor that float32 cannot hold exactly.

    Raises:
        InitInvalid: INIT-004, naming the tensor and its dtype.
    """
    if info.dtype not in TRAINABLE_DTYPES:
        kind = "quantized, " if info.quantized else ""
        raise InitInvalid(
            error_ids.INIT_FORMAT,
            f"{path}: {name} is {info.dtype}: {kind}not for training; "
            f"{', '.join(TRAINABLE_DTYPES)} are",
        )
