"""Which statements are old enough to go. What statuses rest on is for the board to say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pv_harness.errors import UsageError
from pv_harness.wording import show


if TYPE_CHECKING:
    from collections.abc import Sequence

    from pv_harness.evidence.statement import RunStatement

_SPELLING = re.compile(r"([0-9]{1,9})([hdw]?)")
_SECONDS = {"h": 3600, "d": 86_400, "w": 7 * 86_400}


@dataclass(frozen=True, slots=True)
class Keep:
    """How much of a store is kept whatever it says: the newest few, or those of some time.

    Attributes:
        count: how many statements; None if their age decides.
        age_s: how old they may be; None if their number decides.
    """

    count: int | None = None
    age_s: int | None = None


def parse_keep(text: str) -> Keep:
    """What `20`, `12h`, `90d` or `8w` asks to keep.

    Raises:
        UsageError: it is none of these.
    """
    found = _SPELLING.fullmatch(text)
    if found is None:
        raise UsageError(
            f"--keep {show(text)}: neither a number of statements, such as 20, nor a time in "
            "hours, days or weeks, such as 12h, 90d, 8w"
        )
    number, unit = int(found[1]), found[2]
    return Keep(age_s=number * _SECONDS[unit]) if unit else Keep(count=number)


def find_old(
    statements: Sequence[RunStatement], keep: Keep, now_s: float
) -> tuple[RunStatement, ...]:
    """The statements that need not be kept for their own sake, oldest first.

    Notes of a removal are never old: later statements refer to what they excuse.
    """
    recent_last = sorted(
        (s for s in statements if not s.removed), key=lambda s: (s.started_s, s.digest)
    )
    if keep.age_s is not None:
        return tuple(s for s in recent_last if s.ended_s < now_s - keep.age_s)
    return tuple(recent_last[: max(0, len(recent_last) - (keep.count or 0))])
