"""Which claims a change touches: the files that differ from a git revision, and whose."""

from __future__ import annotations

import os
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pv_harness.contracts.reading import read_contract
from pv_harness.documents.loading import load
from pv_harness.errors import PvError, UsageError
from pv_harness.fingerprint.building import build_manifest
from pv_harness.fingerprint.manifest import EntryKind
from pv_harness.fingerprint.sources import SourceTree
from pv_harness.git import ask_git, complaint_of
from pv_harness.wording import show


if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pv_harness.board.scoreboard import Row
    from pv_harness.contracts.contract import Falsifier
    from pv_harness.workflow.declared import Declared


def touched_by_change(declared: Declared, rows: Sequence[Row], revision: str) -> frozenset[str]:
    """The IDs of the claims that a change since `revision` may concern.

    That is, one whose text or planted changes differ, or of which a differing file is a source
    now, or was a source, an input or a file that was read when it was last measured.

    Raises:
        UsageError: the project lies in no git repository, or there is no such revision.
    """
    project = declared.project
    changed = changed_files(project.root, revision)
    if not changed:
        return frozenset()
    earlier = {
        str(contract.path): _claims_at(project.root, revision, str(contract.path))
        for contract in declared.contracts
        if str(contract.path) in changed
    }
    tree = SourceTree(project.root, project.import_roots)
    touched = set()
    for row in rows:
        path = str(row.contract.path)
        reworded = path in earlier and _text_of(row.falsifier) not in earlier[path]
        if reworded or _concerns(changed, _files_of(declared, row, tree)):
            touched.add(row.falsifier.id)
    return frozenset(touched)


def _concerns(changed: frozenset[str], files: frozenset[str]) -> bool:
    """True if a changed file is one of these, or lies below one of them: inputs are folders."""
    if changed & files:
        return True
    parents = {str(parent) for name in changed for parent in PurePosixPath(name).parents}
    return bool(parents & files)


def changed_files(root: Path, revision: str) -> frozenset[str]:
    """The files below `root` that differ from `revision`: edited, new, deleted; relative to it.

    Raises:
        UsageError: git can't say.
    """
    # What begins with a dash would be an option; no revision does.
    if not revision or revision.startswith("-") or "\0" in revision:
        raise UsageError(f"--changed {show(revision)}: that is no revision")
    name = f"{revision}^{{commit}}"
    commit = _git(root, revision, "rev-parse", "--verify", "--quiet", "--end-of-options", name)
    words = ("diff", "--name-only", "--relative", "--no-renames", "-z")
    differing = _git(root, revision, *words, commit.decode("ascii").strip(), "--")
    new = _git(root, revision, "ls-files", "-z", "--others", "--exclude-standard")
    return frozenset(os.fsdecode(f) for f in (differing + new).split(b"\0") if f)


def _git(root: Path, revision: str, *words: str) -> bytes:
    try:
        done = ask_git(root, *words)
    except OSError as error:
        raise UsageError(
            f"--changed needs git, which can't be run: {error.strerror}"
        ) from error
    if done.returncode:
        what = complaint_of(done) or "there is no such revision"
        raise UsageError(f"--changed {revision}: {what}")
    return done.stdout


def _claims_at(root: Path, revision: str, path: str) -> frozenset[str]:
    """What identifies each claim of a contract at a revision; empty if it can't be read."""
    try:
        data = _git(root, revision, "show", f"{revision}:./{path}")
        contract = read_contract(load(data, path))
    except (PvError, ValueError, KeyError, TypeError, AttributeError):
        return frozenset()
    return frozenset(map(_text_of, contract.falsifiers))


def _text_of(falsifier: Falsifier) -> str:
    return " ".join([falsifier.claim_digest, *(plant.digest for plant in falsifier.plants)])


def _files_of(declared: Declared, row: Row, tree: SourceTree) -> frozenset[str]:
    checks = declared.checks.get(row.falsifier.id, ())
    files = {str(row.contract.path)} if not checks else set()
    if checks:
        now = build_manifest(row.falsifier, checks, tree)
        files |= {e.name for e in now.entries if e.kind is EntryKind.SOURCE}
    files |= {str(plant.patch.file) for plant in row.falsifier.plants}
    last = max(row.runs, key=lambda run: run.record.finished_s, default=None)
    if last is not None:
        files |= set(last.record.opened)
        for entry in last.record.manifest.entries:
            if entry.kind is EntryKind.SOURCE:
                files.add(entry.name)
            elif entry.kind is EntryKind.INPUT:
                files.add(entry.name.partition("=")[2])
    return frozenset(files)
