"""Results are stored while measuring goes on, each once, and whatever ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

from pv_harness.errors import InfrastructureError, StatementTooLargeError
from pv_harness.evidence.records import RunRecord, Verdict
from pv_harness.fingerprint.manifest import Manifest
from pv_harness.workflow.keeping import ResultKeeper


if TYPE_CHECKING:
    from collections.abc import Sequence

    Held = tuple[tuple[str, ...], list[tuple[str, int]]]


def record(name: str, attempt: int = 1) -> RunRecord:
    return RunRecord(name, Verdict.PASSED, Manifest(()), attempt=attempt)


class Stored:
    """A store that remembers, takes at most so many records at once, and fails when told to."""

    def __init__(self, most: int = 1_000) -> None:
        self.calls: list[Held] = []
        self.since: list[float] = []
        self.fails = False
        self._most = most

    def __call__(
        self, planned: tuple[str, ...], records: tuple[RunRecord, ...], since_s: float
    ) -> None:
        if self.fails:
            raise InfrastructureError("no space left on device")
        if len(records) > self._most:
            raise StatementTooLargeError("too large")
        self.calls.append((planned, [(r.falsifier_id, r.attempt) for r in records]))
        self.since.append(since_s)

    @property
    def names(self) -> list[str]:
        return [name for _, held in self.calls for name, _ in held]


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def keeper(stored: Stored, planned: Sequence[str], clock: Clock | None = None) -> ResultKeeper:
    return ResultKeeper(stored, planned, 60.0, clock or Clock())


def test_a_short_run_is_one_statement() -> None:
    stored = Stored()
    with keeper(stored, ["a", "b"]) as kept:
        kept.keep([record("a")])
        kept.keep([record("b"), record("b", 2)])
        assert not stored.calls
    assert stored.calls == [(("a", "b"), [("a", 1), ("b", 1), ("b", 2)])]


def test_a_long_run_is_stored_in_steps_that_name_what_they_hold() -> None:
    stored, clock = Stored(), Clock()
    with keeper(stored, ["a", "b", "c"], clock) as kept:
        assert not kept.is_due()
        clock.now_s += 59
        assert not kept.is_due()
        clock.now_s += 1
        assert kept.is_due()
        kept.keep([record("a")])
        assert not kept.is_due()
        kept.keep([record("b")])
        assert stored.calls == [(("a",), [("a", 1)])]
        clock.now_s += 60
        kept.keep([])
        assert stored.calls[1:] == [(("b",), [("b", 1)])]
        clock.now_s += 60
        kept.keep([])
        assert not kept.is_due()  # what is complete is looked for once a minute, not always
        kept.keep([record("c")])
    assert stored.calls[2:] == [(("c",), [("c", 1)])]
    assert stored.since == sorted(stored.since)


def test_what_was_measured_before_an_interrupt_is_stored_and_nothing_said_of_the_rest() -> None:
    stored = Stored()

    def measure() -> None:
        with keeper(stored, ["a", "b"]) as kept:
            kept.keep([record("a")])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure()
    assert stored.calls == [(("a",), [("a", 1)])]


def test_an_interrupt_before_anything_came_stores_nothing() -> None:
    stored = Stored()
    with pytest.raises(KeyboardInterrupt), keeper(stored, ["a"]):
        raise KeyboardInterrupt
    assert not stored.calls


def test_a_record_that_never_came_shows_in_what_was_planned() -> None:
    stored = Stored()
    with keeper(stored, ["a", "b"]) as kept:
        kept.keep([record("b")])
    assert stored.calls == [(("b", "a"), [("b", 1)])]


def test_what_could_not_be_stored_is_stored_with_the_next() -> None:
    stored, clock = Stored(), Clock()
    with keeper(stored, ["a", "b"], clock) as kept:
        stored.fails = True
        clock.now_s += 60
        kept.keep([record("a")])
        assert not kept.is_due()
        stored.fails = False
        clock.now_s += 60
        kept.keep([record("b")])
    assert stored.calls == [(("a", "b"), [("a", 1), ("b", 1)])]


def test_what_can_not_be_stored_at_the_end_is_told() -> None:
    stored = Stored()
    stored.fails = True
    with pytest.raises(InfrastructureError, match="no space left"), keeper(stored, ["a"]) as k:
        k.keep([record("a")])


def test_what_is_too_large_for_one_statement_becomes_several() -> None:
    stored = Stored(most=2)
    with keeper(stored, ["a", "b", "c", "d", "lost"]) as kept:
        kept.keep([record(name) for name in "abcd"])
        kept.keep([record("d", 2)])
    assert [planned for planned, _ in stored.calls] == [("a", "b"), ("c",), ("d", "lost")]
    assert stored.calls[-1][1] == [("d", 1), ("d", 2)]


def test_one_record_that_is_too_large_is_an_error() -> None:
    stored = Stored(most=0)
    with pytest.raises(StatementTooLargeError), keeper(stored, ["a"]) as kept:
        kept.keep([record("a")])


@given(
    steps=st.lists(st.tuples(st.integers(0, 4), st.floats(0, 200), st.booleans()), max_size=12),
    most=st.integers(1, 5),
)
def test_each_record_is_stored_once_and_no_statement_names_another_s(
    steps: list[tuple[int, float, bool]], most: int
) -> None:
    stored, clock, came = Stored(most), Clock(), list[str]()
    planned = [str(number) for number in range(sum(count for count, _, _ in steps))]
    with keeper(stored, planned, clock) as kept:
        for count, passed_s, fails in steps:
            clock.now_s += passed_s
            stored.fails = fails
            new = planned[len(came) : len(came) + count]
            came += new
            kept.keep([record(name) for name in new])
        stored.fails = False
    assert stored.names == planned
    assert all(list(names) == [name for name, _ in held] for names, held in stored.calls)
