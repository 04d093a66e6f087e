"""Running checks in child processes: a crash there is a verdict here, and so is a hang.

The exit code of pytest is never looked at: it is 0 when everything was skipped. What counts
is one record per planned check, joined by node ID. A check that started and left no record took
its process with it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, NamedTuple, Protocol

from pv_harness.errors import InfrastructureError
from pv_harness.measuring.command import clean_environment, kill_group
from pv_harness.measuring.devices import THREADS, available_cores, threads_per_worker
from pv_harness.measuring.plan import PLAN_VARIABLE
from pv_harness.measuring.record import (
    Outcome,
    group_path,
    read_collected,
    read_groups,
    read_node,
    read_record,
    read_records,
    read_starts,
    record_path,
    still_runs,
)


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pv_harness.measuring.plan import Plan
    from pv_harness.measuring.record import CheckRecord

_POLL_S = 0.05
_OUTPUT_BYTES = 1 << 16
_TIMEOUT_S = 120.0
_GRACE_S = 30.0
"""Time beyond a check's own limit for what pytest does around it."""


class RunningProcess(Protocol):
    """What is asked of a process that runs pytest: it leads a process group of its own."""

    pid: int
    returncode: int | None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end, or raise subprocess.TimeoutExpired."""
        ...


class Starter(Protocol):
    """A way to run `pytest.main(args)` in a process that knows nothing of the project yet."""

    def __call__(
        self, args: Sequence[str], cwd: Path, environment: Mapping[str, str], output: IO[bytes]
    ) -> RunningProcess:
        """Start it; everything that it prints goes to `output`."""
        ...


def start_fresh(
    args: Sequence[str], cwd: Path, environment: Mapping[str, str], output: IO[bytes]
) -> RunningProcess:
    """Run pytest in a new interpreter.

    Raises:
        InfrastructureError: it can't be started.
    """
    try:
        return subprocess.Popen(  # noqa: S603 - our own interpreter and planned node IDs
            [sys.executable, "-m", "pytest", *args],
            cwd=cwd,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise InfrastructureError(f"pytest can't be started: {error}") from error


@dataclass(frozen=True, slots=True)
class Lost:
    """A planned check that left no record, and what is known about why."""

    reason: str
    timed_out: bool = False


@dataclass(slots=True)
class Measured:
    """What a set of planned checks left behind.

    Attributes:
        records: planned node ID (without parameters) -> records of its parameter sets.
        lost: planned node ID -> why there is no record, or not all of them.
        output: the end of what pytest printed, for messages.
        collected: the node IDs, with parameters, that pytest found before leaving any out.
    """

    records: dict[str, list[CheckRecord]] = field(default_factory=dict)
    lost: dict[str, Lost] = field(default_factory=dict)
    output: str = ""
    collected: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start pytest for a plan.

    Attributes:
        plan: what is judged.
        jobs: processes that share the checks.
        timeouts_s: planned node ID -> seconds that one check may take.
        environment: variables beyond those of this process.
        starter: how the process is made.
        enough: a record after which nothing more is asked; the remaining checks are not run.
        on_running: told every few hundredths of a second which checks run just now.
    """

    plan: Plan
    jobs: int = 1
    timeouts_s: Mapping[str, float] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    starter: Starter = start_fresh
    enough: Callable[[CheckRecord], bool] = lambda _: False
    on_running: Callable[[frozenset[str]], None] = lambda _: None


def run_checks(
    nodes: Sequence[str],
    launch: Launch,
    on_record: Callable[[CheckRecord], None] = lambda _: None,
) -> Measured:
    """Measure every planned check, whatever happens to the processes that do it.

    A process that dies costs the check that it was running; the checks behind it are given to
    another. Checks that no process even starts are reported with what pytest printed.

    Raises:
        InfrastructureError: pytest can't be started at all.
    """
    measured = Measured()
    pending = list(dict.fromkeys(nodes))
    while pending:
        progress = _run_once(pending, launch, measured, on_record)
        if any(launch.enough(r) for records in measured.records.values() for r in records):
            break
        pending = _unsettled(pending, measured)
        if pending and not progress:
            _isolate_or_give_up(pending, launch, measured, on_record)
            break
    return measured


def _isolate_or_give_up(
    pending: list[str],
    launch: Launch,
    measured: Measured,
    on_record: Callable[[CheckRecord], None],
) -> None:
    # One file that can't be collected keeps pytest from running any: try file by file.
    by_file: dict[str, list[str]] = {}
    for node in pending:
        by_file.setdefault(node.partition("::")[0], []).append(node)
    for group in by_file.values():
        remaining = group
        while (
            remaining and len(by_file) > 1 and _run_once(remaining, launch, measured, on_record)
        ):
            remaining = _unsettled(remaining, measured)
        for node in _unsettled(group, measured):
            if node in measured.records:
                reason = "some of its parameter sets were collected and never run"
            else:
                reason = f"not collected, or not run, by pytest:\n{measured.output}"
            measured.lost[node] = Lost(reason)


def _unsettled(nodes: Sequence[str], measured: Measured) -> list[str]:
    """The planned checks of which something is missing: all, or some parameter sets."""
    recorded = {r.node for records in measured.records.values() for r in records}
    missing = {n.partition("[")[0] for n in measured.collected - recorded}
    return [
        n
        for n in nodes
        if n not in measured.lost and (n not in measured.records or n in missing)
    ]


def _run_once(
    nodes: Sequence[str],
    launch: Launch,
    measured: Measured,
    on_record: Callable[[CheckRecord], None],
) -> bool:
    """Run one process over these checks; True if more is known of any of them after it."""
    record_dir = launch.plan.record_dir
    known_before = _count_known(measured)
    _forget_marks(record_dir, frozenset(nodes))
    with tempfile.TemporaryFile() as output:
        watch = _Watch(launch, on_record)
        cut = watch.until_it_ends(_start(nodes, launch, output))
        size = output.seek(0, os.SEEK_END)
        output.seek(max(0, size - _OUTPUT_BYTES))
        measured.output = _tail(output.read().decode("utf-8", "replace"))
    measured.collected = read_collected(record_dir)
    for record in read_records(record_dir):
        _take_in(measured, record)
    finished = {r.node for records in measured.records.values() for r in records}
    # Those cut short did nothing wrong, and are given to another process.
    for node in sorted(read_starts(record_dir).keys() - finished - cut.short):
        hung = node in cut.overdue
        reason = cut.overdue.get(node) or f"its process died:\n{measured.output}"
        measured.lost.setdefault(node.partition("[")[0], Lost(reason, timed_out=hung))
    return _count_known(measured) > known_before


def _count_known(measured: Measured) -> int:
    return len(measured.lost) + sum(map(len, measured.records.values()))


def _forget_marks(record_dir: Path, functions: frozenset[str]) -> None:
    """Take away what an earlier process left of checks that are about to run again."""
    for node, mark in read_starts(record_dir).items():
        if node.partition("[")[0] in functions:
            mark.unlink()
            record_path(record_dir, node).unlink(missing_ok=True)


def _take_in(measured: Measured, record: CheckRecord) -> None:
    """Keep a record; of two of one check the one that is not green."""
    known = measured.records.setdefault(record.function, [])
    for number, other in enumerate(known):
        if other.node == record.node:
            if other.outcome is Outcome.PASSED:
                known[number] = record
            return
    known.append(record)


def _start(nodes: Sequence[str], launch: Launch, output: IO[bytes]) -> RunningProcess:
    plan = launch.plan
    plan_file = plan.record_dir / "plan.json"
    plan.write(plan_file)
    roots = os.pathsep.join(str(root) for root in plan.source_roots)
    inherited = os.environ.get("PYTHONPATH")
    environment = {
        **clean_environment(),
        "PYTHONPATH": os.pathsep.join([roots, inherited]) if inherited else roots,
        PLAN_VARIABLE: str(plan_file),
        **launch.environment,
    }
    parallel: list[str] = []
    if launch.jobs > 1:
        parallel = ["-p", "xdist", "-n", str(launch.jobs), "--dist", "loadscope"]
        threads = threads_per_worker(available_cores(), launch.jobs)
        environment.setdefault(THREADS, str(threads))
    args = [*_PYTEST_OPTIONS, "--rootdir", str(plan.root), *parallel, *nodes]
    process = launch.starter(args, plan.root, environment, output)
    # Whoever cleans up after us, should we be killed, finds the group by this.
    group_path(plan.record_dir, process.pid).touch()
    return process


_PYTEST_OPTIONS = (
    "-q",
    # This plugin, also where the environment tells pytest to load none by itself.
    "-p",
    "pv",
    # pytest would rewrite the assertions of the subject too: what is measured is what is there.
    "--assert=plain",
    "-p",
    "no:cacheprovider",
    # It imports hypothesis for its summary, a second that no check needs.
    "-p",
    "no:hypothesispytest",
)


class _Cut(NamedTuple):
    """The checks that a process was killed in the midst of.

    Attributes:
        overdue: those that overstayed -> what is said of them.
        short: those that were only running beside them.
    """

    overdue: dict[str, str]
    short: frozenset[str]


class _Watch:
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

    def until_it_ends(self, process: RunningProcess) -> _Cut:
        """Wait for the end of the process, or bring it about."""
        try:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_POLL_S)
                new = self._look()
                if process.returncode is not None:
                    return _Cut({}, frozenset())
                cut = self._reason_to_end(new)
                if cut is not None:
                    self._kill(process)
                    return cut
        except BaseException:
            self._kill(process)
            raise
        finally:
            group_path(self._record_dir, process.pid).unlink(missing_ok=True)

    def _reason_to_end(self, new: Sequence[CheckRecord]) -> _Cut | None:
        unfinished = self._running
        if any(self._launch.enough(record) for record in new):
            return _Cut({}, frozenset(unfinished))
        overdue = self._overdue(unfinished)
        if overdue or self._is_idle(unfinished, new):
            short = {n for n, mark in unfinished.items() if still_runs(mark)} - overdue.keys()
            return _Cut(overdue, frozenset(short))
        return None

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


def _tail(text: str, lines: int = 30) -> str:
    return "\n".join(text.strip().splitlines()[-lines:])
