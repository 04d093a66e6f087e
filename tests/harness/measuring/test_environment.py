from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pv_harness.measuring.environment import count_gpus, describe_environment, describe_gpus


if TYPE_CHECKING:
    import pytest


@dataclass(frozen=True)
class Driver:
    """A CUDA driver by its C calls: GPUs as (name, major, minor)."""

    gpus: tuple[tuple[str, int, int], ...]
    status: int = 0

    def cuInit(self, _flags: int) -> int:  # noqa: N802 - the names of the driver
        return self.status

    def cuDeviceGetCount(self, count: Any) -> int:  # noqa: N802
        count._obj.value = len(self.gpus)
        return 0

    def cuDriverGetVersion(self, version: Any) -> int:  # noqa: N802
        version._obj.value = 12_080
        return 0

    def cuDeviceGetAttribute(self, value: Any, attribute: int, index: int) -> int:  # noqa: N802
        value._obj.value = self.gpus[index][attribute - 74]
        return 0

    def cuDeviceGetName(self, text: Any, _size: int, index: int) -> int:  # noqa: N802
        text.value = self.gpus[index][0].encode()
        return 0


H100 = ("NVIDIA H100 80GB HBM3", 9, 0)


def test_gpus_are_described_by_version_capability_and_name() -> None:
    assert describe_gpus(Driver((H100, H100))) == {
        "cuda": "12.8",
        "capability": "9.0",
        "gpu": "NVIDIA H100 80GB HBM3",
    }


def test_gpus_that_differ_are_listed_each_kind_once() -> None:
    facts = describe_gpus(Driver((H100, ("NVIDIA A100", 8, 0), H100)))
    assert facts["capability"] == "8.0, 9.0"
    assert facts["gpu"] == "NVIDIA A100, NVIDIA H100 80GB HBM3"


def test_without_a_gpu_or_a_working_driver_nothing_is_said() -> None:
    assert describe_gpus(Driver(())) == {}
    assert describe_gpus(Driver((H100,), status=100)) == {}


def test_hidden_gpus_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    facts = describe_environment()
    assert count_gpus() == 0
    assert facts["devices"] == "cpu"
    assert not {"cuda", "capability", "gpu"} & set(facts)
    assert {"python", "platform", "cpus"} <= set(facts)
