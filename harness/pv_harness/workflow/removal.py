"""`pv evidence gc`: take old statements out of the store, and change no status by it.

A note of what goes is stored first, so that the chain stays whole; only then are the files
removed. Killed in between, the next removal finishes it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pv_harness import __version__
from pv_harness.atomic_file import sync_folder
from pv_harness.board.scoreboard import derive_scoreboard
from pv_harness.deriving.derivation import judged_again
from pv_harness.deriving.levels import highest_level
from pv_harness.deriving.status import StatusKind
from pv_harness.errors import InfrastructureError
from pv_harness.evidence.records import Verdict
from pv_harness.evidence.retention import find_old
from pv_harness.evidence.statement import Removed, RunStatement
from pv_harness.evidence.store import append_statement
from pv_harness.evidence.verification import file_of
from pv_harness.evidence_index.index import recall_summaries
from pv_harness.fingerprint.sources import SourceTree
from pv_harness.regular_file import reason
from pv_harness.user_cache import find_cache_folder
from pv_harness.workflow.contradiction import contradicting


if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pv_harness.board.scoreboard import Row, Scoreboard
    from pv_harness.contracts.contract import Falsifier
    from pv_harness.deriving.status import Status
    from pv_harness.evidence.records import PatchRecord, RunRecord
    from pv_harness.evidence.retention import Keep
    from pv_harness.evidence.signing import Signer
    from pv_harness.workflow.declared import Declared

_NONE = (-1.0, "")


@dataclass(frozen=True, slots=True)
class Removal:
    """What would go, and what stays.

    Attributes:
        going: statements to remove, oldest first.
        noted: digests among these that a note tells of already: a removal was killed, or the
            note came with a merge. It alone removes nothing here.
        needed: old statements that stay because statuses rest on them.
    """

    going: tuple[RunStatement, ...]
    noted: frozenset[str]
    needed: tuple[RunStatement, ...]


def plan_removal(
    declared: Declared, statements: Sequence[RunStatement], keep: Keep, now_s: float
) -> Removal:
    """What can be taken out of the store with every status as it is.

    Args:
        declared: the contracts and checks that make the board.
        statements: the whole store.
        keep: which statements stay whatever they say.
        now_s: seconds since the epoch.
    """
    noted = frozenset(removed.digest for s in statements for removed in s.removed)
    old = {s.digest: s for s in find_old(statements, keep, now_s)}
    needed = _needed(declared, statements, set(old))
    return Removal(
        going=tuple(s for s in statements if s.digest in set(old) - needed),
        noted=noted & (set(old) - needed),
        needed=tuple(s for s in statements if s.digest in set(old) & needed),
    )


def carry_out(
    declared: Declared, removal: Removal, keep: str, now_s: float, signer: Signer | None
) -> None:
    """Note what goes, then remove its files.

    Args:
        declared: whose store it is.
        removal: what goes.
        keep: the rule, as it was asked for: the note says it.
        now_s: seconds since the epoch.
        signer: signs the note.

    Raises:
        InfrastructureError: the note can't be stored, and nothing is removed; or a file can't
            be removed, which the next removal tries again.
    """
    folder = declared.project.evidence
    fresh = [s for s in removal.going if s.digest not in removal.noted]
    if fresh:
        why = f"pv evidence gc --keep {keep}: no status rests on it"
        note = RunStatement(
            planned=(),
            configuration=declared.configuration,
            runs=(),
            patches=(),
            started_s=now_s,
            pv_version=__version__,
            removed=tuple(Removed(s.digest, why, len(s.runs), len(s.patches)) for s in fresh),
        )
        known = recall_summaries(folder, find_cache_folder(os.environ))
        append_statement(folder, note, signer, known)
    try:
        for statement in removal.going:
            file_of(folder, statement.digest).unlink(missing_ok=True)
        sync_folder(folder)
    except OSError as error:
        raise InfrastructureError(
            f"{folder}: a statement can't be removed ({reason(error)}); the next "
            "`pv evidence gc` tries again"
        ) from error


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Holds off every other removal in this store until the block ends, or we do.

    Raises:
        InfrastructureError: another one is at work, or the folder can't be opened.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise InfrastructureError(f"{folder}: can't be opened ({reason(error)})") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise InfrastructureError(
            f"{folder}: another `pv evidence gc` is at work here; wait for it to end"
        ) from error
    finally:
        os.close(descriptor)


def resting_on(row: Row, signers: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """The statements that a row of the board must not lose, nor a gate over it.

    These are: the one that its status rests on; every red one at the present fingerprint; the
    newest, and the newest of each signer, for each level, lane and environment, since a gate
    tells these apart, and likewise of each planted change; of a stale status, the proof that
    its level had.

    Args:
        row: one falsifier on the board.
        signers: statement's digest -> who has signed it.
    """
    found: set[str] = set()
    newest: dict[tuple[object, ...], tuple[float, str]] = {}

    def offer(record: RunRecord | PatchRecord, *kind: object) -> None:
        for who in ("", *signers.get(record.statement, ())):
            key = (*kind, record.lane, tuple(sorted((record.environment or {}).items())), who)
            newest[key] = max(newest.get(key, _NONE), (record.finished_s, record.statement))

    runs, patches = row.fresh_runs, row.fresh_patches
    if row.status.kind is StatusKind.STALE:
        runs = row.at_last_fingerprint.fresh_runs
        patches = row.at_last_fingerprint.fresh_patches
    for run in runs:
        if judged_again(row.falsifier, run).verdict is Verdict.FAILED:
            found.add(run.statement)
        offer(run, run.verdict, highest_level(row.falsifier, run)[0])
    for patch in patches:
        if not patch.outcome.counts:
            found.add(patch.statement)
        offer(patch, patch.patch_digest, patch.outcome.counts)
    found |= {statement for _, statement in newest.values()}
    last = row.status.record
    if last is not None:
        found.add(last.statement)
    return frozenset(found)


def _contrary(
    statements: Sequence[RunStatement], going: Collection[str], claims: Mapping[str, Falsifier]
) -> set[str]:
    """Those of the statements that would go, and can't if the others stay."""
    staying = [s for s in statements if s.digest not in going]
    return set(going) & contradicting(statements, staying, claims)


def _needed(
    declared: Declared, statements: Sequence[RunStatement], old: Collection[str]
) -> frozenset[str]:
    """The old statements without which some status would change."""
    tree = SourceTree(declared.project.root, declared.project.import_roots)
    before = _board(declared, statements, tree)
    signers = {s.digest: s.signed_by for s in statements}
    needed = {digest for row in before.rows for digest in resting_on(row, signers)} & set(old)
    claims = {row.falsifier.id: row.falsifier for row in before.rows}
    while True:
        while more := _contrary(statements, set(old) - needed, claims):
            needed |= more
        kept = [s for s in statements if s.digest not in old or s.digest in needed]
        after = _board(declared, kept, tree)
        changed = {
            row.falsifier.id
            for row, other in zip(before.rows, after.rows, strict=True)
            if _seen(row.status) != _seen(other.status)
        }
        if not changed:
            return frozenset(needed)
        # What `resting_on` names should do. Where it does not, keep too much, not too little.
        needed |= {s.digest for s in statements if s.digest in old and changed & _ids(s)}


def _board(
    declared: Declared, statements: Iterable[RunStatement], tree: SourceTree
) -> Scoreboard:
    kept = tuple(statements)
    return derive_scoreboard(
        declared.contracts,
        declared.checks,
        [r for s in kept for r in s.runs],
        [p for s in kept for p in s.patches],
        tree,
        declared.void,
    )


def _seen(status: Status) -> Status:
    """All that a status says; which of several equal records it rests on is no part of it."""
    return replace(status, record=None)


def _ids(statement: RunStatement) -> set[str]:
    ids = {r.falsifier_id for r in statement.runs}
    return ids | {p.falsifier_id for p in statement.patches}
