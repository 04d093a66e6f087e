"""What changed since the last release, as far as it can be told at once, for the page of a run.

To derive how an old tree stands takes as long as to judge the present one. So the contracts of
the release are read from git, those alone that differ, and how each claim stood is told where
the release holds the scoreboard of its time. `pv diff` takes the time for the whole answer.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pv_harness.board.html.comparison import NotCompared, Since
from pv_harness.board.json_document import scoreboard_document
from pv_harness.board.scoreboard import Row, Scoreboard
from pv_harness.comparing.comparison import compare
from pv_harness.comparing.snapshot import read_snapshot
from pv_harness.contracts.file_search import CONTRACT_SUFFIXES
from pv_harness.deriving.status import Status, StatusKind
from pv_harness.errors import InfrastructureError, UsageError
from pv_harness.workflow.release_files import is_unchanged, list_blobs, read_blobs
from pv_harness.workflow.release_tag import NoRelease, find_last_release


if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from pv_harness.comparing.snapshot import Snapshot, Standing
    from pv_harness.contracts.contract import Contract
    from pv_harness.project import Project
    from pv_harness.workflow.release_files import Blob
    from pv_harness.workflow.release_tag import ReleaseTag

MAX_BYTES = 1 << 19
"""Contracts that differ are read up to this size in all: some 0.1 s."""
MAX_BOARD_BYTES = 1 << 20
"""So much of a scoreboard, some 150 falsifiers, is read and compared in 0.1 s."""
_UNREADABLE = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    RecursionError,
    UsageError,
)
"""What the reading of a contract or scoreboard that nobody has validated may end in."""


def since_last_release(
    project: Project, board: Scoreboard, max_bytes: int = MAX_BYTES
) -> Since | NotCompared:
    """What changed between the last release and `board`, or why that can't be told.

    Nothing that can be wrong with git or with a release is an error: a run has another job.
    """
    try:
        release = find_last_release(project.root)
        if isinstance(release, NoRelease):
            return NotCompared(release.why)
        return _compare(project, release, board, max_bytes)
    except InfrastructureError as error:
        return NotCompared(f"No release is known: {error}")


def _compare(
    project: Project, release: ReleaseTag, board: Scoreboard, max_bytes: int
) -> Since | NotCompared:
    root, path = project.root, project.relative(project.reports / "scoreboard.json")
    contracts = {str(contract.path): contract for contract, _ in board.by_contract()}
    wanted = [path, *map(project.relative, project.contracts), *contracts]
    blobs: Sequence[Blob] = list_blobs(root, release.commit, wanted)
    standings, unknown = _read_standings(root, [blob for blob in blobs if blob.path == path])
    blobs = [blob for blob in blobs if _may_be_contract(blob.path, contracts)]
    same = {blob.path for blob in blobs if is_unchanged(root / blob.path, blob)}
    differing = [blob for blob in blobs if blob.path not in same]
    if sum(blob.size_bytes for blob in differing) > max_bytes:
        why = f"The contracts have changed too much since {release.name} to tell it in a run."
        return NotCompared(why, release.name)
    try:
        old = _read_contracts(root, differing)
        if unknown:
            # A contract that is as it was has nothing more to tell.
            before, now = _snapshot(_unjudged(old)), _snapshot(_without(board, same))
            found = replace(compare(before, now), moves=())
        else:
            old += [contract for name, contract in contracts.items() if name in same]
            before = replace(_snapshot(_unjudged(old)), standings=standings)
            found = compare(before, _snapshot(board))
    except _UNREADABLE:
        why = f"The contracts of {release.name} can't be read by this version of pv."
        return NotCompared(why, release.name)
    return Since(release.name, found, release.made_s, unknown)


def _may_be_contract(path: str, contracts: Collection[str]) -> bool:
    place = PurePosixPath(path)
    is_hidden = any(part.startswith(".") for part in place.parts)
    return path in contracts or (place.suffix in CONTRACT_SUFFIXES and not is_hidden)


def _read_contracts(root: Path, blobs: Sequence[Blob]) -> list[Contract]:
    """The native contracts among the files; others make no claims that could be compared."""
    if not blobs:
        return []
    # The YAML parser: a run that finds its contracts remembered needs none.
    from pv_harness.contracts.reading import read_contract  # noqa: PLC0415
    from pv_harness.documents.loading import load  # noqa: PLC0415

    files = zip(blobs, read_blobs(root, blobs), strict=True)
    documents = [load(data, blob.path) for blob, data in files]
    return [read_contract(found) for found in documents if _is_native(found.value)]


def _is_native(value: object) -> bool:
    return isinstance(value, dict) and "apiVersion" in value and "falsifiers" in value


def _read_standings(root: Path, boards: Sequence[Blob]) -> tuple[Mapping[str, Standing], str]:
    """How each claim stood by the scoreboard that the release holds, or why that is unknown."""
    if not boards:
        return {}, "it holds no scoreboard"
    if boards[0].size_bytes > MAX_BOARD_BYTES:
        return {}, "its scoreboard is too large for a run"
    try:
        return read_snapshot(json.loads(read_blobs(root, boards[:1])[0])).standings, ""
    except _UNREADABLE:
        return {}, "its scoreboard can't be read"


def _unjudged(contracts: Iterable[Contract]) -> Scoreboard:
    """The claims alone."""
    return Scoreboard(
        tuple(
            Row(contract, falsifier, Status(StatusKind.NOT_RUN, falsifier.ceiling))
            for contract in contracts
            for falsifier in contract.falsifiers
        )
    )


def _without(board: Scoreboard, paths: Collection[str]) -> Scoreboard:
    return Scoreboard(tuple(row for row in board.rows if str(row.contract.path) not in paths))


def _snapshot(board: Scoreboard) -> Snapshot:
    return read_snapshot(scoreboard_document(board, now_s=0.0))
