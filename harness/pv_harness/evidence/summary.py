"""What the store's own order and health need to know of a statement, without its records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pv_harness.evidence.finding import FindingKind
from pv_harness.wording import show


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pv_harness.evidence.statement import Removed, RunStatement

CLOCK_TOLERANCE_S = 300.0
"""How far the clocks of two machines may be apart, and one clock may be set back in a run."""


class Flaw(NamedTuple):
    """What is wrong in a statement, at whatever time it is looked at."""

    kind: FindingKind
    what: str


@dataclass(frozen=True, slots=True)
class StatementSummary:
    """A statement without its records. The attributes mean what they mean there.

    Attributes:
        flaws: what is wrong inside it.
    """

    digest: str
    started_s: float
    ended_s: float
    previous: tuple[str, ...]
    removed: tuple[Removed, ...]
    keyids: tuple[str, ...]
    signed_by: frozenset[str]
    flaws: tuple[Flaw, ...]


def summarize(statement: RunStatement) -> StatementSummary:
    """The summary of a stored statement."""
    return StatementSummary(
        statement.digest,
        statement.started_s,
        statement.ended_s,
        statement.previous,
        statement.removed,
        statement.keyids,
        statement.signed_by,
        tuple(_find_flaws(statement)),
    )


def _find_flaws(statement: RunStatement) -> Iterator[Flaw]:
    """What contradicts itself: plan and records, beginning and ends."""
    finished = [(r.falsifier_id, r.finished_s) for r in statement.runs]
    finished += [(p.falsifier_id, p.finished_s) for p in statement.patches]
    recorded, planned = {name for name, _ in finished}, set(statement.planned)
    if planned - recorded:
        what = f"no record of {_names(planned - recorded)}, which was planned"
        yield Flaw(FindingKind.INCOMPLETE, what)
    if recorded - planned:
        what = f"a record of {_names(recorded - planned)}, which was not planned"
        yield Flaw(FindingKind.INCOMPLETE, what)
    earliest_s = statement.started_s - CLOCK_TOLERANCE_S
    early = {name for name, at_s in finished if at_s < earliest_s}
    if early:
        what = f"records were finished before the run began: {_names(early)}"
        yield Flaw(FindingKind.CLOCK, what)


def _names(ids: Iterable[str]) -> str:
    first, *rest = sorted(ids)
    return show(first) + (f" and {len(rest)} more" if rest else "")
