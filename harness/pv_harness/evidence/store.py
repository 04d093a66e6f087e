"""The evidence folder: content-addressed, append-only, and whole whenever we are killed.

A statement's file name is the SHA-256 of its bytes, so that writing twice is writing once, two
runs at once can't disturb each other, and an altered file shows.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pv_harness.atomic_file import make_folder, write_atomically
from pv_harness.digest import digest_bytes
from pv_harness.errors import EvidenceError, InfrastructureError, StatementTooLargeError
from pv_harness.evidence.chain import find_heads
from pv_harness.evidence.envelope import decode_envelope, parse_json
from pv_harness.evidence.fields import Field, is_digest
from pv_harness.evidence.finding import Finding, FindingKind
from pv_harness.evidence.folder import list_entries
from pv_harness.evidence.signing import Keyring
from pv_harness.evidence.statement import (
    SUFFIX,
    decode_statement,
    encode_statement,
    read_payload,
)
from pv_harness.regular_file import read_regular, reason


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pv_harness.evidence.chain import Linked
    from pv_harness.evidence.signing import Signer
    from pv_harness.evidence.statement import RunStatement

_MAX_SIZE_BYTES = 64 << 20
_ABANDONED_S = 3600.0
"""A file that is still being written is never this old."""
RESTORE = (
    "restore it from where it was made, or move the whole folder away and measure again with "
    "`pv run`"
)
_NO_KEYS = Keyring({})


def append_statement(
    folder: Path,
    run: RunStatement,
    signer: Signer | None = None,
    known: Mapping[str, Linked] | None = None,
) -> str:
    """Store a run and return its digest. Afterwards the file is there, whole and on disk.

    The stored statement refers to the heads of the store, whatever the `previous` of `run` is.

    Args:
        folder: the store.
        run: what is stored.
        signer: signs it; None for no signature.
        known: digest -> what is known of statements that need not be read to find the heads.

    Raises:
        InfrastructureError: the folder can't be written, or the statement holds what no
            reader takes; then nothing was stored.
        StatementTooLargeError: the statement is larger than any that is read.
        EvidenceError: the folder is none or can't be listed.
    """
    heads = _heads_to_name(folder, (gone.digest for gone in run.removed), known or {})
    linked = replace(run, previous=heads)
    data = encode_statement(linked, signer)
    if len(data) > _MAX_SIZE_BYTES:
        raise StatementTooLargeError(
            f"{folder}: the statement of this run has {len(data):,} bytes, at most "
            f"{_MAX_SIZE_BYTES:,} are read; measure fewer falsifiers at once"
        )
    digest = digest_bytes(data)
    try:
        decode_statement(data, digest)
    except EvidenceError as error:
        # Stored, it would stop every command until somebody takes the file away.
        raise InfrastructureError(
            f"{folder}: the statement of this run could not be read again: {error}; it is not "
            "stored"
        ) from error
    store_bytes(folder, digest, data)
    return digest


def store_bytes(folder: Path, digest: str, data: bytes) -> None:
    """Put the bytes of a statement into the store, and clear away what killed writers left.

    Raises:
        InfrastructureError: the folder can't be written; then nothing was stored.
    """
    target = folder / f"{digest}{SUFFIX}"
    try:
        make_folder(folder)
        write_atomically(target, data)
    except OSError as error:
        raise InfrastructureError(
            f"{folder}: evidence can't be written ({reason(error)}); this run is not stored"
        ) from error
    _clear_abandoned(folder, target)


def read_statements(
    folder: Path, keys: Mapping[str, Path] | None = None
) -> tuple[RunStatement, ...]:
    """Every statement of the store, oldest first. No folder is an empty store.

    Args:
        folder: the store.
        keys: signer's name -> file of its public key. With keys, `signed_by` of each
            statement holds the names whose signature verifies.

    Raises:
        EvidenceError: the folder is none or can't be listed, a file can't be read, its bytes
            are not those that its name promises, it holds no statement, or a signature
            claims one of the keys and does not verify.
        UsageError: there are signatures to verify, and a key can't be read or the library
            for it is missing.
    """
    keyring = Keyring(keys or {})
    statements = [read_statement(file, keyring) for file in list_files(folder)]
    return tuple(sorted(statements, key=lambda s: (s.started_s, s.digest)))


def list_files(folder: Path) -> list[Path]:
    """The files of all statements in the store, sorted by name. No folder is an empty store.

    Raises:
        EvidenceError: the folder is none or can't be listed.
    """
    return [folder / entry.name for entry in list_entries(folder)]


def read_statement(file: Path, keyring: Keyring = _NO_KEYS) -> RunStatement:
    """One statement, its bytes checked against its name, its signatures against the keys.

    Raises:
        EvidenceError: as for `read_statements`.
        UsageError: as for `read_statements`.
    """
    found = examine_file(file, keyring)
    if isinstance(found, Finding):
        raise EvidenceError(str(found))
    return found


def examine_file(file: Path, keyring: Keyring = _NO_KEYS) -> RunStatement | Finding:
    """The statement in a file of the store, or what is wrong with the file.

    Raises:
        UsageError: as for `read_statements`.
    """
    try:
        data = read_bytes(file)
    except OSError as error:
        return Finding(FindingKind.UNREADABLE, file, reason(error), RESTORE)
    promised, digest = file.name.removesuffix(SUFFIX), digest_bytes(data)
    if digest != promised:
        name = f"{promised[:12]}…" if is_digest(promised) else "no digest at all"
        what = f"its bytes have the digest {digest[:12]}…, its name promises {name}"
        return Finding(FindingKind.ALTERED, file, what, RESTORE)
    try:
        envelope = decode_envelope(data)
        run = read_payload(envelope, digest)
    except EvidenceError as error:
        return Finding(FindingKind.MALFORMED, file, str(error), RESTORE)
    try:
        signed_by = keyring.signers(envelope)
    except EvidenceError as error:
        return Finding(FindingKind.SIGNATURE, file, str(error), RESTORE)
    return replace(run, signed_by=signed_by) if signed_by else run


def read_bytes(file: Path) -> bytes:
    """The bytes of a file of the store, which is no link to somewhere else.

    Raises:
        OSError: it is a link, no regular file, too large, or can't be read.
    """
    if stat.S_ISLNK(os.lstat(file).st_mode):
        raise OSError(errno.EINVAL, "is a link, it should be a regular file")
    return read_regular(file, _MAX_SIZE_BYTES)


@dataclass(frozen=True, slots=True)
class _Links:
    """What a statement says about others: which were there before it, which it removed."""

    previous: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def _heads_to_name(
    folder: Path, removing: Iterable[str], known: Mapping[str, Linked]
) -> tuple[str, ...]:
    """The heads of the store, without what is about to be removed.

    A file that can't be read counts by its name, so that nothing gets lost from sight by being
    damaged first and deleted later.
    """
    links: dict[str, _Links] = {}
    for file in list_files(folder):
        digest = file.name.removesuffix(SUFFIX)
        if digest in known:
            removed = tuple(gone.digest for gone in known[digest].removed)
            links[digest] = _Links(known[digest].previous, removed)
        elif is_digest(digest):
            links[digest] = _read_links(file, digest)
    gone = {name for link in links.values() for name in link.removed} | set(removing)
    return find_heads({digest: link.previous for digest, link in links.items()}, gone)


def _read_links(file: Path, digest: str) -> _Links:
    """The links of a statement, without reading its records; none if it is damaged."""
    try:
        data = read_bytes(file)
        if digest_bytes(data) != digest:
            return _Links()
        own = Field(parse_json(decode_envelope(data).payload))["predicate"]["pv"]
        removed = tuple(item["digest"].digest() for item in own["removed"].items())
        return _Links(own["previous"].digests(), removed)
    except (OSError, EvidenceError):
        return _Links()


def _clear_abandoned(folder: Path, newest: Path) -> None:
    """Remove what writers left that were killed long before `newest` was written.

    Ages are by the clock that stamps files, which on a network share is not ours. Nothing
    rests on this: what can't be removed now is left for the next time.
    """
    try:
        now_s = newest.stat().st_mtime
        with os.scandir(folder) as entries:
            for entry in entries:
                ours = entry.name.startswith(".") and f"{SUFFIX}." in entry.name
                if ours and now_s - entry.stat(follow_symlinks=False).st_mtime > _ABANDONED_S:
                    Path(entry.path).unlink(missing_ok=True)
    except OSError:
        return
