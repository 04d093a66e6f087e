"""What `apr pretrain` is asked to do: each option with its type, its limits and its default.

The command line takes its limits, choices and defaults from here, and so does the reading of
a run.json.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Final,
    Literal,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from pv_trainer.training.regimes import Mode  # noqa: TC001 - option_kinds looks it up


if TYPE_CHECKING:
    from collections.abc import Mapping


DTypeName = Literal["float32", "bfloat16"]
DEFAULT_CONFIG: Final = "tiny-qwen2"


def default_dtype(device: str) -> DTypeName:
    """The compute dtype on a device for which none was named."""
    return "float32" if device == "cpu" else "bfloat16"


@dataclass(frozen=True, slots=True)
class Limits:
    """The numbers from `least` to `most`, both included."""

    least: float
    most: float

    def __contains__(self, value: float) -> bool:
        """Whether a number is within them; NaN never is."""
        return self.least <= value <= self.most


_LARGEST: Final = 2**63 - 1
Count = Annotated[int, Limits(0, _LARGEST)]
Positive = Annotated[int, Limits(1, _LARGEST)]
Rate = Annotated[float, Limits(1e-7, 1.0)]
Nats = Annotated[float, Limits(-sys.float_info.max, sys.float_info.max)]


@dataclass(frozen=True, slots=True)
class PretrainOptions:
    """What `apr pretrain` was asked to do; the defaults are those of the command line."""

    dataset: Path | None = None
    """None for the embedded corpus."""
    val_shard: Path | None = None
    tokenizer: Path | None = None
    init: Path | None = None
    config: str | None = None
    mode: Mode | None = None
    lr: Rate | None = None
    warmup_steps: Count | None = None
    target_val_loss: Nats | None = None
    num_steps: Count = 1000
    batch_size: Positive = 16
    seq_length: Positive = 1024
    steps_per_epoch: Positive = 100
    grad_accum: Positive = 1
    seed: Count = 42
    device: str = "auto"
    dtype: DTypeName | None = None
    val_tokens: Positive = 8192
    cycle: bool = False
    compile: bool = False
    keep: Positive | None = None
    """The epochs whose checkpoints are kept beside the best one's; None for all."""
    horizon: Count | None = None
    """Where the cosine ends, if not at `num_steps`; no flag sets it."""
    cache: Path = Path(".cache")
    """Where the embedded corpus is, or is built when it is wanted."""

    def end_of_epoch(self, epoch: int) -> int:
        """The updates after which an epoch ends, counted from 0."""
        return min((epoch + 1) * self.steps_per_epoch, self.num_steps)


@dataclass(frozen=True, slots=True)
class Kind:
    """What an option may be, apart from None where `optional`."""

    base: type
    optional: bool
    choices: tuple[str, ...] = ()
    limits: Limits | None = None

    def check(self, value: Any) -> Any:
        """The value as the option holds it, of one that JSON can spell.

        Raises:
            ValueError: it is of another type, or outside its limits.
        """
        if value is None and self.optional:
            return None
        spelled: Any = {Path: str, float: (int, float)}.get(self.base, self.base)
        if not isinstance(value, spelled) or isinstance(value, bool) != (self.base is bool):
            raise ValueError(f"{value!r} is no {self.base.__name__}")
        outside = self.limits is not None and value not in self.limits
        if outside or (self.choices and value not in self.choices) or "\0" in str(value):
            raise ValueError(f"{value!r} is outside its limits")
        return self.base(value)


@cache
def option_kinds() -> Mapping[str, Kind]:
    """What each option may be, by name."""
    hints = get_type_hints(PretrainOptions, include_extras=True)
    return {name: _kind(hint) for name, hint in hints.items()}


def parse_options(values: Mapping[str, Any]) -> PretrainOptions:
    """The options of these values, each checked; one that is missing has its default.

    Raises:
        ValueError: a value is of another type than its option, or outside its limits.
    """
    checked = {}
    for name, kind in option_kinds().items():
        if name in values:
            try:
                checked[name] = kind.check(values[name])
            except ValueError as error:
                raise ValueError(f"options.{name}: {error}") from error
    return PretrainOptions(**checked)


def _kind(hint: Any) -> Kind:
    optional = get_origin(hint) in {Union, UnionType}
    if optional:
        (hint,) = (part for part in get_args(hint) if part is not NoneType)
    if get_origin(hint) is Annotated:
        base, limits = get_args(hint)
        return Kind(base, optional, limits=limits)
    if get_origin(hint) is Literal:
        return Kind(str, optional, choices=get_args(hint))
    return Kind(hint, optional)
