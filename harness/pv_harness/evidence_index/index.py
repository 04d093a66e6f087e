"""The index of a store: its extract, remembered, so that what was read once is not read again.

It lies in the user's cache folder, and says of which files it was made. A file is known again
by its stamp, which changes with any change of the file; one that was changed a moment ago is
read every time until its stamp can be relied on. What is new is read and added. Where a file is
gone or another one, or the index is damaged, of another pv, of another store or for other keys,
the whole store is read again. `pv evidence verify` never comes here.

An attacker who can write to the user's cache folder, or set the clock of the file system, can
make an index that lies. They could change pv as well.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pv_harness.digest import digest_bytes, digest_of
from pv_harness.evidence.signing import MAX_KEY_BYTES, Keyring
from pv_harness.evidence.stamp import FileStamp, scan_stamps
from pv_harness.evidence.statement import SUFFIX
from pv_harness.evidence.store import read_statement
from pv_harness.evidence_index.extract import Extract, combine_extracts, extract_records
from pv_harness.evidence_index.extract_json import (
    extract_from_json,
    extract_to_json,
    summary_from_json,
)
from pv_harness.regular_file import read_regular
from pv_harness.user_cache import own_digest, recall, remember


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from pv_harness.contracts.contract import Falsifier
    from pv_harness.evidence.statement import RunStatement
    from pv_harness.evidence.summary import StatementSummary


@dataclass(frozen=True, slots=True)
class _Index:
    """An extract, the files that it was made of, and the claims that it answers for."""

    stamps: frozenset[FileStamp]
    declared: str
    extract: Extract


_BATCH_BYTES = 256 << 20
_NOTHING = _Index(frozenset(), "", Extract())


def read_extract(
    folder: Path,
    falsifiers: Mapping[str, Falsifier],
    *,
    declared: str,
    keys: Mapping[str, Path],
    cache: Path | None,
    now_s: float,
) -> Extract:
    """What statuses can rest on in a store; each file is read if it is new or has changed.

    Args:
        folder: the store.
        falsifiers: ID -> claim, as declared now.
        declared: a digest of all that declares them, or of them; to digest ten thousand claims
            would be a tenth of the work.
        keys: signer's name -> file of its public key.
        cache: the user's cache folder; None reads everything and remembers nothing.
        now_s: seconds since the epoch.

    Raises:
        EvidenceError: as for `read_statements`.
        UsageError: as for `read_statements`.
    """
    stamps = frozenset(scan_stamps(folder))
    keyring = Keyring(keys)
    if cache is None:
        return extract_records(_read(folder, stamps, keyring), falsifiers)
    file, key, trusted = _file(cache, folder), _key(folder), _digest_keys(keys)
    index = _recall(file, key, trusted)
    if not index.stamps <= stamps:
        index = _NOTHING
    if index.declared != declared:
        if not index.extract.answers(falsifiers):
            made = extract_records(_read(folder, index.stamps, keyring), falsifiers)
            index = replace(index, extract=combine_extracts(made, index.extract))
        index = replace(index, declared=declared)
        if index.stamps:
            remember(file, _to_json(index, key, trusted))
    settled = [s for s in sorted(stamps - index.stamps) if s.is_settled(now_s)]
    for batch in _batches(settled):
        # What was read of a large store is kept even if we are stopped before its end.
        read = _read(folder, batch, keyring)
        extract = extract_records(read, falsifiers, index.extract)
        index = _Index(index.stamps | set(batch), declared, extract)
        remember(file, _to_json(index, key, trusted))
    unsettled = _read(folder, stamps - index.stamps, keyring)
    return extract_records(unsettled, falsifiers, index.extract)


def recall_summaries(folder: Path, cache: Path | None) -> dict[str, StatementSummary]:
    """The statements of a store that the index knows and that are as they were, by digest.

    Raises:
        EvidenceError: the folder is none or can't be listed.
    """
    if cache is None:
        return {}
    stamps = {(stamp.name.removesuffix(SUFFIX), stamp) for stamp in scan_stamps(folder)}
    entry = recall(_file(cache, folder))
    try:
        if entry["key"] != _key(folder):
            return {}
        held = {FileStamp(*row) for row in entry["stamps"]}
        known = {digest for digest, stamp in stamps if stamp in held}
        rows = entry["extract"]["summaries"]
        found = {summary.digest: summary for summary in map(summary_from_json, rows)}
    except (ValueError, KeyError, TypeError):
        return {}
    return {digest: found[digest] for digest in known if digest in found}


def _batches(stamps: Iterable[FileStamp]) -> Iterator[list[FileStamp]]:
    """The stamps in their order, in lists of files that are some seconds' work."""
    batch: list[FileStamp] = []
    for stamp in stamps:
        batch.append(stamp)
        if sum(held.size for held in batch) > _BATCH_BYTES:
            yield batch
            batch = []
    if batch:
        yield batch


def _read(
    folder: Path, stamps: Iterable[FileStamp], keyring: Keyring
) -> Iterator[RunStatement]:
    for stamp in sorted(stamps):
        yield read_statement(folder / stamp.name, keyring)


def _recall(file: Path, key: str, trusted: list[list[str]]) -> _Index:
    entry = recall(file)
    try:
        if entry["key"] != key or entry["trusted"] != trusted:
            return _NOTHING
        stamps = frozenset(FileStamp(*row) for row in entry["stamps"])
        return _Index(stamps, entry["declared"], extract_from_json(entry["extract"]))
    except (ValueError, KeyError, TypeError, IndexError):
        return _NOTHING


def _to_json(index: _Index, key: str, trusted: list[list[str]]) -> dict[str, Any]:
    return {
        "key": key,
        "trusted": trusted,
        "declared": index.declared,
        "stamps": sorted(index.stamps),
        "extract": extract_to_json(index.extract),
    }


def _file(cache: Path, folder: Path) -> Path:
    return cache / f"evidence-{digest_of(str(folder))[:32]}.json"


def _key(folder: Path) -> str:
    return digest_of([own_digest(), str(folder)])


def _digest_keys(keys: Mapping[str, Path]) -> list[list[str]]:
    """Who is trusted: with other keys other signatures verify."""
    found = []
    for name, file in sorted(keys.items()):
        try:
            found.append([name, digest_bytes(read_regular(file, MAX_KEY_BYTES))])
        except OSError:
            found.append([name, "unreadable"])
    return found
