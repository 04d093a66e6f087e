"""Outcomes are stored while proving goes on, each once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from pv_harness.errors import InfrastructureError
from pv_harness.evidence.records import PatchOutcome, PatchRecord
from pv_harness.fingerprint.manifest import Manifest
from pv_harness.proving.keeping import Keeper


if TYPE_CHECKING:
    from pv_harness.proving.keeping import Store

NEVER_S = 1e6


def outcome(name: str) -> PatchRecord:
    return PatchRecord("A-001", name, "0", PatchOutcome.KILLED, Manifest(()))


class Stored:
    """A store that remembers, and says when something has come."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.since: list[float] = []
        self.came = threading.Event()

    def __call__(self, records: tuple[PatchRecord, ...], since_s: float) -> None:
        self.calls.append([record.patch_id for record in records])
        self.since.append(since_s)
        self.came.set()


def test_everything_is_stored_at_the_end_at_the_latest() -> None:
    stored = Stored()
    with Keeper(stored, NEVER_S) as keeper:
        keeper.keep(outcome("a"))
        keeper.keep(outcome("b"))
        assert not stored.calls
    assert stored.calls == [["a", "b"]]


def test_an_outcome_does_not_wait_for_the_next_one() -> None:
    stored = Stored()
    with Keeper(stored, 0.001) as keeper:
        keeper.keep(outcome("a"))
        assert stored.came.wait(20)
        stored.came.clear()
        keeper.keep(outcome("b"))
        assert stored.came.wait(20)
    assert stored.calls == [["a"], ["b"]]
    assert stored.since == sorted(stored.since)


def test_an_interrupt_stores_what_there_is() -> None:
    stored = Stored()

    def work(keeper: Keeper) -> None:
        keeper.keep(outcome("a"))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Keeper(stored, NEVER_S) as keeper:
        work(keeper)
    assert stored.calls == [["a"]]


def test_nothing_is_stored_of_nothing() -> None:
    stored = Stored()
    with Keeper(stored, NEVER_S):
        pass
    assert not stored.calls


@pytest.mark.parametrize("error", [OSError("full"), InfrastructureError("full")])
def test_a_store_that_fails_is_tried_once_more_and_then_told(error: Exception) -> None:
    tries: list[int] = []
    failed = threading.Event()

    def store(records: tuple[PatchRecord, ...], _since_s: float) -> None:
        tries.append(len(records))
        failed.set()
        raise error

    kept: Store = store

    def work() -> None:
        with Keeper(kept, 0.001) as keeper:
            keeper.keep(outcome("a"))
            assert failed.wait(20)

    with pytest.raises(type(error), match="full"):
        work()
    assert tries == [1, 1]
