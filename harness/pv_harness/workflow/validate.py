"""`pv validate`: the report on some paths, by the fastest way there is, and its ground."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pv_harness.contracts.file_search import CONTRACT_SUFFIXES
from pv_harness.documents.accelerators import RELEASES, find_accelerator
from pv_harness.project import CONFIGURATION
from pv_harness.validating.validation import validate
from pv_harness.workflow.kept_answers import Folder, Ground


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date

    from pv_harness.documents.document import Document
    from pv_harness.project import Project
    from pv_harness.validating.plain_files import PlainReading
    from pv_harness.validating.report import Report

_EXPLAINING = ("yaml", "jsonschema")
"""Packages whose words end up in ours, where they were asked."""


def validate_paths(
    paths: Sequence[str],
    project: Project,
    today: date,
    unsaved: Document | None = None,
    *,
    read_plain: PlainReading | None = None,
) -> tuple[Report, int]:
    """The report, and how many of its falsifiers have evidence.

    Raises:
        UsageError: a path names nothing, or a folder can't be listed.
        EvidenceError: evidence is unreadable or altered.
    """
    recorded = _recorded(project)
    report = validate(paths, project, today, recorded, unsaved, read_plain=read_plain)
    return report, sum(claim.id in recorded for claim in report.claims)


def _recorded(project: Project) -> frozenset[str]:
    """The IDs of the falsifiers that have evidence."""
    if not project.evidence.exists():
        return frozenset()
    from pv_harness.evidence.store import read_statements  # noqa: PLC0415

    # The count is printed, and what foreign files claim is held against it.
    statements = read_statements(project.evidence, project.keys)
    return frozenset(run.falsifier_id for statement in statements for run in statement.runs)


def find_ground(
    paths: Sequence[str], project: Project, start: Path, report: Report
) -> Ground | None:
    """All that the report rests on; None where that is not known.

    Patterns stand for files that are not there yet.
    """
    if not all(map(os.path.lexists, paths)):  # noqa: TID251
        return None
    # Mostly these are the same folders, and each is to be looked through once.
    places = [*(str(Path.cwd() / path) for path in paths), *map(str, project.contracts)]
    contracts = _folders(places, tuple(sorted(CONTRACT_SUFFIXES)))
    around = find_ground_around(project, start, report.planted)
    folders = {*contracts, *around.folders, Folder(str(project.evidence), ("",))}
    judges = (sys.modules.get(name) for name in _EXPLAINING)
    files = {
        *around.files,
        *report.looked_for,
        *(str(judge.__file__) for judge in judges if judge is not None),
    }
    return Ground(tuple(sorted(folders)), tuple(sorted(files)))


def find_ground_around(project: Project, start: Path, planted: Iterable[str]) -> Ground:
    """What the report on every single file rests on, besides that file.

    Args:
        project: whose configuration was looked for from `start` upward.
        start: the folder that the command is about.
        planted: the files that defects and controls change, as the contracts call them.
    """
    folders = {
        *_folders(map(str, project.checks), (".py",)),
        *(Folder(str(root), (".py",), importable=True) for root in project.source_roots),
        # Where no source root is configured, what lies in src decides which it is.
        Folder(str(project.root / "src"), (".py",)),
    }
    files = {
        *(str(folder / CONFIGURATION) for folder in _folders_up(start, project)),
        *map(str, project.keys.values()),
        *(str(project.root / name) for name in ("checks", "tests/falsifiers")),
        str(project.policy),
        *(os.path.join(project.root, name) for name in planted),  # noqa: PTH118, TID251
        *(str(package.__file__) for package in map(find_accelerator, RELEASES) if package),
    }
    return Ground(tuple(sorted(folders)), tuple(sorted(files)))


def _folders(paths: Iterable[str], endings: tuple[str, ...]) -> Iterator[Folder]:
    # A file is taken whatever its name; a folder without a child is one that may come to be.
    return (Folder(path, endings) for path in paths)


def _folders_up(start: Path, project: Project) -> Iterator[Path]:
    """The folders in which the configuration was looked for."""
    for folder in (start, *start.parents):
        yield folder
        if folder == project.root:
            break
