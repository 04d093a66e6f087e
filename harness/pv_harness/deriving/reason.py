"""The one line of a long reason that says what happened. Pure."""

from __future__ import annotations

import re


_RAISED = re.compile(r"^(?:E\s+)?((?:\w+\.)*\w*(?:Error|Exception|Interrupt|Exit)\b.*)")
"""The last line of a traceback, as Python and as pytest print it."""
_FRAME = re.compile(r"^[=_-]{3,}|^\d+ \w+.* in [\d.]+s")
"""What pytest prints around what it has to say."""


def tell_reason(text: str) -> str:
    """The first line of a reason, with the decisive one behind it if that ends in a colon."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return ""
    first, *rest = lines
    if not first.endswith(":"):
        return first
    raised = [found[1] for line in rest if (found := _RAISED.match(line))]
    said = raised or [line for line in rest if not _FRAME.match(line)]
    return f"{first} {said[-1]}" if said else first.removesuffix(":")
