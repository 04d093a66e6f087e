"""The types of pv's pytest fixtures, for the annotations of checks.

    if TYPE_CHECKING:
        from pv_harness.fixtures import Cli, Measure

    @pytest.mark.falsifies("FALSIFY-MY-001")
    def test_the_loss_falls(measure: Measure, cli: Cli) -> None: ...

The fixtures themselves are in `pv_harness.plugin`, which pytest loads by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from pv_harness.measuring.command import CommandTimeoutError, CompletedCommand
from pv_harness.measuring.session import Reached


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = [
    "Cli",
    "CommandTimeoutError",
    "CompletedCommand",
    "Inputs",
    "Measure",
    "Reached",
    "RecordSeries",
]


class Measure(Protocol):
    """The fixture `measure`."""

    def __call__(
        self, metric: str, value: Any, unit: str | None = None, samples: int | None = None
    ) -> None:
        """Report one value of a metric, which the contract judges when the check has ended.

        Args:
            metric: the name that the contract's bound has.
            value: a bool, a number or a string; a scalar of numpy or torch counts as one.
            unit: what the value is counted in.
            samples: how many things it was counted over.

        Raises:
            TypeError: the value is none of these.
        """


class RecordSeries(Protocol):
    """The fixture `record_series`."""

    def __call__(
        self,
        name: str,
        x: Iterable[Any],
        y: Iterable[Any],
        *,
        x_unit: str | None = None,
        unit: str | None = None,
    ) -> None:
        """Keep a curve for people to look at; it is never judged.

        Args:
            name: curves of one name are drawn in one plot.
            x: positions that rise, steps say.
            y: one value for each.
            x_unit: what positions are counted in.
            unit: what values are counted in.

        Raises:
            TypeError: a position or value is no number.
            ValueError: positions and values don't make a curve.
        """


class Cli(Protocol):
    """The fixtures `cli` and `shared_cli`."""

    def __call__(
        self,
        *args: object,
        cwd: Path = ...,
        stdin: str | None = None,
        env: Mapping[str, str] = ...,
        timeout_s: float = ...,
    ) -> CompletedCommand:
        """Run a command under the recorder and wait for it; its exit code is for the check.

        Args:
            args: the program and its words, as their `str`. `python` is the Python that runs
                the check.
            cwd: where it runs; a fresh folder by default.
            stdin: what it reads; nothing by default.
            env: variables on top of the check's own.
            timeout_s: how long it may take; the time limit of the falsifier by default.

        Raises:
            CommandTimeoutError: it did not end in time, and was killed.
            InfrastructureError: there is no such program.
        """


class Inputs(Protocol):
    """The fixture `inputs`."""

    def __call__(self, name: str) -> Mapping[str, Path]:
        """The parts of a declared input, by name, as paths.

        Raises:
            UsageError: the project declares no such input.
        """
