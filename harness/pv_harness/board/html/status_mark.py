"""How a status looks: a word, a shape and a tone, so that none of them is needed alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.board.html.markup import Markup, tag
from pv_harness.board.phrases import tone_of
from pv_harness.deriving.status import StatusKind


if TYPE_CHECKING:
    from pv_harness.deriving.status import Status


def tone_name(status: Status) -> str:
    """What a status is styled by: its tone, where a stale one has a shape of its own."""
    return "stale" if status.kind is StatusKind.STALE else tone_of(status).name.lower()


def mark(status: Status) -> Markup:
    """The status as a row begins with it: the word, and how far it could go."""
    word = tag("b", status.word.replace("_", " "))
    small = tag("small", _beside(status))
    tone = tone_name(status)
    return tag("span", icon(tone), word, " ", small, class_=f"status {tone}")


def verdict(*, holds: bool | None, yes: str = "holds", no: str = "does not hold") -> Markup:
    """Whether something holds, as a shape and a word; None where nothing is known."""
    if holds is None:
        return tag("span", "not known", class_="verdict open")
    tone = "good" if holds else "bad"
    return tag("span", yes if holds else no, class_=f"verdict {tone}")


def icon(tone: str) -> Markup:
    """The shape of a tone, for the eye alone; style.css draws it."""
    return tag("i", class_=f"icon {tone}")


def _beside(status: Status) -> str:
    if status.at_ceiling:
        return "at its ceiling"
    if status.kind is StatusKind.STALE and status.level is not None:
        return f"was {status.level.value}"
    if status.kind is StatusKind.WAIVED:
        return status.detail
    return f"of {status.ceiling.value}"
