"""The board as people see it: what the policy file excuses is shown as WAIVED."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.regular_file import read_regular, reason
from pv_harness.wording import printable


if TYPE_CHECKING:
    from collections.abc import Callable

    from pv_harness.board.scoreboard import Scoreboard
    from pv_harness.project import Project

_MAX_SIZE_BYTES = 1 << 20


def waive_board(
    board: Scoreboard, project: Project, now_s: float, tell: Callable[[str], None]
) -> Scoreboard:
    """The board with the waivers of the project's policy file that hold at this time.

    A file that is absent or invalid excuses nothing. If it is there, and would excuse
    something, `tell` is called with what is wrong with it.
    """
    name = project.relative(project.policy)
    try:
        data = read_regular(project.policy, _MAX_SIZE_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return board
    except OSError as error:
        tell(f"no waiver is applied: {printable(name)}: can't be read: {reason(error)}")
        return board
    # The parser and the schema cost more than the board itself, and most files hold none.
    if b"waivers" not in data:
        return board
    from pv_harness.documents.loading import load  # noqa: PLC0415
    from pv_harness.documents.problem import Severity  # noqa: PLC0415
    from pv_harness.policy.gate import today_at  # noqa: PLC0415
    from pv_harness.policy.reading import read_policies  # noqa: PLC0415
    from pv_harness.policy.rules import Surroundings  # noqa: PLC0415
    from pv_harness.policy.waiving import apply_waivers  # noqa: PLC0415

    reading = read_policies(load(data, printable(name)), Surroundings())
    if reading.file is None:
        errors = (p for p in reading.problems if p.severity is Severity.ERROR)
        first = next(errors, "it is invalid")
        tell(f"no waiver is applied, since the policy file is invalid: {first}")
        return board
    return apply_waivers(board, reading.file.waivers, today_at(now_s))
