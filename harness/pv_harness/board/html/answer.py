"""The first thing a reader asks: how the whole board stands, in the words of the exit codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.board.answer import ANSWERS, why_answered
from pv_harness.board.html.markup import Markup, tag
from pv_harness.board.html.tables import listed
from pv_harness.exit_code import ExitCode
from pv_harness.wording import counted


if TYPE_CHECKING:
    from pv_harness.board.scoreboard import Scoreboard

_TONES = {
    ExitCode.SATISFIED: "good",
    ExitCode.DENIED: "bad",
    ExitCode.CANNOT_JUDGE: "open",
    ExitCode.UNKNOWN: "stale",
    ExitCode.INFRASTRUCTURE: "broken",
}
_ICON_COLORS = {"good": "0b6e4f", "bad": "b3261e", "broken": "8a3ab9"}
_MAX_FINDINGS = 12


def answer(board: Scoreboard) -> Markup:
    """The answer in a word, what decides it, and what a command ends with that asks for it."""
    code, because = board.exit_code, why_answered(board).replace("_", " ")
    return tag(
        "p",
        tag("strong", ANSWERS[code], ":" if because else "", class_=f"verdict {_TONES[code]}"),
        f" {because} ",
        tag("small", f"exit code {code.value}"),
        class_="answer",
    )


def icon_address(board: Scoreboard) -> str:
    """The icon of the browser's tab, in the colour of the answer."""
    color = _ICON_COLORS.get(_TONES[board.exit_code], "8a5a00")
    return (
        "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
        f"%3Cpath fill='%23{color}' d='M8 .8a7.2 7.2 0 1 0 0 14.4A7.2 7.2 0 0 0 8 .8Z'/%3E"
        "%3C/svg%3E"
    )


def findings(board: Scoreboard) -> Markup | None:
    """What is wrong with the evidence itself: nothing on the page can be trusted then."""
    if not board.findings:
        return None
    more = len(board.findings) - _MAX_FINDINGS
    return tag(
        "section",
        tag("h2", f"The evidence can't be trusted: {counted(len(board.findings), 'finding')}"),
        listed(str(finding) for finding in board.findings[:_MAX_FINDINGS]),
        tag("p", f"and {more} more: ", tag("code", "pv evidence verify")) if more > 0 else None,
        class_="attention findings",
    )
