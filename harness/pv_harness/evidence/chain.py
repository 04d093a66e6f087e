"""How statements refer to those before them, so that a deleted one shows.

Each statement names the store's heads: the statements that no other one named when it was
added. Two runs at once make two heads; the next run names both. So every statement but the
newest is named by a later one, whose own digest covers that name.

What this can't show is that the newest statements were deleted: nothing names them yet. Whoever
has to rule that out keeps their digests elsewhere: `pv evidence verify` prints them, and its
`--head` asks for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pv_harness.evidence.statement import RunStatement


def find_heads(
    previous: Mapping[str, Iterable[str]], removed: Iterable[str] = ()
) -> tuple[str, ...]:
    """The statements that no other refers to, sorted.

    Args:
        previous: digest of each statement that is there -> the digests that it refers to.
        removed: digests of statements that are noted as removed. One whose file is there still
            is no head, and what only it refers to is one.
    """
    gone = set(removed)
    staying = {digest: named for digest, named in previous.items() if digest not in gone}
    named = {digest for digests in staying.values() for digest in digests}
    return tuple(sorted(set(staying) - named))


def heads_of(statements: Sequence[RunStatement]) -> tuple[str, ...]:
    """The statements that no other refers to, sorted."""
    removed = (gone.digest for statement in statements for gone in statement.removed)
    return find_heads({s.digest: s.previous for s in statements}, removed)


def find_missing(
    statements: Sequence[RunStatement], present: Iterable[str] = ()
) -> dict[str, tuple[str, ...]]:
    """Digest of each statement that is referred to but gone -> those that refer to it.

    One that a statement notes as removed is not missing.

    Args:
        statements: those that could be read.
        present: digests of files that are there besides, readable or not.
    """
    excused = {removed.digest for s in statements for removed in s.removed}
    excused |= {s.digest for s in statements} | set(present)
    missing: dict[str, tuple[str, ...]] = {}
    for statement in sorted(statements, key=lambda s: (s.started_s, s.digest)):
        for digest in statement.previous:
            if digest not in excused:
                missing[digest] = (*missing.get(digest, ()), statement.digest)
    return missing
