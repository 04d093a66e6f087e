"""A scoreboard document of two contracts, with the statuses that a test asks for."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest

from pv_harness.board.json_document import scoreboard_document
from pv_harness.board.scoreboard import Row, Scoreboard
from pv_harness.contracts.contract import (
    Bound,
    Comparator,
    Contract,
    Falsifier,
    Level,
    LevelRule,
)
from pv_harness.deriving.status import Status, StatusKind


if TYPE_CHECKING:
    from collections.abc import Callable


def claim(name: str) -> Falsifier:
    return Falsifier(
        id=name,
        rule=f"rule of {name}",
        prediction="p",
        if_fails="f",
        covers=("m",),
        bounds=(Bound("gap", Comparator.GE, 3.0, "nats"),),
        levels=(LevelRule(Level.PARTIAL), LevelRule(Level.DISCHARGED, inputs=("pair",))),
    )


def parse_status(text: str) -> Status:
    if text in {level.value for level in Level}:
        return Status(StatusKind.LEVEL, Level.DISCHARGED, Level(text))
    return Status(StatusKind(text), Level.DISCHARGED, why=f"because it is {text}")


def make_document(
    statuses: dict[str, str], *, version: str = "1.2.3", contract: str = "x-v1"
) -> dict[str, Any]:

    claims = tuple(claim(name) for name in statuses)
    heading = Contract(contract, version, "t", PurePosixPath("contracts/x.yaml"), claims)
    rows = tuple(Row(heading, c, parse_status(statuses[c.id])) for c in claims)
    return scoreboard_document(Scoreboard(rows), now_s=0.0)


@pytest.fixture
def scoreboard() -> Callable[..., dict[str, Any]]:
    """Falsifier ID -> status word, to the document of their scoreboard."""
    return make_document
