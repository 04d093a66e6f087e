"""Which device a run uses: the grammar of `--device`, and no silent fallback."""

from __future__ import annotations

import ctypes
import logging
import re
from typing import TYPE_CHECKING, Final

from pv_trainer import error_ids
from pv_trainer.errors import DeviceUnavailable, UsageError


if TYPE_CHECKING:
    from collections.abc import Callable

LOG: Final = logging.getLogger("pv_trainer")

_GRAMMAR: Final = re.compile(r"cpu|cuda(:[0-9]|:1[0-5])?|auto")


def count_cuda_devices() -> int:
    """The CUDA devices that this process can compute on; 0 without a driver or a CUDA torch.

    The driver is asked first: a machine without one is told apart without importing torch.
    """
    if _driver_devices() == 0:
        return 0
    import torch  # noqa: PLC0415 - 1.5 s that a machine without a driver never pays

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def resolve_device(text: str, count: Callable[[], int] = count_cuda_devices) -> str:
    """The device that `--device TEXT` means: `cpu` or `cuda:N`.

    Only `auto` may fall back to the CPU, and it logs one warning when it does.

    Raises:
        UsageError: the text is outside the grammar `cpu|cuda[:0..15]|auto`.
        DeviceUnavailable: a CUDA device was asked for by name and is not there.
    """
    if _GRAMMAR.fullmatch(text) is None:
        raise UsageError(
            error_ids.DEVICE_GRAMMAR,
            f"--device {text!r} is none of cpu, cuda, cuda:0 to cuda:15, auto",
        )
    if text == "cpu":
        return "cpu"
    available = count()
    if text == "auto":
        return "cuda:0" if available else _fall_back()
    index = int(text.partition(":")[2] or 0)
    if index >= available:
        raise DeviceUnavailable(
            error_ids.DEVICE_UNAVAILABLE,
            f"--device {text}: this process sees {available} CUDA devices",
            "use --device cpu or --device auto to run without one",
        )
    return f"cuda:{index}"


def _fall_back() -> str:
    LOG.warning("--device auto: no CUDA device is visible, running on the CPU")
    return "cpu"


def _driver_devices() -> int:
    """What the CUDA driver counts, CUDA_VISIBLE_DEVICES respected; 0 if there is no driver."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    number = ctypes.c_int(0)
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(number)):
        return 0
    return number.value
