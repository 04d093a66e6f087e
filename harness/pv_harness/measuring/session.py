"""The checks of one pytest process, one after another: what each measures, runs and reaches."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pv_harness.errors import InfrastructureError, UsageError
from pv_harness.judging.measurement import Measurement, judge, plain_value
from pv_harness.measuring.audit import AuditWatch, importing_module, project_folders
from pv_harness.measuring.bytecode import distrust_stale_bytecode
from pv_harness.measuring.command import clean_environment, run_command
from pv_harness.measuring.cuda_memory import peak_since, read_memory, reset_peak
from pv_harness.measuring.curves import make_series
from pv_harness.measuring.described import refuse_odd_facts, whole_number
from pv_harness.measuring.failed_command import describe_failed
from pv_harness.measuring.record import (
    CheckRecord,
    Outcome,
    node_key,
    read_children,
    write_record,
)
from pv_harness.measuring.recorder import (
    ChildNotes,
    Recorder,
    child_environment,
    imported_files,
)
from pv_harness.measuring.running_checks import Shown, StartMark, group_path


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pv_harness.evidence.records import Series
    from pv_harness.judging.measurement import Judgement
    from pv_harness.measuring.command import CompletedCommand
    from pv_harness.measuring.cuda_memory import Memory
    from pv_harness.measuring.plan import Plan, Target
    from pv_harness.measuring.record import ChildFacts

_HAND_OVER = "a fork has to hand its results to the check, and to end with os._exit"
_REASON_LINES = 40
_REASON_CHARS = 4_000


@dataclass(slots=True)
class CurrentCheck:
    """The check that is running now."""

    node: str
    falsifier_id: str
    target: Target | None
    fixtures: frozenset[str]
    started_s: float
    seed: int | None = None
    measurements: list[Measurement] = field(default_factory=list)
    series: list[Series] = field(default_factory=list)
    opened: set[str] = field(default_factory=set)
    inputs: set[str] = field(default_factory=set)
    reached_in_process: set[str] = field(default_factory=set)
    blocked: str | None = None
    outcome: Outcome = Outcome.PASSED
    reason: str = ""
    timed_out: bool = False
    phases: list[str] = field(default_factory=list)
    failed_command: CompletedCommand | None = None
    """The last command that did not end with 0: where the check fails, most often why."""

    def broken_bounds(self) -> tuple[Judgement, ...]:
        """The judgements of this check's measurements that do not hold."""
        bounds = self.target.bounds if self.target else ()
        # Of a rule over several seeds one check knows one value: nothing is judged here then.
        seeds = self.target.seeds if self.target else None
        judgements, _ = judge(bounds, self.measurements, seeds)
        return tuple(j for j in judgements if not j.holds)

    def note_phase(
        self, when: str, outcome: str, text: str, *, refuted: bool, timed_out: bool = False
    ) -> None:
        """Take in how set-up, call or teardown ended; the first that is not passed decides."""
        self.phases.append(when)
        if self.outcome is not Outcome.PASSED or outcome == "passed":
            return
        self.timed_out = timed_out
        command = describe_failed(self.failed_command) if self.failed_command else ""
        self.reason = "\n".join(
            part
            for part in (
                _first_lines(text, _REASON_CHARS - len(command), _REASON_LINES),
                _first_lines(command, _REASON_CHARS, _REASON_LINES),
            )
            if part
        )
        if outcome == "skipped":
            self.outcome = Outcome.BLOCKED if self.blocked else Outcome.SKIPPED
            self.reason = self.blocked or self.reason
        elif when == "call" and (refuted or self.broken_bounds()):
            self.outcome = Outcome.FAILED
        else:
            self.outcome = Outcome.ERROR


class CheckSession:
    """Hands out what the fixtures need, and writes one record per check."""

    def __init__(self, plan: Plan, clock: Callable[[], float]) -> None:
        self.plan = plan
        self.current: CurrentCheck | None = None
        self._clock = clock
        self._fixtures_in_setup: list[str] = []
        self._shared: set[str] = set()
        self._pid = os.getpid()
        self._opened_by_modules: set[tuple[str, str]] = set()
        self._executed: set[str] = set()
        self._folders = [f"{root}{os.sep}" for root in plan.source_roots]
        self._project = project_folders(plan.root, plan.source_roots)
        self._mark: StartMark | None = None
        self._shown: Shown | None = None
        self._cuda_before: Memory = ()
        self._cuda_of_fixtures: dict[str, int] = {}
        self._inputs_of_fixtures: dict[str, set[str]] = {}
        self._recorder = Recorder(plan.entries, plan.source_roots, self._note_reach)
        self._recorder.install()
        if plan.in_place:
            distrust_stale_bytecode([*plan.source_roots, plan.root])
        AuditWatch(plan.root, self._project, self._note_read, self._note_module).install()

    def begin(
        self, node: str, falsifier_id: str, fixtures: Sequence[str], seed: int | None = None
    ) -> None:
        """Start the record of one check, which runs with this seed if it asked for one."""
        target = self.plan.targets.get(falsifier_id)
        self.current = CurrentCheck(
            node, falsifier_id, target, frozenset(fixtures), self._clock(), seed
        )
        self._shown = Shown(self.plan.record_dir, node, falsifier_id)
        self._mark = StartMark(self.plan.record_dir, node)
        self._recorder.arm()
        reset_peak()
        self._cuda_before = read_memory()

    def end(self) -> None:
        """Write the record of the check that has ended."""
        check = self.current
        self.current = None
        if check is None:
            return
        if os.getpid() != self._pid:
            # Else there would be two pytests from here on, each with records of its own.
            self._note_lost(check, "went on as a second pytest")
            os._exit(1)
        children = [read_children(self.plan.record_dir, n) for n in self._nodes_of(check)]
        own_modules = {*imported_files(self._project), *self._executed}
        outcome, reason = _end_of(check, children)
        write_record(
            self.plan.record_dir,
            CheckRecord(
                node=check.node,
                falsifier_id=check.falsifier_id,
                outcome=outcome,
                measurements=tuple(check.measurements),
                broken=tuple(sorted({j.bound.metric for j in check.broken_bounds()})),
                reason=reason,
                timed_out=check.timed_out,
                series=tuple(check.series),
                reached=tuple(sorted({e for c in children for e in c.reached})),
                reached_in_process=tuple(sorted(check.reached_in_process)),
                modules=tuple(
                    sorted({*own_modules, *(m for c in children for m in c.modules)})
                ),
                opened=tuple(sorted(check.opened.union(*(c.opened for c in children)))),
                inputs=tuple(sorted(self._inputs_of(check))),
                opened_by_modules=tuple(sorted(self._opened_by_modules)),
                cuda_peak_bytes=max(
                    [self._own_cuda_peak(check), *(c.cuda_peak_bytes for c in children)]
                ),
                duration_s=self._clock() - check.started_s,
            ),
        )
        if self._mark is not None:
            self._mark.release()
            self._mark = None
        if self._shown is not None:
            self._shown.close()
            self._shown = None

    def measure(
        self,
        metric: str,
        value: Any,
        unit: str | None = None,
        samples: int | None = None,
    ) -> None:
        """Note one measurement of the current check.

        Raises:
            TypeError: the value is no bool, number or string, or metric, unit or samples are
                nothing that evidence could hold.
            UsageError: this is a process that the check has forked; the check is an error.
        """
        check = self._running()
        if os.getpid() != self._pid:
            self._note_lost(check, f"measured {metric!r}")
            raise UsageError(f"[{check.falsifier_id}] measure() in a fork: {_HAND_OVER}")
        count = whole_number("measure()", "samples", samples)
        refuse_odd_facts("measure()", metric, unit=unit)
        plain = plain_value(value)
        measurement = Measurement(metric, plain, unit, count, check.node, check.seed)
        check.measurements.append(measurement)
        if self._shown is not None:
            self._shown.add(measurement)

    def record_series(
        self,
        name: str,
        x: Iterable[Any],
        y: Iterable[Any],
        *,
        x_unit: str | None = None,
        unit: str | None = None,
    ) -> None:
        """Keep a curve of the current check for people to look at; it is never judged.

        Raises:
            TypeError: a position or value is no number, or the name or a unit is nothing that
                evidence could hold.
            ValueError: positions and values don't make a curve.
        """
        check = self._running()
        refuse_odd_facts("record_series()", name, x_unit=x_unit, unit=unit)
        curve = make_series(name, x, y, x_unit=x_unit, unit=unit, node=check.node)
        check.series.append(curve)

    def input_parts(self, name: str) -> Mapping[str, Path]:
        """The parts of a declared input.

        Raises:
            UsageError: no such input is prepared.
        """
        if name not in self.plan.inputs:
            known = ", ".join(sorted(self.plan.inputs)) or "none"
            raise UsageError(
                f"input {name!r} is not prepared (there is: {known}); declare it in the "
                "falsifier's `inputs` and in [tool.pv.inputs]"
            )
        for fixture in self._fixtures_in_setup:
            self._inputs_of_fixtures.setdefault(fixture, set()).add(name)
        if self.current is not None and not self._fixtures_in_setup:
            self.current.inputs.add(name)
        return self.plan.inputs[name]

    def run(self, args: Sequence[str], **options: Any) -> CompletedCommand:
        """Run a command for the current check."""
        check = self._running()
        done = self._run(check.node, args, **options)
        if done.returncode != 0:
            check.failed_command = done
        return done

    def run_shared(self, args: Sequence[str], **options: Any) -> CompletedCommand:
        """Run a command for the fixture that is being set up, and so for all its users."""
        if not self._fixtures_in_setup:
            raise UsageError("shared_cli runs commands for fixtures; a check itself uses cli")
        name = self._fixtures_in_setup[-1]
        self._shared.add(name)
        return self._run(_shared_node(name), args, **options)

    @contextlib.contextmanager
    def setting_up(self, fixture: str) -> Iterator[None]:
        """While a fixture is being set up, what is done is done for all its users."""
        self._fixtures_in_setup.append(fixture)
        before = read_memory()
        try:
            yield
        finally:
            self._cuda_of_fixtures[fixture] = peak_since(before)
            self._fixtures_in_setup.pop()

    def reached(self) -> frozenset[str]:
        """Entry points that the current check has reached so far, in any process."""
        check = self._running()
        children = [read_children(self.plan.record_dir, n) for n in self._nodes_of(check)]
        return frozenset(check.reached_in_process | {e for c in children for e in c.reached})

    def _run(self, node: str, args: Sequence[str], **options: Any) -> CompletedCommand:
        environment = {
            **clean_environment(),
            **child_environment(
                self.plan.record_dir,
                self.plan.entries,
                self.plan.source_roots,
                node,
                root=self.plan.root,
                in_place=self.plan.in_place,
            ),
            **options.pop("env", {}),
        }
        timeout_s = options.pop("timeout_s", self._timeout_s())
        groups: list[Path] = []

        def note_group(group: int) -> None:
            groups.append(group_path(self.plan.record_dir, group))
            groups[0].touch()

        try:
            return run_command(
                args,
                environment=environment,
                timeout_s=timeout_s,
                on_start=note_group,
                **options,
            )
        finally:
            for mark in groups:
                mark.unlink()

    def _timeout_s(self) -> float:
        target = self.current.target if self.current else None
        return target.timeout_s if target else 120.0

    def _own_cuda_peak(self, check: CurrentCheck) -> int:
        """The peak of a check and of its fixtures, also where another check set them up."""
        of_fixtures = (self._cuda_of_fixtures.get(name, 0) for name in check.fixtures)
        return max([peak_since(self._cuda_before), *of_fixtures])

    def _inputs_of(self, check: CurrentCheck) -> set[str]:
        asked = (self._inputs_of_fixtures.get(name, set()) for name in check.fixtures)
        return check.inputs.union(*asked)

    def _nodes_of(self, check: CurrentCheck) -> list[str]:
        shared = sorted(self._shared & check.fixtures)
        return [check.node, *(_shared_node(name) for name in shared)]

    def _running(self) -> CurrentCheck:
        if self.current is None:
            raise InfrastructureError("no check is running")
        return self.current

    def _note_reach(self, entry: str) -> None:
        if self.current is not None:
            self.current.reached_in_process.add(entry)

    def _note_read(self, file: str) -> None:
        module = importing_module(self._folders)
        if os.getpid() != self._pid:
            self._note_in_fork(ChildNotes.note_read, file)
        elif module is not None:
            self._opened_by_modules.add((module, file))
        elif self.current is not None:
            self.current.opened.add(file)

    def _note_module(self, file: str) -> None:
        if os.getpid() != self._pid:
            self._note_in_fork(ChildNotes.note_module, file)
        elif file.endswith(".py"):
            # Not all that is executed stays in sys.modules, or ever gets there.
            self._executed.add(file)

    def _note_lost(self, check: CurrentCheck, what: str) -> None:
        notes = ChildNotes(self.plan.record_dir, node_key(check.node))
        notes.note({"lost": f"a process that the check forked {what}"})

    def _note_in_fork(self, note: Callable[[ChildNotes, str], None], file: str) -> None:
        if self.current is not None:
            note(ChildNotes(self.plan.record_dir, node_key(self.current.node)), file)


class Reached:
    """Membership in what the running check has reached so far."""

    def __init__(self, session: CheckSession) -> None:
        self._session = session

    def __contains__(self, entry: object) -> bool:
        return entry in self._session.reached()

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._session.reached()))

    def __repr__(self) -> str:
        return f"Reached({', '.join(self)})"


def _end_of(check: CurrentCheck, children: Sequence[ChildFacts]) -> tuple[Outcome, str]:
    """How a check ended, and why: a refutation stands, and only what is whole is a pass."""
    if not {"setup", "teardown"} <= set(check.phases):
        return Outcome.ERROR, "the check was interrupted"
    damage = next((c.damage for c in children if c.damage), "")
    lost = next((c.lost for c in children if c.lost), "")
    if damage and check.outcome is not Outcome.FAILED:
        what = "a process that the check started has left a note that can't be read"
        return Outcome.ERROR, f"{what}, so that what it did is not known: {damage}"
    if lost and check.outcome is not Outcome.FAILED:
        return Outcome.ERROR, f"{lost}, which is lost; {_HAND_OVER}"
    return check.outcome, check.reason


def _first_lines(text: str, chars: int, lines: int) -> str:
    """As much of a text as a record holds; one that can't be encoded must not lose it."""
    encodable = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "\n".join(encodable[:chars].splitlines()[:lines])


def _shared_node(fixture: str) -> str:
    return f"fixture:{fixture}"
