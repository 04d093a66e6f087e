"""How messages call places and values: on one line, short, and safe to print.

Text from a contract may hold anything, terminal escapes included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HOLDS = " holds what "
"""How a message begins that a file holds what a defect would plant: the reason of a failure."""
_MAX_WIDTH = 60
_MAX_GUESSED = 200
"""A longer name is no typing error, and guessing is slow."""
MAX_GUESSES = 20
"""The same of a file with more unknown names than this."""


def show(value: object) -> str:
    """A value of a contract: text in quotes, collections by their size."""
    if isinstance(value, dict):
        return f"a mapping of {len(value)}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(value)
    return text if len(text) <= _MAX_WIDTH else f"{text[: _MAX_WIDTH - 4]}...{text[-1]}"


def printable(name: str) -> str:
    """A file name that any terminal takes: what can't be printed becomes an escape."""
    return name if name.isprintable() else name.encode("unicode_escape").decode("ascii")


def counted(count: int, noun: str) -> str:
    """A number of things: `1 statement`, `2 statements`, `2 retries`."""
    if count == 1:
        return f"1 {noun}"
    stem, last = noun[:-1], noun[-1:]
    return (
        f"{count} {stem}ies" if last == "y" and stem[-1:] not in "aeiou" else f"{count} {noun}s"
    )


def first_line(text: str) -> str:
    """The first line of a text that says something; empty if none does."""
    return text.strip().splitlines()[0] if text.strip() else ""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant: one that is alike, capitals aside, or none."""
    if len(name) > _MAX_GUESSED:
        return None
    import difflib  # noqa: PLC0415 - 2 ms, for a mistake

    folded = {other.casefold(): other for other in sorted(known, reverse=True)}
    found = difflib.get_close_matches(name.casefold(), folded, n=1)
    return folded[found[0]] if found else None


def meant(name: str, known: Iterable[str]) -> str:
    """How a message about an unknown name ends: `; did you mean 'x'?`, or not at all."""
    near = nearest(name, known)
    return f"; did you mean {show(near)}?" if near is not None else ""


def falsifier_id(entry: object) -> str | None:
    """The ID of an entry of `falsifiers`, however broken the rest is; None without one."""
    identity = entry.get("id") if isinstance(entry, dict) else None
    return identity if isinstance(identity, str) and identity else None


def way_to(contract: Any, keys: Sequence[str | int]) -> str:
    """How a message calls a place in the data of a contract.

    Inside a falsifier it begins with the ID: `FALSIFY-X-001: bounds.loss.lt`; elsewhere it is
    the keys alone: `metadata.title`.
    """
    prefix = ""
    rest = list(keys)
    if len(rest) > 1 and rest[0] == "falsifiers" and isinstance(rest[1], int):
        identity = falsifier_id(contract["falsifiers"][rest[1]])
        prefix = _word(identity) if identity else f"falsifiers[{rest[1]}]"
        rest = rest[2:]
    words = "".join(f"[{key}]" if isinstance(key, int) else f".{_word(key)}" for key in rest)
    return ": ".join(part for part in (prefix, words.lstrip(".")) if part)


def _word(key: str) -> str:
    plain = key.isprintable() and " " not in key and 0 < len(key) <= _MAX_WIDTH
    return key if plain else show(key)
