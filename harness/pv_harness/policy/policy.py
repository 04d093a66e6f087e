"""What a gate asks for, as values: policies, and the waivers that excuse from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from pv_harness.deriving.status import StatusKind
from pv_harness.exit_code import ExitCode


if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from pv_harness.board.scoreboard import Row
    from pv_harness.contracts.contract import Falsifier, Level
    from pv_harness.deriving.status import Status

MAX_WAIVER_DAYS = 90


@dataclass(frozen=True, slots=True)
class Requirement:
    """A level for the falsifiers that a pattern names.

    Attributes:
        pattern: matches the ID of a falsifier, or that of its contract.
        level: None asks for the ceiling. A claim with a ceiling below the level can't meet it.
    """

    pattern: str
    level: Level | None = None

    def matches(self, row: Row) -> bool:
        """True if the pattern names the falsifier or its contract."""
        names = (row.falsifier.id, row.contract.id)
        return any(fnmatchcase(name, self.pattern) for name in names)

    def level_for(self, falsifier: Falsifier) -> Level:
        """The level that this falsifier is asked for."""
        return falsifier.ceiling if self.level is None else self.level


@dataclass(frozen=True, slots=True)
class Policy:
    """All conditions of one gate; every one that is given has to hold.

    Attributes:
        name: None for the gate that the options of the command line describe.
        max_age_s: the most seconds since the run that a level rests on; None asks nothing.
        potency: the fraction of planted defects that must have been killed, 1.0 for all.
        lanes: kinds of machine, `cpu` and `cuda`, on each of which there must be evidence.
        signers: evidence must be signed by one of these; none asks nothing.
        environment: fact -> pattern that the evidence's environment has to match.
        ratchet: a file, relative to the root, of falsifiers that may be below what is asked.
    """

    name: str | None
    require: tuple[Requirement, ...]
    stale_allowed: bool = False
    max_age_s: float | None = None
    potency: float = 1.0
    lanes: tuple[str, ...] = ()
    signers: tuple[str, ...] = ()
    blocked_left_out: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    ratchet: str | None = None
    description: str = ""

    def level_for(self, row: Row) -> Level | None:
        """The strictest level that any requirement asks of a row; None: it is not asked."""
        asked = [r.level_for(row.falsifier) for r in self.require if r.matches(row)]
        return max(asked, key=lambda level: level.rank, default=None)


@dataclass(frozen=True, slots=True)
class Waiver:
    """One falsifier, excused by somebody until a date.

    Attributes:
        expires: the last day on which it holds, in UTC.
        policies: the policies in which it holds; none means all of them.
        place: line and column in the policy file.
    """

    id: str
    falsifier_id: str
    reason: str
    owner: str
    issue: str
    created: date
    expires: date
    policies: tuple[str, ...] = ()
    place: tuple[int, int] = (1, 1)

    def holds(self, today: date) -> bool:
        """True from the first to the last day, both included."""
        return self.created <= today <= self.expires

    def is_for(self, policy: str | None) -> bool:
        """True if it holds in this policy; without a name, in the gate of the options."""
        return not self.policies or policy in self.policies


def is_waivable(status: Status) -> bool:
    """True for what a waiver may excuse: anything but a broken check, which says nothing."""
    return status.kind.exit_code is not ExitCode.INFRASTRUCTURE and (
        status.kind is not StatusKind.WAIVED
    )


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """A policy file without any problem; `path` is its name as messages print it."""

    path: str
    policies: Mapping[str, Policy]
    waivers: tuple[Waiver, ...] = ()
