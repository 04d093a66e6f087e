"""Waivers on a scoreboard: what is excused is shown so, and keeps what it is excused from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pv_harness.deriving.status import StatusKind
from pv_harness.policy.policy import is_waivable


if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from pv_harness.board.scoreboard import Row, Scoreboard
    from pv_harness.policy.policy import Waiver


def apply_waivers(board: Scoreboard, waivers: Sequence[Waiver], today: date) -> Scoreboard:
    """The board on which waived falsifiers are WAIVED(until), each with its own status as why.

    A falsifier at its ceiling stays as it is, and so does one whose check is broken. Waivers
    that are limited to policies are left to those.
    """
    valid = {w.falsifier_id: w for w in waivers if w.holds(today) and not w.policies}
    rows = tuple(_waived(row, valid.get(row.falsifier.id)) for row in board.rows)
    return replace(board, rows=rows)


def _waived(row: Row, waiver: Waiver | None) -> Row:
    status = row.status
    if waiver is None or status.at_ceiling or not is_waivable(status):
        return row
    # The detail of a status and its reason may say the same: it is told once.
    told = status.kind.value if status.kind is StatusKind.VACUOUS else str(status)
    why = f"{told}: {status.why}" if status.why else str(status)
    waived = replace(
        status,
        kind=StatusKind.WAIVED,
        detail=f"until {waiver.expires}",
        why=f"{waiver.id}, {waiver.owner}: {why}",
    )
    return replace(row, status=waived)
