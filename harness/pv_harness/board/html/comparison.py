"""What changed since the last release, as the comparison of two scoreboards tells it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from pv_harness.board.html import moment
from pv_harness.board.html.anchor import anchor_of
from pv_harness.board.html.markup import Markup, join, tag
from pv_harness.board.html.whole import in_pieces
from pv_harness.comparing.change import Effect
from pv_harness.comparing.standing import Course


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence, Set as AbstractSet

    from pv_harness.comparing.comparison import Comparison
    from pv_harness.comparing.standing import Move
    from pv_harness.comparing.versions import VersionAdvice

MAX_SUBJECTS = 50
"""As many falsifiers as a group names; beyond that nobody reads on."""
_Item = tuple[str, Markup]
"""A falsifier or contract, and what is said of it."""
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
    """What changed since an older scoreboard, and what that one is called.

    Attributes:
        made_s: when the older one was released, in seconds since the epoch, where known.
        unknown: why claims alone were compared, and not how each stood; empty if both were.
    """

    name: str
    comparison: Comparison
    made_s: float | None = None
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class NotCompared:
    """Why the page does not tell what changed.

    Attributes:
        why: a sentence.
        name: the release that could be compared with, given more time; empty without any.
    """

    why: str
    name: str = ""


def render_comparison(since: Since | NotCompared, known: AbstractSet[str]) -> Markup:
    """Every difference by what it does, what is worse first; or why none is told.

    Args:
        since: the last release, say, and what changed.
        known: the falsifiers on this page, so that their IDs become links.
    """
    if isinstance(since, NotCompared):
        return _not_compared(since)
    comparison = since.comparison
    groups = list(_groups(comparison, known))
    counts = [
        tag("span", f"{len(items)} {word}", class_="count")
        for word, _, items in _worded(comparison)
    ]
    if comparison.is_empty:
        what = "claim is" if since.unknown else "claim and every status is"
        groups = [tag("p", f"Nothing: every {what} as it was.")]
        counts = [tag("span", "nothing", class_="count")]
    worse = bool(comparison.regressions or comparison.loosened or comparison.removed)
    return tag(
        "details",
        tag(
            "summary", tag("h2", f"What changed since {since.name}", _released(since)), *counts
        ),
        *groups,
        _claims_alone(since) if since.unknown else None,
        class_="changes",
        open=worse,
    )


def _not_compared(since: NotCompared) -> Markup:
    told = tag("span", " ", _diff(since.name), " takes the time.") if since.name else None
    return tag(
        "section",
        tag("h2", "What changed since the last release"),
        tag("p", in_pieces(since.why), told, class_="quiet"),
        class_="changes none",
    )


def _released(since: Since) -> Markup | None:
    if since.made_s is None:
        return None
    day = moment.moment(since.made_s, moment.show_day(since.made_s))
    return join([" ", tag("small", "of ", day)])


def _claims_alone(since: Since) -> Markup:
    why = f"Claims alone are compared, since {since.unknown}. How each stood then: "
    return tag("p", why, _diff(since.name), class_="quiet")


def _diff(name: str) -> Markup:
    """The command that takes the time to derive how the release stands."""
    return tag("code", f"pv diff {shlex.quote(name)}", class_="command")


def _groups(comparison: Comparison, known: AbstractSet[str]) -> Iterator[Markup]:
    for word, tone, items in _worded(comparison):
        yield tag("h3", word, class_=f"verdict {tone}")
        shown = islice(_by_subject(items, known), MAX_SUBJECTS)
        yield tag("ul", *(tag("li", item) for item in shown))
        more = len({subject for subject, _ in items}) - MAX_SUBJECTS
        if more > 0:
            yield tag("p", f"and {more} more: ", tag("code", "pv diff"), class_="quiet")


def _by_subject(items: Iterable[_Item], known: AbstractSet[str]) -> Iterator[Markup]:
    """Each subject once, with the one thing that is said of it, or with a list of several."""
    grouped: dict[str, list[Markup]] = {}
    for subject, said in items:
        grouped.setdefault(subject, []).append(said)
    for subject, told in grouped.items():
        several = tag("ul", *(tag("li", said) for said in told)) if len(told) > 1 else told[0]
        yield join([_name(subject, known), several], " ")


def _worded(comparison: Comparison) -> Iterator[tuple[str, str, Sequence[_Item]]]:
    """Word, tone and items of each group that has any."""
    for course, tone in _COURSES:
        if moves := comparison.moved(course):
            yield course.value, tone, [(move.falsifier, _move(move)) for move in moves]
    for effect, tone in _EFFECTS:
        if changes := comparison.changed(effect):
            told = [(c.subject, in_pieces(str(c.difference))) for c in changes]
            yield effect.value, tone, told
    if low := comparison.versions_too_low:
        word = "version too low" if len(low) == 1 else "versions too low"
        yield word, "bad", [(advice.contract, _advice(advice)) for advice in low]


def _move(move: Move) -> Markup:
    why = tag("span", " ", in_pieces(move.why), class_="quiet") if move.why else None
    arrow = f"{move.old or 'new'} \N{RIGHTWARDS ARROW} "
    return join([arrow, tag("b", move.new), why])


def _advice(advice: VersionAdvice) -> Markup:
    raised = advice.new != advice.old
    now = (
        f"{advice.old} \N{RIGHTWARDS ARROW} {advice.new}"
        if raised
        else f"is still {advice.new}"
    )
    because = f"{advice.because.subject}: {advice.because.difference}"
    why = tag("span", " because of ", in_pieces(because), class_="quiet")
    return join([f"{now}, should be at least ", tag("b", advice.suggested), why])


def _name(subject: str, known: AbstractSet[str]) -> Markup:
    if subject in known:
        return tag("a", subject, href=f"#{anchor_of(subject)}")
    return tag("b", subject)
