"""What a project declares, and the scoreboard that its evidence supports."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pv_harness.board.scoreboard import derive_scoreboard
from pv_harness.digest import digest_of
from pv_harness.evidence.store import read_statements
from pv_harness.evidence.summary import summarize
from pv_harness.evidence.verification import verify_summaries
from pv_harness.evidence_index.index import read_extract
from pv_harness.fingerprint.sources import SourceTree
from pv_harness.user_cache import find_cache_folder
from pv_harness.validating.remembered import load_remembered


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pv_harness.board.scoreboard import Row, Scoreboard
    from pv_harness.contracts.bindings import Check
    from pv_harness.contracts.contract import Contract, Falsifier
    from pv_harness.evidence.records import PatchRecord, RunRecord
    from pv_harness.evidence_index.extract import Extract
    from pv_harness.project import Project


@dataclass(frozen=True, slots=True)
class Declared:
    """The contracts of a project, all valid, and the checks bound to them."""

    project: Project
    contracts: tuple[Contract, ...]
    checks: dict[str, tuple[Check, ...]]
    configuration: Mapping[str, str]
    """Contract path -> digest of its bytes, as they were read."""
    void: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Falsifier ID -> name of a change that can't be planted on this tree -> why."""


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
    return Declared(project, loaded.contracts, by_id, configuration, loaded.void)


def read_board(
    declared: Declared, extra_runs: Sequence[RunRecord] = (), *, history: bool = False
) -> Scoreboard:
    """The scoreboard that the stored evidence supports on the tree as it is.

    Args:
        declared: the contracts and checks.
        extra_runs: records beyond those in the store.
        history: whether rows hold every record that there is, with its curves. Without it they
            hold those that statuses can rest on, and not every file has to be read for that.

    Raises:
        EvidenceError: evidence is unreadable or altered.
        UsageError: there are signatures to verify, and a key can't be read or the library
            for it is missing.
    """
    folder, now_s = declared.project.evidence, time.time()
    if not history:
        evidence = read_evidence(declared)
        board = derive_board(declared, evidence, extra_runs)
        return replace(board, findings=verify_summaries(folder, evidence.summaries, now_s))
    statements = read_statements(folder, declared.project.keys)
    runs = [run for statement in statements for run in statement.runs]
    patches = [patch for statement in statements for patch in statement.patches]
    board = _derive(declared, [*runs, *extra_runs], patches)
    summaries = [summarize(statement) for statement in statements]
    return replace(board, findings=verify_summaries(folder, summaries, now_s))


def read_evidence(declared: Declared) -> Extract:
    """What statuses can rest on in the project's evidence.

    Raises:
        EvidenceError: as for `read_board`.
        UsageError: as for `read_board`.
    """
    project = declared.project
    falsifiers = {f.id: f for contract in declared.contracts for f in contract.falsifiers}
    return read_extract(
        project.evidence,
        falsifiers,
        declared=digest_of(
            dict(declared.configuration) or [f.claim_digest for f in falsifiers.values()]
        ),
        keys=project.keys,
        cache=find_cache_folder(os.environ),
        now_s=time.time(),
    )


def derive_board(
    declared: Declared, evidence: Extract, extra_runs: Sequence[RunRecord] = ()
) -> Scoreboard:
    """The scoreboard that this evidence supports on the tree as it is."""
    return _derive(declared, [*evidence.runs, *extra_runs], evidence.patches)


def _derive(
    declared: Declared, runs: Sequence[RunRecord], patches: Sequence[PatchRecord]
) -> Scoreboard:
    project = declared.project
    tree = SourceTree(project.root, project.import_roots)
    contracts, checks = declared.contracts, declared.checks
    return derive_scoreboard(contracts, checks, runs, patches, tree, declared.void)


def rows_of(declared: Declared, selected: Sequence[Falsifier]) -> list[Row]:
    """The rows of the board that these falsifiers stand in."""
    wanted = {falsifier.id for falsifier in selected}
    return [row for row in read_board(declared).rows if row.falsifier.id in wanted]
