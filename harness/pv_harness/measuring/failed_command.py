"""What a command that ended badly says for itself, where its check says only `assert`."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final


if TYPE_CHECKING:
    from pv_harness.measuring.command import CompletedCommand

_LINES: Final = 8
_LINE_CHARS: Final = 200
_WORDS_CHARS: Final = 200


def describe_failed(command: CompletedCommand) -> str:
    """The words of a command, its exit code, and the end of what it said on standard error."""
    words = _cut(shlex.join(command.args), _WORDS_CHARS)
    head = f"the check ran: {words}"
    said = command.stderr[-_LINES * _LINE_CHARS :].strip().splitlines()[-_LINES:]
    end = [f"  | {_cut(line, _LINE_CHARS)}" for line in said] or ["  | nothing on stderr"]
    return "\n".join([f"{head}: exit code {command.returncode}", *end])


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
