"""Running checks in child processes: a crash there is a verdict here, and so is a hang.

The exit code of pytest is never looked at: it is 0 when everything was skipped. What counts
is one record per planned check, joined by node ID. A check that started and left no record took
its process with it.
"""

from __future__ import annotations

import itertools
import os
import tempfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pv_harness.measuring.exit_status import describe_exit, forget_exit, read_exit
from pv_harness.measuring.launch import start_pytest
from pv_harness.measuring.record import (
    Outcome,
    never_started,
    read_collected,
    read_records,
    record_path,
)
from pv_harness.measuring.running_checks import read_starts
from pv_harness.measuring.watch import Watch


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from pv_harness.measuring.launch import Launch
    from pv_harness.measuring.record import CheckRecord

_OUTPUT_BYTES = 1 << 16


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

    def take_in(self, record: CheckRecord) -> None:
        """Keep a record; of two of one check the one that is not green."""
        known = self.records.setdefault(record.function, [])
        for number, other in enumerate(known):
            if other.node == record.node:
                if other.outcome is Outcome.PASSED:
                    known[number] = record
                return
        known.append(record)


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
        if launch.enough is not None and any(map(launch.enough, _all_records(measured))):
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
        watch = Watch(launch, on_record)
        cut = watch.until_it_ends(start_pytest(nodes, launch, output))
        size = output.seek(0, os.SEEK_END)
        output.seek(max(0, size - _OUTPUT_BYTES))
        measured.output = _tail(output.read().decode("utf-8", "replace"))
    measured.collected = read_collected(record_dir)
    starts = read_starts(record_dir)
    for record in read_records(record_dir):
        if record.node not in starts:
            raise never_started(record_dir, record.node)
        measured.take_in(record)
    finished = {r.node for records in measured.records.values() for r in records}
    # Those cut short did nothing wrong, and are given to another process.
    for node in sorted(starts.keys() - finished - cut.short):
        hung = node in cut.overdue
        reason = cut.overdue.get(node) or _tell_death(node, launch, cut.code, measured.output)
        measured.lost.setdefault(node.partition("[")[0], Lost(reason, timed_out=hung))
    return _count_known(measured) > known_before


def _tell_death(node: str, launch: Launch, code: int | None, output: str) -> str:
    """That the process of a check died, how where that is known, and what pytest printed."""
    if launch.jobs > 1:
        # The process that we started hands the checks to others, and outlives them.
        ended = read_exit(launch.plan.record_dir, node)
        code = ended if ended is not None or code is None or code >= 0 else code
    how = "" if code is None else f" ({describe_exit(code)})"
    return f"its process died{how}:\n{output}"


def _all_records(measured: Measured) -> Iterator[CheckRecord]:
    return itertools.chain.from_iterable(measured.records.values())


def _count_known(measured: Measured) -> int:
    return len(measured.lost) + sum(map(len, measured.records.values()))


def _forget_marks(record_dir: Path, functions: frozenset[str]) -> None:
    """Take away what an earlier process left of checks that are about to run again."""
    for node, mark in read_starts(record_dir).items():
        if node.partition("[")[0] in functions:
            mark.unlink()
            record_path(record_dir, node).unlink(missing_ok=True)
            forget_exit(record_dir, node)


def _tail(text: str, lines: int = 30) -> str:
    return "\n".join(text.strip().splitlines()[-lines:])
