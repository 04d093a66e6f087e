"""Statements of other stores, the shards of a CI run say, brought into one.

A merge copies whole files and writes nothing of its own, so that merging twice is merging once
and the order of sources makes no difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

from pv_harness.digest import digest_bytes
from pv_harness.errors import EvidenceError, UsageError
from pv_harness.evidence.finding import FindingKind
from pv_harness.evidence.statement import SUFFIX
from pv_harness.evidence.store import list_files, read_bytes, store_bytes
from pv_harness.evidence.verification import file_of, find_gaps, survey_store
from pv_harness.regular_file import reason


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pv_harness.evidence.finding import Finding
    from pv_harness.evidence.statement import RunStatement


@dataclass(frozen=True, slots=True)
class Source:
    """One store that is merged from, and which of its statements are new here."""

    folder: Path
    statements: tuple[RunStatement, ...]
    new: tuple[RunStatement, ...]


@dataclass(frozen=True, slots=True)
class MergePlan:
    """What a merge would copy, and what speaks against it; with findings nothing is copied."""

    target: Path
    sources: tuple[Source, ...]
    findings: tuple[Finding, ...]


def plan_merge(
    target: Path,
    folders: Sequence[Path],
    *,
    keys: Mapping[str, Path],
    require_signed: bool,
    now_s: float,
) -> MergePlan:
    """What merging these stores into `target` would copy. Nothing is written.

    What statements refer to may lie in any of the stores.

    Raises:
        UsageError: a source is no folder, or holds no statement; or as `survey_store`.
        EvidenceError: a folder can't be listed.
    """
    here = survey_store(target, keys=keys, require_signed=False, now_s=now_s)
    known = {s.digest: s for s in here.statements}
    findings: list[Finding] = []
    sources: list[Source] = []
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"{folder}: no such folder; `pv evidence merge` takes stores")
        there = survey_store(folder, keys=keys, require_signed=require_signed, now_s=now_s)
        if not there.files:
            raise UsageError(f"{folder}: holds no statement; `pv evidence merge` takes stores")
        findings += [f for f in there.findings if f.kind is not FindingKind.MISSING]
        new = tuple(s for s in there.statements if s.digest not in known)
        sources.append(Source(folder, there.statements, new))
        known |= {s.digest: s for s in new}
    files = (file for store in (target, *folders) for file in list_files(store))
    present = (file.name.removesuffix(SUFFIX) for file in files)
    signers = set(keys) if require_signed else None
    gaps = find_gaps(target, tuple(known.values()), present, signers)
    findings += [gap for gap in gaps if gap not in here.findings]
    return MergePlan(target, tuple(sources), tuple(findings))


def carry_out(plan: MergePlan) -> None:
    """Copy what is new, each statement after those that it refers to: killed, it leaves no gap.

    Raises:
        EvidenceError: the plan has findings, or a file has changed since it was made.
        InfrastructureError: the store can't be written; what was copied before is whole.
    """
    if plan.findings:
        raise EvidenceError(f"nothing was merged: {plan.findings[0]}")
    folders = {new.digest: source.folder for source in plan.sources for new in source.new}
    order = TopologicalSorter(
        {new.digest: new.previous for source in plan.sources for new in source.new}
    )
    for digest in order.static_order():
        if digest in folders:
            store_bytes(plan.target, digest, _read_again(folders[digest], digest))


def _read_again(folder: Path, digest: str) -> bytes:
    file = file_of(folder, digest)
    try:
        data = read_bytes(file)
    except OSError as error:
        raise EvidenceError(f"{file}: {reason(error)}; merge again") from error
    if digest_bytes(data) != digest:
        raise EvidenceError(f"{file}: changed while it was merged; merge again")
    return data
