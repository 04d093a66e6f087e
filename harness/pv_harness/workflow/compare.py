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
from pv_harness.errors import ContractError, InfrastructureError, UsageError
from pv_harness.fingerprint.manifest import EntryKind
from pv_harness.git import ask_git
from pv_harness.project import load_project
from pv_harness.regular_file import is_regular, read_regular, reason
from pv_harness.temporary_folders import owned_folder
from pv_harness.validating.validation import load_judged
from pv_harness.wording import printable
from pv_harness.workflow.declared import Declared, read_board, read_declared, read_evidence


if TYPE_CHECKING:
    from collections.abc import Iterable

    from pv_harness.comparing.comparison import Comparison
    from pv_harness.contracts.bindings import Check
    from pv_harness.project import Project
    from pv_harness.validating.validation import Judged

WORKING_TREE = "."
_REFERENCES = (
    "give a revision, a file that `pv scoreboard --format json` wrote, or `.` for the "
    "working tree"
)
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
    if not reference:
        # Such as "$BASE" in a script: two times this tree would show no difference.
        raise UsageError(f"a reference is empty; {_REFERENCES}")
    if reference == WORKING_TREE:
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
        if is_regular(file):
            return _read_document(file)
        raise UsageError(
            f"{name}: neither a git revision nor a file; git says: {error}; {_REFERENCES}"
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
    # Not `read_declared`, which remembers its answers: this folder is never asked about again.
    try:
        judged = load_judged(then)
    except UsageError:
        # From before there was a contract: all that is there now has been added.
        return scoreboard_document(Scoreboard(()), now_s=time.time())
    declared = _declared(then, judged)
    if _borrow_inputs(folder, project, declared) and judged.void:
        # What could not be planted for want of a file that is made may have one now.
        declared = _declared(then, load_judged(then))
    return scoreboard_document(read_board(declared), now_s=time.time())


def _declared(project: Project, judged: Judged) -> Declared:
    checks = _by_falsifier(judged.checks)
    return Declared(project, judged.contracts, checks, {}, judged.void)


def _by_falsifier(checks: Iterable[Check]) -> dict[str, tuple[Check, ...]]:
    grouped: dict[str, tuple[Check, ...]] = {}
    for check in checks:
        grouped[check.falsifier_id] = (*grouped.get(check.falsifier_id, ()), check)
    return grouped


def _borrow_inputs(folder: Path, project: Project, declared: Declared) -> bool:
    """Link the inputs that evidence names and that git does not hold: they are made, not kept.

    Which bytes they have now decides, as for the working tree. Evidence may be by anybody, and
    only the board's own is asked, its signatures verified: what is linked is an input that a
    claim of the revision declares, and no file that git holds now, as a source is.

    Returns whether there was any.
    """
    asked = {name for c in declared.contracts for f in c.falsifiers for name in f.inputs}
    manifests = [group.manifest for group in read_evidence(declared).groups]
    entries = {e.name for m in manifests for e in m.entries if e.kind is EntryKind.INPUT}
    paths = set()
    for label, _, name in (entry.partition("=") for entry in entries):
        path = PurePosixPath(name)
        is_inside = path.parts and not path.is_absolute() and ".." not in path.parts
        theirs, ours = folder / path, project.root / path
        is_lacking = ours.exists() and not theirs.exists() and not theirs.is_symlink()
        if label.partition(".")[0] in asked and is_inside and is_lacking:
            paths.add(path)
    made = sorted(path for path in paths if not _is_kept(project.root, path))
    for path in made:
        # Below a folder that was just linked it is there already.
        if not (folder / path).exists():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).symlink_to(project.root / path)
    return bool(made)


def _is_kept(root: Path, path: PurePosixPath) -> bool:
    """True if git holds the file, or any below it."""
    done = ask_git(root, "--literal-pathspecs", "ls-files", "-z", "--", str(path))
    return done.returncode != 0 or bool(done.stdout)
