"""Whole commands timed in turn, ours and the peers', in one go: medians and ratios.

One warm-up each, then rounds in which every command runs once, so that a noisy minute of the
machine falls on all of them alike. Start-up is part of the time.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Contender:
    """One command of a comparison.

    Attributes:
        prepare: called before every round, outside the measured time.
        codes: the exit codes that mean the command did its work.
    """

    name: str
    args: Sequence[str]
    cwd: Path | None = None
    environment: dict[str, str] | None = None
    prepare: Callable[[], None] = lambda: None
    codes: frozenset[int] = frozenset({0})


def time_in_turn(contenders: Sequence[Contender], rounds: int) -> dict[str, list[float]]:
    """Contender's name -> wall seconds of each round.

    Raises:
        RuntimeError: a command ended with an exit code that is none of its own.
    """
    times: dict[str, list[float]] = {c.name: [] for c in contenders}
    for number in range(rounds + 1):
        for contender in contenders:
            seconds = _time_once(contender)
            if number:  # the first round warms caches
                times[contender.name].append(seconds)
    return times


def render_table(times: dict[str, list[float]], *, ours: str) -> str:
    """A Markdown table: median, smallest and largest wall time, and the ratio to ours."""
    own = statistics.median(times[ours])
    lines = ["| command | median ms | min | max | / ours |", "|---|---|---|---|---|"]
    for name, seconds in times.items():
        low, middle, high = min(seconds), statistics.median(seconds), max(seconds)
        cells = [f"{1000 * value:.0f}" for value in (middle, low, high)]
        lines.append(f"| {name} | {' | '.join(cells)} | {middle / own:.2f} |")
    return "\n".join(lines)


def describe_machine() -> str:
    """The processor, its cores and the Python, for the line above a table."""
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as stream:  # noqa: PTH123 - one line of it
            names = [line.partition(":")[2].strip() for line in stream if "model name" in line]
        model = names[0] if names else model
    except OSError:
        pass
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"


def _time_once(contender: Contender) -> float:
    contender.prepare()
    # What is installed has its byte code: where Python may not keep any, each start compiles.
    own = {"PYTHONDONTWRITEBYTECODE": "", **(contender.environment or {})}
    environment = {**os.environ, **own}
    started = time.perf_counter()
    done = subprocess.run(
        contender.args, cwd=contender.cwd, env=environment, capture_output=True, check=False
    )
    seconds = time.perf_counter() - started
    if done.returncode not in contender.codes:
        text = done.stderr.decode("utf-8", "replace")[-2000:]
        raise RuntimeError(f"{contender.name}: ended with {done.returncode}\n{text}")
    return seconds
