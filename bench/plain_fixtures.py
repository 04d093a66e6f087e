"""A pytest plugin with the fixtures of pv, and nothing behind them: no record, no judgement.

What the same checks cost by themselves. `inputs` are read from the JSON in PV_BENCH_INPUTS.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pv_harness.measuring.command import run_command


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pv_harness.measuring.command import CompletedCommand


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker, which means nothing here."""
    config.addinivalue_line("markers", "falsifies(id): a check of pv")


def _run(
    args: tuple[str | Path, ...], folder: Path, options: dict[str, Any]
) -> CompletedCommand:
    environment = {**os.environ, **options.pop("env", {})}
    options.setdefault("cwd", folder)
    options.setdefault("timeout_s", 600.0)
    return run_command([str(a) for a in args], environment=environment, **options)


@pytest.fixture
def measure() -> Callable[..., None]:
    """Take a number and forget it."""
    return lambda *_args, **_options: None


@pytest.fixture
def record_series() -> Callable[..., None]:
    """Take a curve and forget it."""
    return lambda *_args, **_options: None


@pytest.fixture
def cli(tmp_path: Path) -> Callable[..., CompletedCommand]:
    """Run a command, unrecorded."""
    return lambda *args, **options: _run(args, tmp_path, options)


@pytest.fixture(scope="session")
def shared_cli(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., CompletedCommand]:
    """Run a command for several checks, unrecorded."""
    return lambda *args, **options: _run(args, tmp_path_factory.mktemp("shared"), options)


@pytest.fixture(scope="session")
def inputs() -> Callable[[str], Mapping[str, Path]]:
    """The parts of an input that was prepared before."""
    known = json.loads(os.environ["PV_BENCH_INPUTS"])
    return lambda name: {part: Path(path) for part, path in known[name].items()}
