"""What made evidence stale, down to the line, where git still has what was measured.

A manifest holds digests, not texts. So the version that was measured is looked for among the
committed ones of the same file; where it was never committed, the file alone is named.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from pv_harness.contracts.reading import read_falsifier
from pv_harness.digest import digest_bytes
from pv_harness.documents.loading import load
from pv_harness.fingerprint.manifest import EntryKind
from pv_harness.git import ask_git
from pv_harness.regular_file import read_regular
from pv_harness.wording import show


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pv_harness.board.scoreboard import Row
    from pv_harness.contracts.contract import Falsifier
    from pv_harness.fingerprint.manifest import Entry

_REVISIONS = 30
"""As many versions of one file as are looked at, the newest first."""
_EXAMINED = 8
"""As many changes as are looked into; those after them are named alone."""
_MAX_SIZE_BYTES = 4 << 20
_SECONDS = 10
_CLAIM = (
    "rule",
    "prediction",
    "if_fails",
    "requires",
    "counted",
    "covers",
    "inputs",
    "bounds",
    "levels",
    "seeds",
)
"""The fields of a falsifier that its claim digest is made of."""


def describe_changes(root: Path, row: Row) -> tuple[str, ...]:
    """One text per change since the record that the row's status rests on; none if it is fresh.

    With what stands there now and what stood there, where git can tell.
    """
    record = row.status.record
    if record is None:
        return ()
    entries = {(entry.kind, entry.name): entry for entry in record.manifest.entries}
    told = []
    for index, change in enumerate(row.changes):
        entry = entries.get((change.kind, change.name))
        more = _look_into(root, row, entry) if entry and index < _EXAMINED else ""
        told.append(str(change) + (f"; {more}" if more else ""))
    return tuple(told)


def _look_into(root: Path, row: Row, entry: Entry) -> str:
    match entry.kind:
        case EntryKind.SOURCE:
            return _changed_line(root, entry)
        case EntryKind.CLAIM:
            return _changed_field(root, row, entry)
        case EntryKind.CHECKS:
            now = ", ".join(check.node_id for check in row.checks)
            return f"bound now: {now}"
        case EntryKind.INPUT | EntryKind.ABSENT | EntryKind.SETTING:
            return ""


def _changed_line(root: Path, entry: Entry) -> str:
    try:
        now = read_regular(root / entry.name, _MAX_SIZE_BYTES)
    except OSError:
        return ""
    for revision, before in _versions(root, entry.name):
        if digest_bytes(before) == entry.bytes_digest:
            return _first_difference(before, now, revision, python=entry.name.endswith(".py"))
    return ""


def _first_difference(before: bytes, now: bytes, revision: str, *, python: bool) -> str:
    old, new = _lines_that_count(before, python=python), _lines_that_count(now, python=python)
    pairs = zip(old, new, strict=False)
    same = next((i for i, (a, b) in enumerate(pairs) if a[1] != b[1]), min(len(old), len(new)))
    was = f"was {show(old[same][1].strip())} in {revision}" if same < len(old) else ""
    if same < len(new):
        number, text = new[same]
        return f"line {number} is {show(text.strip())}, {was or f'and was not in {revision}'}"
    return f"the end is gone; {was}"


def _lines_that_count(data: bytes, *, python: bool) -> list[tuple[int, str]]:
    """Lines with their numbers; of Python without blank ones and comments."""
    lines = enumerate(data.decode("utf-8", "replace").splitlines(), 1)
    if not python:
        return list(lines)
    return [(number, t) for number, t in lines if t.strip() and not t.lstrip().startswith("#")]


def _changed_field(root: Path, row: Row, entry: Entry) -> str:
    for revision, data in _versions(root, str(row.contract.path)):
        before = _claim_in(data, entry)
        if before is not None:
            return _differing_fields(before, row.falsifier, revision)
    return ""


def _claim_in(data: bytes, entry: Entry) -> Falsifier | None:
    """The claim that was measured, if this version of the contract holds it."""
    value = load(data, "").value
    falsifiers = value.get("falsifiers") if isinstance(value, dict) else None
    for item in falsifiers if isinstance(falsifiers, list) else ():
        if isinstance(item, dict) and item.get("id") == entry.name:
            try:
                falsifier = read_falsifier(item)
            except (KeyError, TypeError, ValueError, AttributeError, IndexError):
                return None  # a version that was never valid
            return falsifier if falsifier.claim_digest == entry.digest else None
    return None


def _differing_fields(before: Falsifier, now: Falsifier, revision: str) -> str:
    told = [
        f"{name} is {_spell(getattr(now, name))}, was {_spell(getattr(before, name))}"
        for name in _CLAIM
        if getattr(now, name) != getattr(before, name)
    ]
    return f"{'; '.join(told)} in {revision}"


def _spell(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_spell, value)) or "empty"
    name = getattr(value, "level", None)
    return str(name.value) if name is not None else str(value)


def _versions(root: Path, name: str) -> Iterator[tuple[str, bytes]]:
    """Short commit and content of the committed versions of a file, the newest first."""
    listed = _git(root, "log", f"--max-count={_REVISIONS}", "--format=%h", "--", f"./{name}")
    for revision in (listed or b"").decode("ascii", "replace").split():
        data = _git(root, "cat-file", "blob", f"{revision}:./{name}")
        if data is not None:
            yield revision, data


def _git(root: Path, *words: str) -> bytes | None:
    """What git prints, or None where there is no repository, no git or no such object."""
    try:
        done = ask_git(root, *words, timeout_s=_SECONDS)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
