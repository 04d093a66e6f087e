"""How statements refer to those before them, so that a deleted one shows.

Each statement names the store's heads: the statements that no other one named when it was
added. Two runs at once make two heads; the next run names both. So every statement but the
newest is named by a later one, whose own digest covers that name.

What this can't show is that the newest statements were deleted: nothing names them yet. Whoever
has to rule that out keeps their digests elsewhere: `pv evidence verify` prints them, and its
`--head` asks for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol


if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from pv_harness.evidence.statement import Removed


class Linked(Protocol):
    """A statement, or its summary: what it says about others, and when it was made."""

    @property
    def digest(self) -> str:
        """Of the stored bytes."""

    @property
    def started_s(self) -> float:
        """Seconds since the epoch."""

    @property
    def ended_s(self) -> float:
        """Seconds since the epoch."""

    @property
    def previous(self) -> tuple[str, ...]:
        """Digests of the heads that were there before it."""

    @property
    def removed(self) -> tuple[Removed, ...]:
        """The statements that it notes as removed."""

    @property
    def signed_by(self) -> frozenset[str]:
        """Names of the trusted keys whose signature verifies."""


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


def heads_of(statements: Sequence[Linked]) -> tuple[str, ...]:
    """The statements that no other refers to, sorted."""
    removed = (gone.digest for statement in statements for gone in statement.removed)
    return find_heads({s.digest: s.previous for s in statements}, removed)


def noted_by(
    statements: Sequence[Linked], signers: Collection[str] | None = None
) -> frozenset[str]:
    """The digests of all statements that are noted as removed.

    Args:
        statements: those that could be read.
        signers: names of trusted keys, one of which has to have signed a note; None takes the
            word of anybody.
    """
    notes = (s for s in statements if signers is None or not s.signed_by.isdisjoint(signers))
    return frozenset(removed.digest for note in notes for removed in note.removed)


def find_missing(
    statements: Sequence[Linked],
    present: Iterable[str] = (),
    signers: Collection[str] | None = None,
) -> dict[str, tuple[str, ...]]:
    """Digest of each statement that is referred to but gone -> those that refer to it.

    One that a statement notes as removed is not missing.

    Args:
        statements: those that could be read.
        present: digests of files that are there besides, readable or not.
        signers: whose notes count, as for `noted_by`.
    """
    excused = {s.digest for s in statements} | noted_by(statements, signers) | set(present)
    missing: dict[str, tuple[str, ...]] = {}
    for statement in sorted(statements, key=lambda s: (s.started_s, s.digest)):
        for digest in statement.previous:
            if digest not in excused:
                missing[digest] = (*missing.get(digest, ()), statement.digest)
    return missing
