"""`pv run`: measure falsifiers on the tree as it is, and make records of what was seen."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pv_harness.evidence.records import Verdict
from pv_harness.measuring.child import run_checks
from pv_harness.measuring.devices import visible_devices
from pv_harness.measuring.environment import count_gpus, find_devices
from pv_harness.measuring.guard import guarded_folder
from pv_harness.measuring.launch import Launch
from pv_harness.measuring.plan import blocked_by
from pv_harness.measuring.round import Round
from pv_harness.measuring.sharing import share_out
from pv_harness.measuring.workbench import NO_BYTECODE, check_timeouts, nodes_of


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pv_harness.contracts.contract import Falsifier
    from pv_harness.evidence.records import RunRecord
    from pv_harness.measuring.record import CheckRecord
    from pv_harness.measuring.sharing import Share
    from pv_harness.measuring.workbench import Workbench


@dataclass(frozen=True, slots=True)
class Attempts:
    """How often each falsifier is measured in one run.

    Attributes:
        repeat: measurements of each, whatever they say: a hunt for what is flaky.
        retries: further ones of those whose last was red or an error.
    """

    repeat: int = 1
    retries: int = 0


@dataclass(frozen=True, slots=True)
class Listener:
    """What to call while checks run.

    Attributes:
        attempt: a round of measuring begins: its number from 1, and what it will measure.
        record: one check has ended.
        running: the node IDs of the checks that run just now, told again and again.
        wants_results: asked as often, whether records are wanted of what is complete by now.
        results: takes records, each once: when they are wanted, when an attempt has ended, and
            when measuring is interrupted.
    """

    attempt: Callable[[int, Sequence[Falsifier]], None] = lambda _number, _falsifiers: None
    record: Callable[[CheckRecord], None] = lambda _: None
    running: Callable[[frozenset[str]], None] = lambda _: None
    wants_results: Callable[[], bool] = lambda: False
    results: Callable[[tuple[RunRecord, ...]], None] = lambda _: None


ONCE = Attempts()
DEAF = Listener()
_RETRIED = {Verdict.FAILED, Verdict.ERROR}


def measure_falsifiers(
    bench: Workbench,
    falsifiers: Sequence[Falsifier],
    root: Path,
    *,
    jobs: int = 1,
    attempts: Attempts = ONCE,
    listener: Listener = DEAF,
) -> tuple[RunRecord, ...]:
    """One record per attempt and falsifier that has checks, in the project or a copy of it.

    A falsifier that needs an absent device is recorded as blocked without running anything. If
    a source changed while checks ran, nobody knows what was measured: that is an error, never
    a pass.

    Raises:
        InfrastructureError: pytest can't be started, or there is no room for records.
    """
    pending = [f for f in falsifiers if bench.checks.get(f.id)]
    records: list[RunRecord] = []
    with guarded_folder("pv-run-") as folder:
        for number in range(1, attempts.repeat + attempts.retries + 1):
            listener.attempt(number, pending)
            attempt = Round(bench, pending, root, number)
            _measure_round(attempt, folder, jobs, listener)
            records += attempt.records
            if number >= attempts.repeat:
                red = {r.falsifier_id for r in attempt.records if r.verdict in _RETRIED}
                pending = [f for f in pending if f.id in red]
            if not pending:
                break
    return tuple(records)


def _measure_round(attempt: Round, folder: Path, jobs: int, listener: Listener) -> None:
    devices = find_devices()
    runnable = [f for f in attempt.falsifiers if blocked_by(f, devices) is None]
    gpus = visible_devices(os.environ, count_gpus())
    for share in share_out(runnable, jobs, gpus):
        # What a crash leaves behind in one share is no business of the next. The name is like
        # those in `pv prove`, and tells no check what it is measured for.
        record_dir = Path(tempfile.mkdtemp(prefix="records-", dir=folder))
        try:
            _measure_share(attempt, share, record_dir, listener)
        except BaseException:
            listener.results(attempt.settle(record_dir, for_good=True))
            raise
    listener.results(attempt.close())


def _measure_share(attempt: Round, share: Share, record_dir: Path, listener: Listener) -> None:
    bench, root = attempt.bench, attempt.root

    def on_record(record: CheckRecord) -> None:
        attempt.note(record)
        listener.record(record)

    def on_running(nodes: frozenset[str]) -> None:
        listener.running(nodes)
        if listener.wants_results():
            listener.results(attempt.settle(record_dir))

    launch = Launch(
        replace(bench.plan(root, record_dir), devices=share.devices),
        jobs=share.jobs,
        timeouts_s=check_timeouts(bench),
        environment={} if root == bench.project.root else NO_BYTECODE,
        on_running=on_running,
    )
    nodes = nodes_of(bench, share.falsifiers)
    attempt.take_in(run_checks(nodes, launch, on_record))
