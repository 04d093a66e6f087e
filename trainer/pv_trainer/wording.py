"""How a message shows what somebody else wrote."""

from __future__ import annotations

import reprlib
from typing import Final


_MOST: Final = 60


def brief(value: object) -> str:
    """A value as Python spells it, on one line and short, whatever it is."""
    return reprlib.repr(value)[:_MOST]
