"""What `apr bench` measures: the updates of a shape beside the ceiling of the machine."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from pv_trainer.checkpoints.init import fresh_model
from pv_trainer.model.config import SHAPES, parameter_count
from pv_trainer.model.flops import training_flops_per_token
from pv_trainer.speed.ceiling import SIZES, matmul_flops_per_s
from pv_trainer.speed.updates import UpdateTimes, time_updates
from pv_trainer.training.device import resolve_device
from pv_trainer.training.options import DEFAULT_CONFIG, default_dtype
from pv_trainer.training.preflight import check_budget
from pv_trainer.training.torch_modes import compile_trunk, deterministic, enough_memory
from pv_trainer.version import installed_version


if TYPE_CHECKING:
    from collections.abc import Callable

    from pv_trainer.training.options import PretrainOptions


@dataclass(frozen=True, slots=True)
class Benchmark:
    """How fast a shape trained, and how fast the machine multiplies matrices."""

    parameters: int
    flops_per_token: int
    device: str
    device_name: str
    dtype: str
    compiled: bool
    threads: int
    times: UpdateTimes
    matmul_size: int
    matmul_flops_per_s: float

    @property
    def flops_per_s(self) -> float:
        """What the model's arithmetic came to in the median update."""
        return self.flops_per_token * self.times.tokens_per_s

    @property
    def share_of_matmul(self) -> float:
        """`flops_per_s` as a share of what a matrix product reaches; 1 would be its speed."""
        return self.flops_per_s / self.matmul_flops_per_s

    def to_json(self) -> dict[str, Any]:
        """Everything measured and derived as plain JSON values, units in the names."""
        return {
            "version": installed_version(),
            "torch": torch.__version__,
            "parameters": self.parameters,
            "flops_per_token": self.flops_per_token,
            "device": self.device,
            "device_name": self.device_name,
            "dtype": self.dtype,
            "compile": self.compiled,
            "threads": self.threads,
            "tokens_per_update": self.times.tokens,
            "first_update_s": self.times.first_s,
            "update_s": list(self.times.each_s),
            "median_update_s": self.times.median_s,
            "tokens_per_s": self.times.tokens_per_s,
            "flops_per_s": self.flops_per_s,
            "matmul_size": self.matmul_size,
            "matmul_flops_per_s": self.matmul_flops_per_s,
            "share_of_matmul": self.share_of_matmul,
            "peak_memory_bytes": self.times.peak_memory_bytes,
        }


def run_benchmark(
    options: PretrainOptions, updates: int, report: Callable[[int], None] = lambda _: None
) -> Benchmark:
    """Train a shape from random weights on made-up tokens, as `options` say, and time it.

    Args:
        options: of these, shape, device, dtype, batch, seed and compilation are looked at.
        updates: how many are timed, after a first one.
        report: told after each update how many are done, the first included.

    Raises:
        UsageError: windows or parts that can't be.
        DeviceUnavailable: the device is not there, or its memory does not hold the run.
    """
    device = torch.device(resolve_device(options.device))
    config = SHAPES[options.config or DEFAULT_CONFIG]
    check_budget(options, config)
    name = options.dtype or default_dtype(device.type)
    dtype = getattr(torch, name)
    with deterministic(device.type), enough_memory(str(device)):
        weights = torch.Generator().manual_seed(options.seed)
        model = fresh_model(config, weights, device=device, dtype=dtype)
        if options.compile:
            compile_trunk(model)
        times = time_updates(model, options, updates, report=report)
    return Benchmark(
        parameters=parameter_count(config),
        flops_per_token=training_flops_per_token(config, options.seq_length),
        device=str(device),
        device_name=_device_name(device),
        dtype=name,
        compiled=options.compile,
        threads=torch.get_num_threads(),
        times=times,
        matmul_size=SIZES[device.type],
        matmul_flops_per_s=matmul_flops_per_s(device, dtype),
    )


def _device_name(device: torch.device) -> str:
    """The name of the GPU, or of the kind of processor."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return platform.processor() or platform.machine()
