"""IDs of the native form: those of a foreign file where they have it, else the nearest."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final


if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

CONTRACT_ID: Final = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
FALSIFIER_ID: Final = re.compile(r"[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*-[0-9]{3}")
_MOST = 1000


def contract_id(stem: str) -> str:
    """The ID of a contract whose file has this stem: the stem, or what is nearest to it."""
    if CONTRACT_ID.fullmatch(stem):
        return stem
    words = re.findall(r"[a-z0-9]+", stem.lower())
    return "-".join(words) or "contract"


class FalsifierIds:
    """Gives each falsifier an ID of its own: the one that it has, where that is possible.

    An ID that is no native one becomes the nearest; one that was given before, and one that is
    missing, become the next free number.
    """

    def __init__(self, base: str, wanted: Iterable[str | None], taken: Collection[str]) -> None:
        self._base = "-".join(filter(None, ("FALSIFY", _capitals(base))))
        self._kept = {name for name in wanted if name and FALSIFIER_ID.fullmatch(name)}
        self._used = set(taken) | self._kept
        self._given: set[str] = set()
        self._numbers: Counter[str] = Counter()

    def give(self, wanted: str | None) -> str:
        """The ID for a falsifier that wants this one."""
        chosen = wanted if wanted in self._kept - self._given else self._make(wanted)
        self._given.add(chosen)
        self._used.add(chosen)
        return chosen

    def _make(self, wanted: str | None) -> str:
        near = _capitals(wanted or "")
        near = near if near[:1].isalpha() else f"FALSIFY-{near}" if near else self._base
        if FALSIFIER_ID.fullmatch(near) and near not in self._used:
            return near
        stem = re.sub(r"-[0-9]{3}$", "", near)
        while True:
            self._numbers[stem] += 1
            thousands, number = divmod(self._numbers[stem], _MOST)
            name = f"{stem}-{thousands}-{number:03}" if thousands else f"{stem}-{number:03}"
            if name not in self._used:
                return name


def _capitals(text: str) -> str:
    return "-".join(re.findall(r"[A-Z0-9]+", text.upper())) if text.isascii() else _ascii(text)


def _ascii(text: str) -> str:
    return _capitals(text.encode("ascii", "ignore").decode("ascii"))
