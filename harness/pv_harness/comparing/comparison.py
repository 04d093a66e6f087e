"""Two scoreboards compared: what moved, what changed, and what the versions should be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pv_harness.comparing.change import Change, Difference, Effect, Part
from pv_harness.comparing.claims import compare_claims
from pv_harness.comparing.equations import compare_equations
from pv_harness.comparing.snapshot import read_snapshot
from pv_harness.comparing.standing import Course, Move, find_course, rank
from pv_harness.comparing.versions import VersionAdvice, advise


if TYPE_CHECKING:
    from collections.abc import Iterator

    from pv_harness.comparing.snapshot import Claim, Snapshot


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything in which two scoreboards differ, in the order of the new one.

    Attributes:
        moves: claims whose status is not what it was.
        changes: differences in what is claimed.
        versions: one piece of advice for each contract that changed and is on both sides.
        claims: how many claims the old and the new scoreboard have.
    """

    moves: tuple[Move, ...]
    changes: tuple[Change, ...]
    versions: tuple[VersionAdvice, ...]
    claims: tuple[int, int]

    @property
    def is_empty(self) -> bool:
        """True if nothing differs."""
        return not (self.moves or self.changes)

    @property
    def regressions(self) -> tuple[Move, ...]:
        """What held and holds no more, or is refuted now and was not."""
        return tuple(move for move in self.moves if move.is_regression)

    @property
    def removed(self) -> tuple[Change, ...]:
        """Falsifiers that are gone."""
        return self.changed(Effect.REMOVED)

    @property
    def added(self) -> tuple[Change, ...]:
        """Falsifiers that are new."""
        return self.changed(Effect.ADDED)

    @property
    def loosened(self) -> tuple[Change, ...]:
        """Parts of claims under which something passes that was refuted before."""
        return self.changed(Effect.LOOSENED, Effect.MOVED)

    @property
    def tightened(self) -> tuple[Change, ...]:
        """Parts of claims under which something is refuted that passed before."""
        return self.changed(Effect.TIGHTENED, Effect.MOVED)

    @property
    def versions_too_low(self) -> tuple[VersionAdvice, ...]:
        """Contracts whose version was not raised as far as their changes ask."""
        return tuple(advice for advice in self.versions if not advice.is_enough)

    def moved(self, course: Course) -> tuple[Move, ...]:
        """The moves of one course."""
        return tuple(move for move in self.moves if move.course is course)

    def changed(self, *effects: Effect) -> tuple[Change, ...]:
        """The changes with one of these effects."""
        return tuple(change for change in self.changes if change.effect in effects)


def compare_documents(old: Any, new: Any) -> Comparison:
    """The comparison of two scoreboard documents.

    Raises:
        UsageError: one of them is no scoreboard document.
    """
    return compare(
        read_snapshot(old, "the old scoreboard"), read_snapshot(new, "the new scoreboard")
    )


def compare(old: Snapshot, new: Snapshot) -> Comparison:
    """Everything in which two snapshots differ; nothing for one and the same."""
    changes = tuple(_changes(old, new))
    return Comparison(
        moves=tuple(_moves(old, new)),
        changes=changes,
        versions=tuple(_advice(old, new, changes)),
        claims=(len(old.claims), len(new.claims)),
    )


def _changes(old: Snapshot, new: Snapshot) -> Iterator[Change]:
    for name, heading in new.contracts.items():
        before = old.contracts.get(name)
        if before is not None and before.title != heading.title:
            difference = Difference(Part.TITLE, Effect.REWORDED, before.title, heading.title)
            yield Change(name, "", difference)
        if before is not None:
            for found in compare_equations(before.equations, heading.equations):
                yield Change(name, "", found)
    for claim in old.claims.values():
        if claim.id not in new.claims:
            gone = Difference(Part.FALSIFIER, Effect.REMOVED, claim.rule, "")
            yield Change(claim.contract, claim.id, gone)
    for claim in new.claims.values():
        yield from _claim_changes(old.claims.get(claim.id), claim)


def _claim_changes(old: Claim | None, new: Claim) -> Iterator[Change]:
    if old is None:
        difference = Difference(Part.FALSIFIER, Effect.ADDED, "", new.rule)
        yield Change(new.contract, new.id, difference)
        return
    for difference in compare_claims(old, new):
        yield Change(new.contract, new.id, difference)


def _moves(old: Snapshot, new: Snapshot) -> Iterator[Move]:
    for name, standing in new.standings.items():
        before = old.standings.get(name)
        course = find_course(before, standing)
        if course is not None:
            yield Move(
                contract=new.claims[name].contract,
                falsifier=name,
                course=course,
                old=before.shown if before else "",
                new=standing.shown,
                why=standing.why,
                held=before is not None and rank(before) > 0,
            )


def _advice(
    old: Snapshot, new: Snapshot, changes: tuple[Change, ...]
) -> Iterator[VersionAdvice]:
    own: dict[str, list[Change]] = {}
    for change in changes:
        for seen in _as_seen_by_contracts(change):
            own.setdefault(seen.contract, []).append(seen)
    for name, heading in new.contracts.items():
        before = old.contracts.get(name)
        if before is not None and name in own:
            yield advise(name, before.version, heading.version, tuple(own[name]))


def _as_seen_by_contracts(change: Change) -> Iterator[Change]:
    """The change as the readers of each contract that it concerns meet it.

    A falsifier that went to another contract is gone for those of the first, new for the other.
    """
    found = change.difference
    if found.part is not Part.CONTRACT:
        yield change
        return
    for contract, effect in ((found.old, Effect.REMOVED), (found.new, Effect.ADDED)):
        yield replace(change, contract=contract, difference=replace(found, effect=effect))
