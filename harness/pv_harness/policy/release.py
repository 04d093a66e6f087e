"""How far a release is: counted requirements, and steps of which one is next. Pure."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from enum import Enum
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

from pv_harness.deriving.status import StatusKind
from pv_harness.exit_code import ExitCode, combine
from pv_harness.policy.policy import Requirement


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pv_harness.board.scoreboard import Row
    from pv_harness.contracts.contract import Level


_ALIKE = 0.95
"""IDs of one family differ in a digit or two, so that only a near copy is a misspelt name."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step on the way to a release.

    Attributes:
        needs: IDs of the steps that have to be done before.
        falsifiers: IDs of falsifiers or contracts, or patterns; what shows that it is done.
        command: what to type to do it.
    """

    id: str
    title: str
    falsifiers: tuple[str, ...]
    command: str
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Release:
    """One release file without any problem; the prerequisites of its steps have no circle."""

    id: str
    version: str
    title: str
    path: str
    requires: tuple[Requirement, ...]
    steps: tuple[Step, ...]
    description: str = ""


class StepState(Enum):
    """Where a step stands."""

    DONE = "done"
    NEXT = "next"
    """The first that can be taken: all that it needs is done."""
    READY = "ready"
    """It could be taken too."""
    BLOCKED = "blocked"
    """Something that it needs is not done."""


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that a release asks for: a falsifier at a level, or what is not written yet.

    Attributes:
        name: the falsifier's ID; of what matches nothing, the pattern.
        row: None for what no contract declares.
        required: the level asked for; None if it is the ceiling of what is not written yet.
        near: the name that was probably meant, where one is alike.
    """

    name: str
    row: Row | None
    required: Level | None
    near: str = ""

    @property
    def met(self) -> bool:
        """True if the evidence shows the level that is asked for."""
        return self.code is ExitCode.SATISFIED

    @property
    def code(self) -> ExitCode:
        """What it alone makes `pv release` end with."""
        if self.row is None or self.required is None:
            return ExitCode.UNKNOWN
        status = self.row.status
        if status.kind is not StatusKind.LEVEL or status.level is None:
            # At BLOCKED nothing was judged, and a machine with the device may judge it.
            return status.kind.exit_code or ExitCode.UNKNOWN
        enough = status.level.rank >= self.required.rank
        return ExitCode.SATISFIED if enough else ExitCode.DENIED

    @property
    def why(self) -> str:
        """Why it is not met, in one text; empty if it is."""
        if self.met:
            return ""
        if self.row is None or self.required is None:
            meant = f"; did you mean {self.near}?" if self.near else ""
            return f"no contract declares it yet{meant}"
        status = self.row.status
        if status.kind is StatusKind.LEVEL:
            return _below(self.row, self.required)
        return f"{status.kind.value}, {status.why}" if status.why else str(status)

    @property
    def cure(self) -> str:
        """The one command, or edit, that would change that; empty if it is met."""
        if self.met:
            return ""
        if self.row is None:
            return f"write the claim {self.name} and its check"
        return self.row.status.cure


@dataclass(frozen=True, slots=True)
class StepStanding:
    """One step, where it stands, and what it waits for."""

    step: Step
    state: StepState
    open_steps: tuple[str, ...]
    needs: tuple[Need, ...]

    @property
    def open_needs(self) -> tuple[Need, ...]:
        """The falsifiers that do not show yet what is asked of them."""
        return tuple(need for need in self.needs if not need.met)


@dataclass(frozen=True, slots=True)
class ReleaseStanding:
    """How far a release is."""

    release: Release
    needs: tuple[Need, ...]
    steps: tuple[StepStanding, ...]

    @property
    def met(self) -> tuple[Need, ...]:
        """The requirements that are met: the numerator; `needs` is the denominator."""
        return tuple(need for need in self.needs if need.met)

    @property
    def missing(self) -> tuple[Need, ...]:
        """The requirements that no contract declares yet."""
        return tuple(need for need in self.needs if need.row is None)

    @property
    def percent(self) -> int:
        """Whole percent, rounded down, so that 100 means all of them."""
        return 100 * len(self.met) // len(self.needs) if self.needs else 0

    @property
    def next_step(self) -> StepStanding | None:
        """The step to take; None when all are done."""
        return next((s for s in self.steps if s.state is StepState.NEXT), None)

    @property
    def exit_code(self) -> ExitCode:
        """0 only if every requirement is met and every step is done."""
        steps = (need.code for standing in self.steps for need in standing.needs)
        return combine([*(need.code for need in self.needs), *steps])


def assess_release(release: Release, rows: Sequence[Row]) -> ReleaseStanding:
    """How far the release is on this board, as the evidence has it: nothing waived."""
    counted = [row for row in rows if row.falsifier.counted]
    needs = _required(release.requires, counted)
    levels = {need.name: need.required for need in needs}
    return ReleaseStanding(release, needs, _stand(release.steps, counted, levels))


def _required(requires: Iterable[Requirement], rows: Sequence[Row]) -> tuple[Need, ...]:
    """Each falsifier once, at the strictest level; each entry that matches none once."""
    found: dict[str, Need] = {}
    for requirement in requires:
        matching = [row for row in rows if requirement.matches(row)]
        if not matching:
            found.setdefault(
                requirement.pattern, _missing(requirement.pattern, requirement.level, rows)
            )
        for row in matching:
            level, name = requirement.level_for(row.falsifier), row.falsifier.id
            known = found.get(name)
            if known is None or known.required is None or level.rank > known.required.rank:
                found[name] = Need(name, row, level)
    return tuple(found.values())


def _missing(pattern: str, level: Level | None, rows: Sequence[Row]) -> Need:
    known = {name for row in rows for name in (row.falsifier.id, row.contract.id)}
    near = difflib.get_close_matches(pattern, sorted(known), n=1, cutoff=_ALIKE)
    return Need(pattern, None, level, near[0] if near else "")


def _stand(
    steps: Sequence[Step], rows: Sequence[Row], levels: Mapping[str, Level | None]
) -> tuple[StepStanding, ...]:
    """Where each step stands, in the order of the file."""
    needs = {step.id: _needs_of(step, rows, levels) for step in steps}
    done = _done_steps(steps, needs)
    standings: list[StepStanding] = []
    taken = False
    for step in steps:
        open_steps = tuple(name for name in step.needs if name not in done)
        if step.id in done:
            state = StepState.DONE
        elif open_steps:
            state = StepState.BLOCKED
        else:
            state = StepState.READY if taken else StepState.NEXT
            taken = True
        standings.append(StepStanding(step, state, open_steps, needs[step.id]))
    return tuple(standings)


def _done_steps(steps: Sequence[Step], needs: Mapping[str, Sequence[Need]]) -> set[str]:
    done: set[str] = set()
    # Prerequisites may stand below what needs them.
    by_id = {step.id: step for step in steps}
    for name in TopologicalSorter({step.id: step.needs for step in steps}).static_order():
        if done.issuperset(by_id[name].needs) and all(need.met for need in needs[name]):
            done.add(name)
    return done


def _needs_of(
    step: Step, rows: Sequence[Row], levels: Mapping[str, Level | None]
) -> tuple[Need, ...]:
    found: dict[str, Need] = {}
    for pattern in step.falsifiers:
        matching = [row for row in rows if Requirement(pattern).matches(row)]
        if not matching:
            found.setdefault(pattern, _missing(pattern, levels.get(pattern), rows))
        for row in matching:
            name = row.falsifier.id
            level = levels.get(name) or row.falsifier.ceiling
            found.setdefault(name, Need(name, row, level))
    return tuple(found.values())


def _below(row: Row, required: Level) -> str:
    level, ceiling = row.status.level, row.falsifier.ceiling
    assert level is not None
    text = f"{level.value} is below {required.value}"
    if level is ceiling:
        return f"{text}: its ceiling is {ceiling.value}"
    return f"{text}: {row.status.why}"
