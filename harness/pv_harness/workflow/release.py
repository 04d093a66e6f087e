"""`pv release`: the release file and the board together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.contracts.file_search import CONTRACT_SUFFIXES, walk_files
from pv_harness.documents.loading import load_file
from pv_harness.errors import ContractError, UsageError
from pv_harness.policy.release import assess_release
from pv_harness.policy.release_reading import read_release
from pv_harness.regular_file import read_regular
from pv_harness.wording import printable
from pv_harness.workflow.declared import read_board


if TYPE_CHECKING:
    from pathlib import Path

    from pv_harness.policy.release import Release, ReleaseStanding
    from pv_harness.project import Project
    from pv_harness.workflow.declared import Declared

_MAX_SIZE_BYTES = 1 << 20


def find_release(project: Project) -> Path:
    """The one file of kind release among the project's contracts.

    Raises:
        UsageError: there is none, or more than one.
    """
    found = [file for file in _candidates(project) if _is_release(file, project)]
    if len(found) == 1:
        return found[0]
    where = ", ".join(map(project.relative, project.contracts))
    if not found:
        remedy = "give a FILE; `pv schema release` says what it holds"
        raise UsageError(f"{where}: no file of `kind: release` there; {remedy}")
    names = ", ".join(map(project.relative, found))
    raise UsageError(f"{len(found)} files of `kind: release`; give one of {names}")


def read_release_file(path: Path, project: Project) -> Release:
    """The release that a file states.

    Raises:
        ContractError: it can't be judged; the error holds every problem found.
    """
    release, problems = read_release(load_file(path, printable(project.relative(path))))
    if release is None:
        raise ContractError(problems)
    return release


def stand_release(declared: Declared, release: Release) -> ReleaseStanding:
    """How far a release is, on the evidence as it is.

    Raises:
        EvidenceError: evidence is unreadable or altered.
    """
    return assess_release(release, read_board(declared).rows)


def _candidates(project: Project) -> list[Path]:
    files: list[Path] = []
    for place in project.contracts:
        files += walk_files(place, CONTRACT_SUFFIXES) if place.is_dir() else [place]
    return sorted(set(files))


def _is_release(path: Path, project: Project) -> bool:
    # The YAML parser takes a second for a hundred contracts; most are none by their text.
    try:
        if b"release" not in read_regular(path, _MAX_SIZE_BYTES):
            return False
    except OSError:
        return False
    value = load_file(path, project.relative(path)).value
    return isinstance(value, dict) and value.get("kind") == "release"
