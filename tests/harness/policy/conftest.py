"""Rows of a board, derived from records as the real one is."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest

from pv_harness.board.scoreboard import Row
from pv_harness.contracts.contract import (
    Bound,
    Comparator,
    Contract,
    Control,
    Defect,
    Falsifier,
    Level,
    LevelRule,
    Patch,
)
from pv_harness.deriving.derivation import derive_status
from pv_harness.deriving.status import Assessed, AssessedPatch
from pv_harness.evidence.records import PatchOutcome, PatchRecord, RunRecord, Verdict
from pv_harness.fingerprint.manifest import Change, Entry, EntryKind, Manifest
from pv_harness.judging.measurement import Measurement


if TYPE_CHECKING:
    from collections.abc import Callable


NOW_S = 1_800_000_000.0
DAY_S = 86_400.0
MANIFEST = Manifest((Entry(EntryKind.CLAIM, "c", "0" * 64), Entry(EntryKind.CHECKS, "c", "1")))
CHANGE = Change(EntryKind.SOURCE, "src/a.py", "changed")
LEVELS = (
    LevelRule(Level.PARTIAL),
    LevelRule(Level.INTEGRATION, reached=("a.cli:main",)),
    LevelRule(Level.DISCHARGED, inputs=("corpus",)),
)
PLANTED = tuple(
    Patch(name, PurePosixPath("a.py"), "a", name) for name in ("one", "two", "three", "four")
)
CPU = {"python": "3.11.2", "devices": "cpu"}
CUDA = {"python": "3.11.2", "devices": "cpu, cuda"}


def run(  # noqa: PLR0913 - each is one fact of a record
    level: str = "INTEGRATION",
    *,
    verdict: str = "PASSED",
    value: int = 0,
    age_s: float = 0.0,
    cuda: bool = False,
    environment: dict[str, str] | None = None,
    statement: str = "s",
    stale: bool = False,
) -> Assessed:
    """A run that shows a level, and whether it still holds."""
    entries = MANIFEST.entries
    if level == "DISCHARGED":
        entries = (*entries, Entry(EntryKind.INPUT, "corpus.text=a", "2"))
    record = RunRecord(
        "",
        Verdict(verdict),
        Manifest(entries),
        (Measurement("wrong", value),),
        reason="wrong is not 0" if verdict != "PASSED" else "",
        reached=() if level == "PARTIAL" else ("a.cli:main",),
        cuda_peak_bytes=1 if cuda else 0,
        finished_s=NOW_S - age_s,
        environment=CPU if environment is None else environment,
        statement=statement,
    )
    return Assessed(record, (CHANGE,) if stale else ())


def make_falsifier(
    name: str, ceiling: str, *, counted: bool = True, requires: str | None = None
) -> Falsifier:
    """A claim with four defects and, as its last planted change, a control."""
    *defects, control = PLANTED
    return Falsifier(
        name,
        "r",
        "p",
        "f",
        ("a",),
        (Bound("wrong", Comparator.EQ, 0),),
        LEVELS[: Level(ceiling).rank + 1],
        tuple(Defect(patch, "wrong") for patch in defects),
        (Control(control),),
        requires=requires,
        counted=counted,
    )


def make_row(  # noqa: PLR0913 - each is one fact of a row
    *runs: Assessed,
    name: str = "FALSIFY-A-001",
    ceiling: str = "INTEGRATION",
    contract: str = "a-v1",
    outcomes: str = "KKKG",
    patch_statement: str = "s",
    lane: str = "cpu",
    environment: dict[str, str] | None = None,
    stale: bool = False,
    bound: bool = True,
    **facts: Any,
) -> Row:
    """A row whose status is derived.

    `outcomes` has a letter per planted change, three defects and a control: Killed, Survived,
    Green, Red, Void, Timeout, or `-` for not planted.
    """
    falsifier = make_falsifier(name, ceiling, **facts)
    words = {
        "K": PatchOutcome.KILLED,
        "S": PatchOutcome.SURVIVED,
        "G": PatchOutcome.GREEN,
        "R": PatchOutcome.RED,
        "V": PatchOutcome.VOID,
        "T": PatchOutcome.TIMEOUT,
    }
    patches = tuple(
        AssessedPatch(
            PatchRecord(
                name,
                plant.id,
                plant.digest,
                words[letter],
                MANIFEST,
                reason="because",
                statement=patch_statement,
                lane=lane,
                environment=CPU if environment is None else environment,
            ),
            (CHANGE,) if stale else (),
        )
        for plant, letter in zip(falsifier.plants, outcomes, strict=True)
        if letter != "-"
    )
    status = derive_status(falsifier, bound=bound, runs=runs, patches=patches)
    owner = Contract(contract, "1.0.0", "t", PurePosixPath(f"contracts/{contract}.yaml"), ())
    return Row(owner, falsifier, status, runs, patches)


class Build:
    """What tests make boards from."""

    now_s = NOW_S
    day_s = DAY_S
    cpu = CPU
    cuda = CUDA
    run: Callable[..., Assessed] = staticmethod(run)
    row: Callable[..., Row] = staticmethod(make_row)


@pytest.fixture(scope="session")
def build() -> Build:
    """Rows and runs, as keyword arguments describe them."""
    return Build()
