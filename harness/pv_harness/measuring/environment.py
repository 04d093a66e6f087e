"""What a measurement was made on: versions and devices, found without importing the subject."""

from __future__ import annotations

import ctypes
import os
import platform
from importlib import metadata
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Mapping

_PACKAGES = ("torch", "numpy", "safetensors", "tokenizers")
# CUdevice_attribute of cuda.h: COMPUTE_CAPABILITY_MAJOR and _MINOR.
_CAPABILITY_ATTRIBUTES = (75, 76)
_NAME_BYTES = 256


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
    driver = _load_driver()
    return facts if driver is None else {**facts, **describe_gpus(driver)}


def find_devices() -> frozenset[str]:
    """`cpu`, and `cuda` if the driver is there and shows at least one device.

    The driver is asked, not torch: importing it costs more than a second.
    """
    return frozenset({"cpu", "cuda"} if count_gpus() > 0 else {"cpu"})


def count_gpus() -> int:
    """How many GPUs the driver shows to this process, `CUDA_VISIBLE_DEVICES` heeded."""
    driver = _load_driver()
    return 0 if driver is None else _count_devices(driver)


def describe_gpus(driver: Any) -> dict[str, str]:
    """What policies ask about the GPUs: `cuda`, `capability` and `gpu`; empty without a GPU.

    `cuda` is the newest CUDA version that the driver serves. Of GPUs that differ, `capability`
    and `gpu` list each kind once.

    Source: CUDA driver API, cuDriverGetVersion (1000 major + 10 minor), cuDeviceGetAttribute.
    """
    count = _count_devices(driver)
    version = ctypes.c_int(0)
    if count == 0 or driver.cuDriverGetVersion(ctypes.byref(version)) != 0:
        return {}
    capabilities = {_capability(driver, index) for index in range(count)}
    names = {_name(driver, index) for index in range(count)}
    return {
        "cuda": f"{version.value // 1000}.{version.value % 1000 // 10}",
        "capability": ", ".join(sorted(capabilities)),
        "gpu": ", ".join(sorted(names)),
    }


def _load_driver() -> Any:
    """The CUDA driver, or None where there is none or no GPU may be seen."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") == "":
        return None
    try:
        return ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None


def _count_devices(driver: Any) -> int:
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


def _capability(driver: Any, index: int) -> str:
    parts = []
    for attribute in _CAPABILITY_ATTRIBUTES:
        value = ctypes.c_int(0)
        driver.cuDeviceGetAttribute(ctypes.byref(value), attribute, index)
        parts.append(str(value.value))
    return ".".join(parts)


def _name(driver: Any, index: int) -> str:
    text = ctypes.create_string_buffer(_NAME_BYTES)
    driver.cuDeviceGetName(text, _NAME_BYTES, index)
    return text.value.decode("ascii", "replace")


def _package_version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
