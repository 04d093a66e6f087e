"""What `apr pretrain` is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal


if TYPE_CHECKING:
    from pv_trainer.training.regimes import Mode


DTypeName = Literal["float32", "bfloat16"]
DEFAULT_CONFIG: Final = "tiny-qwen2"


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
    lr: float | None = None
    warmup_steps: int | None = None
    target_val_loss: float | None = None
    num_steps: int = 1000
    batch_size: int = 16
    seq_length: int = 1024
    steps_per_epoch: int = 100
    grad_accum: int = 1
    seed: int = 42
    device: str = "auto"
    dtype: DTypeName | None = None
    val_tokens: int = 8192
    cycle: bool = False
    compile: bool = False
    keep: int | None = None
    """The epochs whose checkpoints are kept beside the best one's; None for all."""
    horizon: int | None = None
    """Where the cosine ends, if not at `num_steps`; no flag sets it."""
    cache: Path = Path(".cache")
    """Where the embedded corpus is, or is built when it is wanted."""
