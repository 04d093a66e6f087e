from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st
from tests.harness.evidence.conftest import statement_of

from pv_harness.errors import UsageError
from pv_harness.evidence.retention import Keep, find_old, parse_keep
from pv_harness.evidence.statement import Removed


STORES = st.lists(st.integers(0, 50), max_size=8).map(
    lambda times: [
        replace(statement_of("A", at_s=float(t)), digest=f"{n:064x}")
        for n, t in enumerate(times)
    ]
)


@pytest.mark.parametrize(
    ("text", "keep"),
    [
        ("0", Keep(count=0)),
        ("20", Keep(count=20)),
        ("12h", Keep(age_s=43_200)),
        ("90d", Keep(age_s=7_776_000)),
        ("8w", Keep(age_s=4_838_400)),
    ],
)
def test_what_to_keep_is_a_number_or_a_time(text: str, keep: Keep) -> None:
    assert parse_keep(text) == keep


@pytest.mark.parametrize("text", ["", "-1", "1.5d", "d", "3y", "3 d", "²", "9" * 10, "1\n"])
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="neither a number of statements, such as 20, nor a t"):
        parse_keep(text)


@given(STORES, st.integers(0, 9))
def test_the_newest_are_kept_by_number(store: list, count: int) -> None:  # type: ignore[type-arg]
    old = find_old(store, Keep(count=count), now_s=100.0)
    kept = [s for s in store if s not in old]
    assert len(kept) == min(count, len(store))
    assert all(o.started_s <= k.started_s for o in old for k in kept)


def test_a_statement_is_as_old_as_its_last_record() -> None:
    store = [replace(statement_of("A", at_s=t), digest=str(t)) for t in (0.0, 3600.0, 7200.0)]
    hour = Keep(age_s=3600)
    assert [s.digest for s in find_old(store, hour, now_s=7210.0)] == ["0.0"]
    assert find_old(store, hour, now_s=3610.0) == ()


def test_a_note_of_a_removal_is_never_old() -> None:
    note = replace(statement_of(), digest="n", removed=(Removed("a" * 64, "old", 1, 0),))
    assert find_old([note], Keep(count=0), now_s=1e9) == ()
    assert find_old([note], Keep(age_s=1), now_s=1e9) == ()
