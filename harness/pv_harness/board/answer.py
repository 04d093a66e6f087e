"""The answer of a whole board in a few words, for the faces that begin with it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pv_harness.exit_code import ExitCode


if TYPE_CHECKING:
    from pv_harness.board.scoreboard import Scoreboard

ANSWERS = {
    ExitCode.SATISFIED: "Satisfied",
    ExitCode.DENIED: "Denied",
    ExitCode.CANNOT_JUDGE: "Nothing judged",
    ExitCode.UNKNOWN: "Not known",
    ExitCode.INFRASTRUCTURE: "Broken",
}


def why_answered(board: Scoreboard) -> str:
    """What decides the board's exit code; empty where there is no falsifier at all."""
    if board.findings:
        return "the evidence can't be trusted"
    code = board.exit_code
    if code is ExitCode.SATISFIED:
        rest = len(board.counted) - len(board.judged)
        return "nothing judged is refuted" + (f"; {rest} can't be judged here" if rest else "")
    words = Counter(
        row.status.word
        for row in board.counted or board.rows
        if code in {row.status.kind.exit_code, ExitCode.CANNOT_JUDGE}
    )
    return ", ".join(f"{count} {word}" for word, count in sorted(words.items()))
