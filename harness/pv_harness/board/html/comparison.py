"""What changed since the last release, as the comparison of two scoreboards tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pv_harness.board.html.anchor import anchor_of
from pv_harness.board.html.markup import Markup, tag
from pv_harness.comparing.change import Effect
from pv_harness.comparing.standing import Course


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Set as AbstractSet

    from pv_harness.board.html.markup import Child
    from pv_harness.comparing.change import Change
    from pv_harness.comparing.comparison import Comparison
    from pv_harness.comparing.standing import Move
    from pv_harness.comparing.versions import VersionAdvice

_COURSES = (
    (Course.NEWLY_FAILED, "bad"),
    (Course.DEMOTED, "bad"),
    (Course.NEWLY_STALE, "stale"),
    (Course.PROMOTED, "good"),
    (Course.SHIFTED, "open"),
)
_EFFECTS = (
    (Effect.LOOSENED, "bad"),
    (Effect.MOVED, "bad"),
    (Effect.REMOVED, "bad"),
    (Effect.TIGHTENED, "good"),
    (Effect.ADDED, "good"),
    (Effect.REWORDED, "open"),
    (Effect.CHANGED, "open"),
)


@dataclass(frozen=True, slots=True)
class Since:
    """What changed since an older scoreboard, and what that one is called."""

    name: str
    comparison: Comparison


def render_comparison(since: Since, known: AbstractSet[str]) -> Markup:
    """Every difference by what it does, what is worse first.

    Args:
        since: the last release, say, and what changed.
        known: the falsifiers on this page, so that their IDs become links.
    """
    comparison = since.comparison
    groups = list(_groups(comparison, known))
    if comparison.is_empty:
        groups = [tag("p", "Nothing: every claim and every status is as it was.")]
    counts = [
        tag("span", f"{len(items)} {word}", class_="count")
        for word, _, items in _worded(comparison, known)
    ]
    worse = bool(comparison.regressions or comparison.loosened or comparison.removed)
    return tag(
        "details",
        tag("summary", tag("h2", f"What changed since {since.name}"), *counts),
        *groups,
        class_="changes",
        open=worse,
    )


def _groups(comparison: Comparison, known: AbstractSet[str]) -> Iterator[Markup]:
    for word, tone, items in _worded(comparison, known):
        yield tag("h3", word, class_=f"verdict {tone}")
        yield tag("ul", *(tag("li", *item) for item in items))


def _worded(
    comparison: Comparison, known: AbstractSet[str]
) -> Iterator[tuple[str, str, list[list[Child]]]]:
    """Word, tone and items of each group that has any."""
    for course, tone in _COURSES:
        if moves := comparison.moved(course):
            yield course.value, tone, [list(_move(move, known)) for move in moves]
    for effect, tone in _EFFECTS:
        if changes := comparison.changed(effect):
            yield effect.value, tone, [list(_change(change, known)) for change in changes]
    if low := comparison.versions_too_low:
        yield "version too low", "bad", [list(_advice(advice)) for advice in low]


def _move(move: Move, known: AbstractSet[str]) -> Iterable[Child]:
    yield _name(move.falsifier, known)
    yield f" {move.old or 'new'} \N{RIGHTWARDS ARROW} "
    yield tag("b", move.new)
    yield tag("span", f" {move.why}", class_="quiet") if move.why else None


def _change(change: Change, known: AbstractSet[str]) -> Iterable[Child]:
    yield _name(change.subject, known)
    yield f" {change.difference}"


def _advice(advice: VersionAdvice) -> Iterable[Child]:
    yield tag("b", advice.contract)
    raised = advice.new != advice.old
    now = (
        f"{advice.old} \N{RIGHTWARDS ARROW} {advice.new}"
        if raised
        else f"is still {advice.new}"
    )
    yield f" {now}, should be at least "
    yield tag("b", advice.suggested)
    yield tag("span", f" {advice.because.subject}: {advice.because.difference}", class_="quiet")


def _name(subject: str, known: AbstractSet[str]) -> Markup:
    if subject in known:
        return tag("a", subject, href=f"#{anchor_of(subject)}")
    return tag("b", subject)
