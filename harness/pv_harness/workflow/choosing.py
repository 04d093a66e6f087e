"""Which of the falsifiers that names mean a run is about: by ceiling, by state, by change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pv_harness.contracts.selection import with_ceiling
from pv_harness.deriving.status import StatusKind
from pv_harness.errors import UsageError
from pv_harness.workflow.changed import touched_by_change
from pv_harness.workflow.declared import rows_of


if TYPE_CHECKING:
    from collections.abc import Sequence

    from pv_harness.board.scoreboard import Row
    from pv_harness.contracts.contract import Falsifier, Level
    from pv_harness.workflow.declared import Declared

_FAILED = {StatusKind.FAILED, StatusKind.FLAKY, StatusKind.ERROR}


@dataclass(frozen=True, slots=True)
class Choice:
    """What narrows a selection; what is left at its default narrows nothing.

    Attributes:
        levels: claims whose ceiling is one of these.
        stale: claims that were measured once, on sources that have changed since.
        failed: claims that are refuted, flaky or an error. With `stale`, the two add up.
        changed: a git revision; claims that a change since then may concern.
    """

    levels: frozenset[Level] = frozenset()
    stale: bool = False
    failed: bool = False
    changed: str | None = None

    def __str__(self) -> str:
        states = [w for w, asked in (("stale", self.stale), ("failed", self.failed)) if asked]
        parts = [" or ".join(states)] if states else []
        if self.levels:
            names = " or ".join(sorted(level.value for level in self.levels))
            parts.append(f"has the ceiling {names}")
        if self.changed is not None:
            parts.append(f"is touched by a change since {self.changed}")
        text = " and ".join(parts)
        return f"is {text}" if states else text


def choose(
    declared: Declared, falsifiers: Sequence[Falsifier], choice: Choice
) -> tuple[Falsifier, ...]:
    """Those of the falsifiers that the choice is about, in their order.

    Raises:
        UsageError: there is none, since nothing judged is never a pass; or git can't say what
            has changed.
        EvidenceError: evidence is unreadable or altered.
    """
    chosen = with_ceiling(falsifiers, choice.levels)
    if choice.stale or choice.failed or choice.changed is not None:
        rows = rows_of(declared, chosen)
        wanted = {row.falsifier.id for row in _in_state(rows, choice)}
        if choice.changed is not None:
            wanted &= touched_by_change(declared, rows, choice.changed)
        chosen = tuple(f for f in chosen if f.id in wanted)
    if not chosen:
        of = (
            f"of {len(falsifiers)} falsifiers none {choice}"
            if falsifiers
            else "none is declared"
        )
        raise UsageError(f"nothing is selected: {of}")
    return chosen


def _in_state(rows: Sequence[Row], choice: Choice) -> list[Row]:
    if not choice.stale and not choice.failed:
        return list(rows)
    return [
        row
        for row in rows
        if (choice.stale and row.status.kind is StatusKind.STALE)
        or (choice.failed and row.status.kind in _FAILED)
    ]
