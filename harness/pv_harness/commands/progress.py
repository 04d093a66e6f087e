"""What `pv run` and `pv prove` say while they work, on standard error.

On a terminal one line that is drawn anew, and a line that stays for whatever is not green.
Elsewhere a line for each result.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self, TextIO


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pv_harness.evidence.records import PatchRecord
    from pv_harness.measuring.record import CheckRecord
    from pv_harness.workflow.progress import Progress

_REDRAW_S = 0.2
_COLUMNS = 80
_ERASE = "\r\033[K"


@dataclass(slots=True)
class Phase:
    """How far a phase has come.

    Attributes:
        expected: how many seconds each result took at the last time, where that is known.
        done: the results that are there.
        running: what runs now, and since when, in seconds of the reporter's clock.
        took_s: how long the results that are there took, all together.
    """

    name: str = ""
    planned: int = 0
    started_s: float = 0.0
    jobs: int = 1
    expected: Mapping[str, float] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    not_green: int = 0
    running: dict[str, float] = field(default_factory=dict)
    took_s: float = 0.0

    def seconds_left(self, now_s: float) -> float | None:
        """About how long the rest will take; None where nothing is known to go by."""
        typical = [*self.expected.values()]
        mean = sum(typical) / len(typical) if typical else None
        if mean is None:
            mean = self.took_s / len(self.done) if self.done else None
        if mean is None:
            return None
        known = {name: s for name, s in self.expected.items() if name not in self.done}
        unknown = max(0, self.planned - len(self.done) - len(known))
        spent = sum(
            min(now_s - since_s, self.expected.get(name, mean))
            for name, since_s in self.running.items()
        )
        rest_s = sum(known.values()) + unknown * mean - spent
        return max(0.0, rest_s / max(1, min(self.jobs, self.planned)))


def render_line(phase: Phase, now_s: float, width: int) -> str:
    """The one line that says how far a phase has come, in at most `width` columns."""
    parts = [f"{phase.name} {len(phase.done)}/{phase.planned}"]
    if phase.not_green:
        parts.append(f"{phase.not_green} not green")
    left_s = phase.seconds_left(now_s)
    # What takes longer than at the last time is promised for no moment.
    left = f", about {_clock(left_s)} left" if left_s is not None and left_s >= 1 else ""
    parts.append(f"{_clock(now_s - phase.started_s)}{left}")
    if phase.running:
        names = ", ".join(_short(name) for name in sorted(phase.running))
        parts.append(f"running {names}")
    line = " · ".join(parts)
    return line if len(line) <= width else line[: width - 1] + "…"


class Reporter:
    """Says what happens while it happens; used in a `with` block, which ends the last line."""

    def __init__(
        self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._live = self._stream.isatty() and os.environ.get("TERM") != "dumb"
        self._phase = Phase()
        # Results come from several threads, and the line is drawn by one of its own.
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._ticker: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._ticker is not None:
            self._ticker.join()
            self._end_phase()

    def progress(self) -> Progress:
        """The callbacks of this reporter."""
        from pv_harness.workflow.progress import Progress

        return Progress(
            self.plan, self.check, self.patch, expect=self.expect, running=self.running
        )

    def expect(self, seconds: Mapping[str, float], jobs: int) -> None:
        """Know how long each result took at the last time, for the phase that begins next."""
        with self._lock:
            self._end_phase()
            self._phase = Phase(expected=dict(seconds), jobs=jobs)

    def plan(self, phase: str, count: int) -> None:
        """Begin a phase of `count` results."""
        with self._lock:
            if self._phase.name:
                self._end_phase()
            # What is expected of it, if anything, was said just before.
            begun = self._phase
            begun.name, begun.planned, begun.started_s = phase, count, self._clock()
        if not self._live:
            self._say(f"{phase}: {count}")
        elif self._ticker is None:
            self._ticker = threading.Thread(target=self._tick, daemon=True)
            self._ticker.start()

    def running(self, nodes: frozenset[str]) -> None:
        """These checks run now."""
        with self._lock:
            now_s, since = self._clock(), self._phase.running
            names = {node.partition("[")[0] for node in nodes}
            self._phase.running = {name: since.get(name, now_s) for name in names}

    def check(self, record: CheckRecord) -> None:
        """One check has ended."""
        # A check with several parameter sets ends several times and counts once.
        text = f"{record.falsifier_id} {record.outcome.value} {record.duration_s:.1f}s"
        self._count(
            record.function, text, record.duration_s, green=record.outcome.value == "passed"
        )

    def patch(self, record: PatchRecord) -> None:
        """One planted change has been tried."""
        name = f"{record.falsifier_id} {record.patch_id}"
        text = f"{name}: {record.outcome.value} {record.duration_s:.1f}s"
        self._count(name, text, record.duration_s, green=record.outcome.counts)

    def result(self, name: str, text: str, *, green: bool) -> None:
        """Anything else has ended: what, and how."""
        self._count(name, f"{name}: {text}", 0.0, green=green)

    def _count(self, name: str, text: str, took_s: float, *, green: bool) -> None:
        with self._lock:
            phase = self._phase
            phase.done.add(name)
            phase.not_green += not green
            phase.took_s += took_s
            if not self._live:
                self._say(f"[{len(phase.done)}/{phase.planned}] {text}")
            elif not green:
                self._say(f"{_ERASE}{text}")
                self._draw()

    def _tick(self) -> None:
        while not self._ended.wait(_REDRAW_S):
            with self._lock:
                self._draw()

    def _draw(self) -> None:
        if self._phase.name:
            line = render_line(self._phase, self._clock(), _columns(self._stream) - 1)
            self._write(f"{_ERASE}{line}")

    def _end_phase(self) -> None:
        phase = self._phase
        if self._live and phase.name:
            took = _clock(self._clock() - phase.started_s)
            self._say(f"{_ERASE}{phase.name}: {len(phase.done)} of {phase.planned} in {took}")
        self._phase = Phase()

    def _say(self, text: str) -> None:
        self._write(f"{text}\n")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def _clock(seconds: float) -> str:
    """A duration as people read it: 42s, 3m05s, 2h10m."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole // 60 % 60:02d}m"


def _short(node: str) -> str:
    name = node.rpartition("::")[2]
    return "".join(c if c.isprintable() else "?" for c in name)


def _columns(stream: TextIO) -> int:
    try:
        # A terminal that nobody has told its size says 0.
        return os.get_terminal_size(stream.fileno()).columns or _COLUMNS
    except (OSError, ValueError):
        return _COLUMNS
