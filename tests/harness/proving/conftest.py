"""The claim that unit tests of proving are about."""

from __future__ import annotations

from pathlib import PurePosixPath

from pv_harness.contracts.contract import (
    Bound,
    Comparator,
    Falsifier,
    Level,
    LevelRule,
    Patch,
)


PATCH = Patch("d", PurePosixPath("m.py"), "a", "b")
CLAIM = Falsifier(
    id="A-001",
    rule="r",
    prediction="p",
    if_fails="f",
    covers=("m",),
    bounds=(Bound("loss", Comparator.LE, 1), Bound("steps", Comparator.EQ, 3)),
    levels=(LevelRule(Level.PARTIAL),),
)
