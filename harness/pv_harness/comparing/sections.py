"""A comparison in the order in which people read it: what needs no attention first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pv_harness.comparing.change import Effect
from pv_harness.comparing.standing import Course


if TYPE_CHECKING:
    from collections.abc import Iterator

    from pv_harness.comparing.change import Change
    from pv_harness.comparing.comparison import Comparison
    from pv_harness.comparing.standing import Move
    from pv_harness.comparing.versions import VersionAdvice


@dataclass(frozen=True, slots=True)
class Section:
    """Entries of one kind under one heading; one of the three tuples is filled.

    Attributes:
        note: what the heading means for the reader, in a few words.
        urgent: whether somebody has to look.
    """

    title: str
    note: str
    urgent: bool = False
    moves: tuple[Move, ...] = ()
    changes: tuple[Change, ...] = ()
    versions: tuple[VersionAdvice, ...] = ()

    @property
    def size(self) -> int:
        """How many entries there are."""
        return len(self.moves) + len(self.changes) + len(self.versions)

    def by_subject(self) -> dict[str, list[Change]]:
        """The changes of each falsifier or contract, in their order."""
        found: dict[str, list[Change]] = {}
        for change in self.changes:
            found.setdefault(change.subject, []).append(change)
        return found


def make_sections(comparison: Comparison) -> tuple[Section, ...]:
    """The sections that have an entry, the most urgent last."""
    return tuple(section for section in _all(comparison) if section.size)


def summarise(comparison: Comparison) -> str:
    """The counts in one line, with their denominators."""
    before, now = comparison.claims
    claims = f"{before} {'falsifier' if before == 1 else 'falsifiers'} before, {now} now"
    if comparison.is_empty:
        return f"{claims} · no difference"
    numbers = [
        (len(comparison.regressions), "regression", "regressions"),
        (len(comparison.moved(Course.PROMOTED)), "promoted", "promoted"),
        *(
            (len(comparison.changed(effect)), effect.value, effect.value)
            for effect in Effect
            if effect is not Effect.CHANGED
        ),
        (len(comparison.versions_too_low), "version too low", "versions too low"),
    ]
    told = [
        f"{number} {one if number == 1 else many}" for number, one, many in numbers if number
    ]
    return " · ".join([claims, *told])


def _all(comparison: Comparison) -> Iterator[Section]:
    quiet = tuple(m for m in comparison.moved(Course.NEWLY_STALE) if not m.is_regression)
    moved, changed = comparison.moved, comparison.changed
    yield Section("promoted", "a higher level holds", moves=moved(Course.PROMOTED))
    shifted = (*moved(Course.SHIFTED), *quiet)
    yield Section("shifted", "another status, neither better nor worse", moves=shifted)
    yield Section("added", "new falsifiers", changes=changed(Effect.ADDED))
    yield Section("tightened", "asks for more", changes=changed(Effect.TIGHTENED))
    yield Section(
        "changed", "asks for the same in another way", changes=changed(Effect.CHANGED)
    )
    yield Section("versions", "raised as the changes ask", versions=_fitting(comparison))
    reworded = changed(Effect.REWORDED)
    yield Section("reworded", "read it: it may say less", urgent=True, changes=reworded)
    for effect, note in (
        (Effect.MOVED, "another claim: something passes that was refuted before"),
        (Effect.LOOSENED, "asks for less: something passes that was refuted before"),
        (Effect.REMOVED, "claimed no longer"),
    ):
        yield Section(effect.value, note, urgent=True, changes=changed(effect))
    low = comparison.versions_too_low
    yield Section("versions too low", "for what changed", urgent=True, versions=low)
    for course, note in (
        (Course.NEWLY_STALE, "held, and has to be run again"),
        (Course.DEMOTED, "a level holds no more"),
        (Course.NEWLY_FAILED, "refuted, vacuous or broken, and was not"),
    ):
        lost = tuple(move for move in moved(course) if move.is_regression)
        yield Section(course.value, note, urgent=True, moves=lost)


def _fitting(comparison: Comparison) -> tuple[VersionAdvice, ...]:
    return tuple(advice for advice in comparison.versions if advice.is_enough)
