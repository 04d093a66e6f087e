"""Which falsifiers a command is about: by ID, by contract, by pattern, by ceiling."""

from __future__ import annotations

import difflib
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from pv_harness.errors import UsageError


if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pv_harness.contracts.contract import Contract, Falsifier, Level


def select_falsifiers(
    contracts: Sequence[Contract], names: Sequence[str]
) -> tuple[Falsifier, ...]:
    """The falsifiers that the names mean, in the order of the contracts; no name means all.

    A name is a falsifier's ID, a contract's ID, or a pattern (`*`, `?`) for either.

    Raises:
        UsageError: a name means nothing.
    """
    chosen: dict[str, None] = {}
    for name in names:
        found = _matches(contracts, name)
        if not found:
            raise UsageError(_unknown(contracts, name))
        chosen.update(dict.fromkeys(found))
    return tuple(f for c in contracts for f in c.falsifiers if not names or f.id in chosen)


def with_ceiling(
    falsifiers: Sequence[Falsifier], levels: Collection[Level]
) -> tuple[Falsifier, ...]:
    """Those whose ceiling is one of the levels, in their order; no level means all.

    The ceiling, since the contract states it: what a claim shows today changes with the
    evidence, and a nightly run should be about the same claims every night.
    """
    return tuple(f for f in falsifiers if not levels or f.ceiling in levels)


def names_something(contracts: Sequence[Contract], name: str) -> bool:
    """True if a name means at least one falsifier."""
    return bool(_matches(contracts, name))


def _matches(contracts: Sequence[Contract], name: str) -> list[str]:
    return [
        f.id
        for c in contracts
        for f in c.falsifiers
        if fnmatchcase(f.id, name) or fnmatchcase(c.id, name)
    ]


def _unknown(contracts: Sequence[Contract], name: str) -> str:
    known = [c.id for c in contracts] + [f.id for c in contracts for f in c.falsifiers]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    hint = f"; did you mean {near[0]}?" if near else "; `pv scoreboard` lists them"
    if set(name) & set("*?["):
        return f"{name!r} matches neither a falsifier nor a contract; `pv list` shows them"
    return f"{name!r} is neither a falsifier nor a contract{hint}"
