from __future__ import annotations

import logging
import subprocess
import sys

import pytest
from hypothesis import given, strategies as st

from pv_trainer.errors import DeviceUnavailable, UsageError
from pv_trainer.training.device import resolve_device


def test_cpu_needs_neither_driver_nor_torch() -> None:
    code = (
        "import sys; from pv_trainer.training.device import resolve_device; "
        "resolve_device('cpu'); resolve_device('auto'); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("text", "device"),
    [("cuda", "cuda:0"), ("cuda:0", "cuda:0"), ("cuda:9", "cuda:9"), ("cuda:15", "cuda:15")],
)
def test_a_named_device_that_is_there_is_used(text: str, device: str) -> None:
    assert resolve_device(text, count=lambda: 16) == device


@pytest.mark.parametrize(
    "text", ["cuda:16", "cuda:01", "cuda:-1", "cuda:", "CPU", "gpu", "", "cpu ", "auto\n"]
)
def test_a_device_outside_the_grammar_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match=r"\[GPUTRAIN-001\] --device "):
        resolve_device(text, count=lambda: 16)


@given(st.integers(0, 15), st.integers(0, 16))
def test_a_named_device_is_used_or_refused_but_never_replaced(
    index: int, available: int
) -> None:
    text = f"cuda:{index}"
    if index < available:
        assert resolve_device(text, count=lambda: available) == text
    else:
        with pytest.raises(DeviceUnavailable, match=rf"GPUTRAIN-002.*sees {available} CUDA"):
            resolve_device(text, count=lambda: available)


def test_auto_falls_back_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="pv_trainer"):
        assert resolve_device("auto", count=lambda: 0) == "cpu"
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_auto_takes_the_first_device_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    assert resolve_device("auto", count=lambda: 2) == "cuda:0"
    assert not caplog.records
