"""Running checks in child processes: a crash there is a verdict here, and so is a hang.

The exit code of pytest is never looked at: it is 0 when everything was skipped. What counts
is one record per planned check, joined by node ID. A check that started and left no record took
its process with it.
"""

from __future__ import annotations

import contextlib
import math
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Protocol

from pv_harness.errors import InfrastructureError
from pv_harness.measuring.command import clean_environment, kill_group
from pv_harness.measuring.plan import PLAN_VARIABLE
from pv_harness.measuring.record import (
    read_collected,
    read_groups,
    read_record,
    read_records,
)


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pv_harness.measuring.plan import Plan
    from pv_harness.measuring.record import CheckRecord

_POLL_S = 0.05
_OUTPUT_BYTES = 1 << 16
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
    """

    plan: Plan
    jobs: int = 1
    timeouts_s: Mapping[str, float] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    starter: Starter = start_fresh
    enough: Callable[[CheckRecord], bool] = lambda _: False


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
    record_dir = launch.plan.record_dir
    before = set(record_dir.glob("start-*.json"))
    with tempfile.TemporaryFile() as output:
        process = _start(nodes, launch, output)
        timed_out = _watch(process, launch, before, on_record)
        size = output.seek(0, os.SEEK_END)
        output.seek(max(0, size - _OUTPUT_BYTES))
        measured.output = _tail(output.read().decode("utf-8", "replace"))
    measured.collected = read_collected(record_dir)
    for record in read_records(record_dir):
        known = measured.records.setdefault(record.function, [])
        if record.node not in {r.node for r in known}:
            known.append(record)
    started = {f.read_text(encoding="utf-8") for f in record_dir.glob("start-*.json")}
    finished = {r.node for records in measured.records.values() for r in records}
    for node in sorted(started - finished):
        function = node.partition("[")[0]
        hung = node in timed_out
        reason = timed_out.get(node) or f"its process died:\n{measured.output}"
        measured.lost.setdefault(function, Lost(reason, timed_out=hung))
    return set(record_dir.glob("start-*.json")) != before


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
    parallel = ["-n", str(launch.jobs), "--dist", "loadscope"] if launch.jobs > 1 else []
    args = [*_PYTEST_OPTIONS, "--rootdir", str(plan.root), *parallel, *nodes]
    return launch.starter(args, plan.root, environment, output)


_PYTEST_OPTIONS = (
    "-q",
    # pytest would rewrite the assertions of the subject too: what is measured is what is there.
    "--assert=plain",
    "-p",
    "no:cacheprovider",
    # It imports hypothesis for its summary, a second that no check needs.
    "-p",
    "no:hypothesispytest",
)


def _watch(
    process: RunningProcess,
    launch: Launch,
    earlier: set[Path],
    on_record: Callable[[CheckRecord], None],
) -> dict[str, str]:
    """Wait for pytest; kill it when a check overstays. Returns the checks that did.

    Marks of checks that an earlier process left behind are in `earlier`.
    """
    record_dir = launch.plan.record_dir
    reported = set(record_dir.glob("check-*.json"))
    started = time.monotonic()
    try:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_POLL_S)
            new = _report_new(record_dir, reported, on_record)
            if process.returncode is not None:
                return {}
            if any(launch.enough(record) for record in new):
                _kill(process, record_dir)
                return {}
            marks = set(record_dir.glob("start-*.json")) - earlier
            overdue = _overdue(marks, launch)
            if overdue or time.monotonic() - started > _patience(marks, launch):
                _kill(process, record_dir)
                return overdue
    except BaseException:
        _kill(process, record_dir)
        raise


def _kill(process: RunningProcess, record_dir: Path) -> None:
    kill_group(process.pid)
    process.wait()
    for group in read_groups(record_dir):
        kill_group(group)


def _report_new(
    record_dir: Path, reported: set[Path], on_record: Callable[[CheckRecord], None]
) -> list[CheckRecord]:
    files = sorted(set(record_dir.glob("check-*.json")) - reported)
    reported |= set(files)
    new = [read_record(file) for file in files]
    for record in new:
        on_record(record)
    return new


def _overdue(marks: set[Path], launch: Launch) -> dict[str, str]:
    now = time.time()
    overdue = {}
    for mark in marks:
        if mark.with_name(mark.name.replace("start-", "check-", 1)).exists():
            continue
        node = mark.read_text(encoding="utf-8")
        limit_s = launch.timeouts_s.get(node.partition("[")[0], 120.0)
        if now - mark.stat().st_mtime > limit_s + _GRACE_S:
            overdue[node] = f"did not end within {limit_s:g} s and was killed"
    return overdue


def _patience(marks: set[Path], launch: Launch) -> float:
    """Seconds that a process has to start its first check; once it has, checks are timed."""
    if marks:
        return math.inf
    return max(launch.timeouts_s.values(), default=120.0) + _GRACE_S


def _tail(text: str, lines: int = 30) -> str:
    return "\n".join(text.strip().splitlines()[-lines:])
