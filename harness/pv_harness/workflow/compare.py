"""`pv diff`: the scoreboards that a command line names, as documents."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from pv_harness.board.json_document import scoreboard_document
from pv_harness.board.scoreboard import Scoreboard
from pv_harness.comparing.comparison import compare
from pv_harness.comparing.revision import extract_tree, find_tree
from pv_harness.comparing.snapshot import read_snapshot
from pv_harness.contracts.validation import load_judged
from pv_harness.errors import ContractError, InfrastructureError, UsageError
from pv_harness.evidence.store import read_statements
from pv_harness.fingerprint.manifest import EntryKind
from pv_harness.project import load_project
from pv_harness.regular_file import read_regular, reason
from pv_harness.temporary_folders import owned_folder
from pv_harness.wording import printable
from pv_harness.workflow.declared import Declared, read_board, read_declared


if TYPE_CHECKING:
    from collections.abc import Iterable

    from pv_harness.comparing.comparison import Comparison
    from pv_harness.contracts.bindings import Check
    from pv_harness.project import Project

WORKING_TREE = "."
_MAX_SIZE_BYTES = 256 << 20


def compare_references(old: str, new: str, project: Project) -> Comparison:
    """The comparison of two scoreboards, each named as for `document_of`.

    Raises:
        UsageError: as `document_of`.
        EvidenceError: evidence is unreadable or altered.
    """
    before = read_snapshot(document_of(old, project), printable(old))
    return compare(before, read_snapshot(document_of(new, project), printable(new)))


def document_of(reference: str, project: Project) -> dict[str, Any]:
    """The scoreboard document that a reference means.

    A reference is `.` for the working tree, a git revision, or a file that
    `pv scoreboard --format json` wrote. What ends in `.json` is a file; of other names git is
    asked first. The statuses of a revision are derived from the evidence that the project has
    now: fingerprints decide what of it still speaks.

    Raises:
        UsageError: it means nothing, the file is none, or the contracts there can't be judged.
        EvidenceError: evidence is unreadable or altered.
        InfrastructureError: git can't be started, or a file can't be written.
    """
    if reference in {"", WORKING_TREE}:
        return scoreboard_document(read_board(read_declared(project)), now_s=time.time())
    name = printable(reference)
    if "\0" in reference:
        raise UsageError(f"{name}: holds a NUL character; neither a file nor a revision can")
    file = Path(reference)
    if file.suffix == ".json":
        return _read_document(file)
    try:
        tree = find_tree(project.root, reference)
    except UsageError as error:
        if file.is_file():
            return _read_document(file)
        raise UsageError(
            f"{name}: neither a git revision nor a file; git says: {error}; give a revision, "
            "a file that `pv scoreboard --format json` wrote, or `.` for the working tree"
        ) from error
    return _document_of_tree(tree, name, project)


def _read_document(file: Path) -> dict[str, Any]:
    name = printable(str(file))
    try:
        document = json.loads(read_regular(file, _MAX_SIZE_BYTES))
    except OSError as error:
        raise UsageError(f"{name}: can't be read: {reason(error)}") from error
    except (ValueError, RecursionError) as error:
        what = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise UsageError(f"{name}: is not JSON: {what}") from error
    if not isinstance(document, dict):
        raise UsageError(f"{name}: should be the JSON object of a scoreboard")
    return document


def _document_of_tree(tree: str, name: str, project: Project) -> dict[str, Any]:
    try:
        with owned_folder("pv-diff-") as folder:
            extract_tree(project.root, tree, folder)
            try:
                return _document_of_folder(folder, project)
            except (UsageError, ContractError) as error:
                # The folder is ours and will be gone: the reader knows the revision.
                what = str(error).replace(f"{folder}/", "")
                raise UsageError(
                    f"{name}: the contracts of this revision can't be judged:\n{what}"
                ) from error
    except OSError as error:
        raise InfrastructureError(f"{name}: no temporary folder: {reason(error)}") from error


def _document_of_folder(folder: Path, project: Project) -> dict[str, Any]:
    then = replace(load_project(folder), evidence=project.evidence, keys=project.keys)
    _borrow_inputs(folder, project)
    # Not `read_declared`, which remembers its answers: this folder is never asked about again.
    try:
        judged = load_judged(then)
    except UsageError:
        # From before there was a contract: all that is there now has been added.
        return scoreboard_document(Scoreboard(()), now_s=time.time())
    checks = _by_falsifier(judged.checks)
    declared = Declared(then, judged.contracts, checks, {}, judged.void)
    return scoreboard_document(read_board(declared), now_s=time.time())


def _by_falsifier(checks: Iterable[Check]) -> dict[str, tuple[Check, ...]]:
    grouped: dict[str, tuple[Check, ...]] = {}
    for check in checks:
        grouped[check.falsifier_id] = (*grouped.get(check.falsifier_id, ()), check)
    return grouped


def _borrow_inputs(folder: Path, project: Project) -> None:
    """Link the inputs that evidence names and that git does not hold: they are made, not kept.

    Which bytes they have now decides, as for the working tree.
    """
    manifests = {r.manifest for s in read_statements(project.evidence) for r in s.runs}
    inputs = {e.name for m in manifests for e in m.entries if e.kind is EntryKind.INPUT}
    for name in sorted(inputs):
        path = PurePosixPath(name.partition("=")[2])
        if path.is_absolute() or ".." in path.parts or not path.parts:
            continue
        theirs, ours = folder / path, project.root / path
        if ours.exists() and not theirs.exists() and not theirs.is_symlink():
            theirs.parent.mkdir(parents=True, exist_ok=True)
            theirs.symlink_to(ours)
