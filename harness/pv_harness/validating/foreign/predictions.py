"""Whether a prediction could be refuted: whether it holds a number or a comparison.

That is asked of the words alone. "All outputs are finite" holds neither, although a reader
could make a check of it; it does not say what has to be measured, nor against what.
"""

from __future__ import annotations

import re
from typing import Final


# `f32`, `x_1` and `llama-3` are names; `1e-6`, `-1.0` and `32 heads` are numbers.
_NUMBER: Final = re.compile(r"(?<![\w-])[-+]?\.?[0-9]|(?<![\w])-[0-9]")
_SIGNS: Final = "=<>≤≥≠≈≡∈⊂⊃⊆⊇≪≫"
_COMPARED: Final = re.compile(
    r"\b(?:equals?|identical(?:ly)?|exact(?:ly)?|same|within|at (?:least|most)|between|"
    r"exceeds?|(?<!rather )(?<!other )than|below|above|zero|unchanged|(?:non-?)?negative|"
    r"positive)\b",
    re.IGNORECASE,
)


def holds_a_bound(text: str) -> bool:
    """True if a text names a number, or compares one thing with another."""
    return (
        any(sign in text for sign in _SIGNS)
        or _NUMBER.search(text) is not None
        or _COMPARED.search(text) is not None
    )
