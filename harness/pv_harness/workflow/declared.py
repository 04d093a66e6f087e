"""What a project declares, and the scoreboard that its evidence supports."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pv_harness.board.scoreboard import derive_scoreboard
from pv_harness.contracts.remembered import find_cache_folder, load_remembered
from pv_harness.evidence.store import read_statements
from pv_harness.fingerprint.sources import SourceTree


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pv_harness.board.scoreboard import Row, Scoreboard
    from pv_harness.contracts.bindings import Check
    from pv_harness.contracts.contract import Contract, Falsifier
    from pv_harness.evidence.records import RunRecord
    from pv_harness.project import Project


@dataclass(frozen=True, slots=True)
class Declared:
    """The contracts of a project, all valid, and the checks bound to them."""

    project: Project
    contracts: tuple[Contract, ...]
    checks: dict[str, tuple[Check, ...]]
    configuration: Mapping[str, str]
    """Contract path -> digest of its bytes, as they were read."""


def read_declared(project: Project) -> Declared:
    """What the project declares; judged anew only where something has changed.

    Raises:
        ContractError: a contract or a binding is invalid; nothing may be judged then.
    """
    loaded = load_remembered(project, find_cache_folder(os.environ))
    by_id: dict[str, tuple[Check, ...]] = {}
    for check in loaded.checks:
        by_id[check.falsifier_id] = (*by_id.get(check.falsifier_id, ()), check)
    paths = sorted({str(contract.path) for contract in loaded.contracts})
    configuration = {path: loaded.digests[project.root / path] for path in paths}
    return Declared(project, loaded.contracts, by_id, configuration)


def read_board(declared: Declared, extra_runs: Sequence[RunRecord] = ()) -> Scoreboard:
    """The scoreboard that the stored evidence supports on the tree as it is.

    Args:
        declared: the contracts and checks.
        extra_runs: records beyond those in the store.

    Raises:
        EvidenceError: evidence is unreadable or altered.
    """
    project = declared.project
    statements = read_statements(project.evidence)
    return derive_scoreboard(
        declared.contracts,
        declared.checks,
        [*(r for s in statements for r in s.runs), *extra_runs],
        [p for s in statements for p in s.patches],
        SourceTree(project.root, project.import_roots),
    )


def rows_of(declared: Declared, selected: Sequence[Falsifier]) -> list[Row]:
    """The rows of the board that these falsifiers stand in."""
    wanted = {falsifier.id for falsifier in selected}
    return [row for row in read_board(declared).rows if row.falsifier.id in wanted]
