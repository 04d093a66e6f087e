"""metrics.jsonl: one line per update, every number in it measured or derived from one."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final


if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

    import torch

METRIC_SOURCES: Final[Mapping[str, str]] = {
    "step": "derived: updates so far, this one included",
    "train_loss": "measured: mean next-token loss of the batch before the update, nats",
    "grad_norm": "measured: global L2 norm before clipping",
    "lr": "derived: the rate that this update used",
    "tokens_per_sec": "measured: targets of the step over its wall time",
    "tokens_seen": "derived: targets of all steps so far",
    "batch_digest": "measured: sha256 over the tokens of the batch",
    "gpu_util_pct": "measured: by the driver over its last sample period; cuda only",
    "device_util": "why gpu_util_pct is absent",
}


@dataclass(frozen=True, slots=True)
class StepMetrics:
    """What one update was and did."""

    step: int
    train_loss: float
    grad_norm: float
    lr: float
    tokens_per_sec: float
    tokens_seen: int
    batch_digest: str


class MetricsLog:
    """Writes one JSON object per line, each out of the process before the next step starts."""

    def __init__(self, file: TextIO, device: torch.device) -> None:
        self._file = file
        self._device = device

    def write(self, metrics: StepMetrics) -> None:
        """Append the line of one update."""
        line = asdict(metrics) | device_utilisation(self._device)
        self._file.write(json.dumps(line, allow_nan=False) + "\n")
        self._file.flush()

    def sync(self) -> None:
        """Let the lines so far survive a loss of power, as the checkpoint beside them does."""
        os.fsync(self._file.fileno())


def device_utilisation(device: torch.device) -> dict[str, Any]:
    """`gpu_util_pct` as the driver measured it, or `device_util` with why it is absent."""
    if device.type != "cuda":
        return {"device_util": f"{device.type}: not measured"}
    import torch  # noqa: PLC0415 - only a run on CUDA gets here

    try:
        return {"gpu_util_pct": torch.cuda.utilization(device)}
    except (ImportError, RuntimeError) as error:
        return {"device_util": f"cuda: not measured: {type(error).__name__}: {error}"}
