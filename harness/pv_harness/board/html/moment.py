"""Points in time as the page writes them; evidence may hold any number as one."""

from __future__ import annotations

from datetime import UTC, datetime

from pv_harness.board.html.markup import Markup, tag
from pv_harness.board.phrases import show_age


def show_moment(seconds: float) -> str:
    """Seconds since the epoch as a date and a time of day, in UTC."""
    moment = _read(seconds)
    return moment.strftime("%Y-%m-%d %H:%M UTC") if moment else f"at {seconds:g} s"


def show_day(seconds: float) -> str:
    """Seconds since the epoch as a date."""
    moment = _read(seconds)
    return moment.strftime("%Y-%m-%d") if moment else f"{seconds:g} s"


def moment(seconds: float, shown: str | None = None) -> Markup:
    """A point in time that programs can read too; `shown` instead of the date if given."""
    known = _read(seconds)
    stamp = known.strftime("%Y-%m-%dT%H:%MZ") if known else None
    full = show_moment(seconds)
    return tag("time", shown or full, datetime=stamp, title=full if shown else None)


def age(seconds: float, now_s: float) -> Markup:
    """How long before `now_s` something was; the date is one pointer away."""
    return moment(seconds, show_age(now_s - seconds) if _read(seconds) else "?")


def show_duration(seconds: float) -> str:
    """How long something took, in three digits."""
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    return f"{seconds:.3g} s" if seconds < 100 else f"{seconds / 60:.3g} min"


def _read(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None
