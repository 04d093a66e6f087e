"""The board as people see it: what the policy file excuses is shown as WAIVED."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.regular_file import read_regular


if TYPE_CHECKING:
    from pv_harness.board.scoreboard import Scoreboard
    from pv_harness.project import Project

_MAX_SIZE_BYTES = 1 << 20


def waive_board(board: Scoreboard, project: Project, now_s: float) -> Scoreboard:
    """The board with the waivers of the project's policy file that hold at this time.

    A file that is absent or invalid excuses nothing here; `pv gate` says what is wrong with it.
    """
    try:
        data = read_regular(project.policy, _MAX_SIZE_BYTES)
    except OSError:
        return board
    # The parser and the schema cost more than the board itself, and most files hold none.
    if b"waivers" not in data:
        return board
    from pv_harness.documents.loading import load  # noqa: PLC0415
    from pv_harness.policy.gate import today_at  # noqa: PLC0415
    from pv_harness.policy.reading import read_policies  # noqa: PLC0415
    from pv_harness.policy.rules import Surroundings  # noqa: PLC0415
    from pv_harness.policy.waiving import apply_waivers  # noqa: PLC0415

    file = read_policies(load(data, project.relative(project.policy)), Surroundings()).file
    return apply_waivers(board, file.waivers, today_at(now_s)) if file else board
