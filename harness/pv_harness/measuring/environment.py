"""What a measurement was made on: versions and devices, found without importing the subject."""

from __future__ import annotations

import ctypes
import os
import platform
from importlib import metadata
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Mapping

_PACKAGES = ("torch", "numpy", "safetensors", "tokenizers")


def describe_environment() -> Mapping[str, str]:
    """The environment class of this machine, as strings: evidence stores it."""
    facts = {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpus": str(os.cpu_count() or 0),
        "devices": ", ".join(sorted(find_devices())),
    }
    for name in _PACKAGES:
        version = _package_version(name)
        if version is not None:
            facts[name] = version
    return facts


def find_devices() -> frozenset[str]:
    """`cpu`, and `cuda` if the driver is there and shows at least one device.

    The driver is asked, not torch: importing it costs more than a second.
    """
    return frozenset({"cpu", "cuda"} if count_gpus() > 0 else {"cpu"})


def count_gpus() -> int:
    """How many GPUs the driver shows to this process, `CUDA_VISIBLE_DEVICES` heeded."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") == "":
        return 0
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


def _package_version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
