"""Looking after a process that runs checks: what it records is told, and a hang is ended."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from typing import TYPE_CHECKING, NamedTuple

from pv_harness.measuring.command import kill_group
from pv_harness.measuring.record import read_record, record_path, write_record
from pv_harness.measuring.running_checks import (
    group_path,
    read_groups,
    read_node,
    read_shown,
    still_runs,
)


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pv_harness.measuring.launch import Launch, RunningProcess
    from pv_harness.measuring.record import CheckRecord

_POLL_S = 0.05
_TIMEOUT_S = 120.0
_GRACE_S = 30.0
"""Time beyond a check's own limit for what pytest does around it."""


class Cut(NamedTuple):
    """The checks that a process was killed in the midst of.

    Attributes:
        overdue: those that overstayed -> what is said of them.
        short: those that were only running beside them.
        code: the exit code of a process that ended by itself; None if it was killed by us, or
            if nobody knows.
    """

    overdue: dict[str, str]
    short: frozenset[str]
    code: int | None = None


class Watch:
    """Looks after one process of pytest: reports what it records, kills it when it hangs."""

    def __init__(self, launch: Launch, on_record: Callable[[CheckRecord], None]) -> None:
        self._launch = launch
        self._record_dir = launch.plan.record_dir
        self._on_record = on_record
        # What an earlier process of this run has left behind is no news.
        self._reported = self._names()
        self._running: dict[str, Path] = {}
        self._seen = 0
        self._last_news_s = time.monotonic()
        self._cut_short: CheckRecord | None = None

    def until_it_ends(self, process: RunningProcess) -> Cut:
        """Wait for the end of the process, or bring it about."""
        try:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_POLL_S)
                new = self._look()
                if process.returncode is not None:
                    # Of a fork whose template has died the exit code is made up.
                    is_known = not getattr(process, "lost", False)
                    return Cut({}, frozenset(), process.returncode if is_known else None)
                cut = self._reason_to_end(new)
                if cut is not None:
                    self._kill(process)
                    return cut
        except BaseException:
            self._kill(process)
            raise
        finally:
            group_path(self._record_dir, process.pid).unlink(missing_ok=True)

    def _reason_to_end(self, new: Sequence[CheckRecord]) -> Cut | None:
        unfinished = self._running
        if self._has_shown_enough(new):
            return Cut({}, frozenset(unfinished))
        overdue = self._overdue(unfinished)
        if overdue or self._is_idle(unfinished, new):
            short = {n for n, mark in unfinished.items() if still_runs(mark)} - overdue.keys()
            return Cut(overdue, frozenset(short))
        return None

    def _has_shown_enough(self, new: Sequence[CheckRecord]) -> bool:
        enough = self._launch.enough
        if enough is None:
            return False
        if any(map(enough, new)):
            return True
        shown = (read_shown(self._record_dir, node) for node in self._running)
        self._cut_short = next((r for r in shown if r is not None and enough(r)), None)
        return self._cut_short is not None

    def _overdue(self, unfinished: Mapping[str, Path]) -> dict[str, str]:
        now = time.time()
        overdue = {}
        for node, mark in unfinished.items():
            limit_s = self._launch.timeouts_s.get(node.partition("[")[0], _TIMEOUT_S)
            # A mark that nobody holds is of a worker that died; xdist goes on without it.
            if now - mark.stat().st_mtime > limit_s + _GRACE_S and still_runs(mark):
                overdue[node] = f"did not end within {limit_s:g} s and was killed"
        return overdue

    def _is_idle(self, unfinished: Mapping[str, Path], new: Sequence[CheckRecord]) -> bool:
        """True if no check runs, and none has begun or ended for longer than one may take."""
        running = any(still_runs(mark) for mark in unfinished.values())
        if running or new or len(unfinished) != self._seen:
            self._seen = len(unfinished)
            self._last_news_s = time.monotonic()
        patience_s = max(self._launch.timeouts_s.values(), default=_TIMEOUT_S) + _GRACE_S
        return time.monotonic() - self._last_news_s > patience_s

    def _kill(self, process: RunningProcess) -> None:
        kill_group(process.pid)
        process.wait()
        for group in read_groups(self._record_dir):
            kill_group(group)
        shown = self._cut_short
        # Killed before it could write one itself: what it had measured is its record.
        if shown is not None and not record_path(self._record_dir, shown.node).exists():
            write_record(self._record_dir, shown)

    def _names(self) -> set[str]:
        with os.scandir(self._record_dir) as entries:
            return {entry.name for entry in entries}

    def _look(self) -> list[CheckRecord]:
        """Take in which checks have started and ended since the last look."""
        names = self._names() - self._reported
        new = []
        for name in sorted(names):  # a check's own record comes before the mark of its start
            kind, _, rest = name.partition("-")
            if not rest.endswith(".json") or kind not in {"check", "start"}:
                continue
            self._reported.add(name)
            if kind == "check":
                new.append(read_record(self._record_dir / name))
            else:
                mark = self._record_dir / name
                self._running[read_node(mark)] = mark
        for record in new:
            self._on_record(record)
        for node in [n for n, mark in self._running.items() if _has_ended(mark)]:
            del self._running[node]
        self._launch.on_running(frozenset(self._running))
        return new


def _has_ended(mark: Path) -> bool:
    return mark.with_name(mark.name.replace("start-", "check-", 1)).exists()
