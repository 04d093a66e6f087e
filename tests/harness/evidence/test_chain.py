from __future__ import annotations

from dataclasses import replace

from hypothesis import given, strategies as st
from tests.harness.evidence.conftest import statement_of

from pv_harness.evidence.chain import find_heads, find_missing, heads_of
from pv_harness.evidence.statement import Removed, RunStatement


@st.composite
def histories(draw: st.DrawFn) -> list[RunStatement]:
    """Statements as a store grows: each refers to the heads that its writer saw."""
    grown: list[RunStatement] = []
    for number in range(draw(st.integers(1, 8))):
        # A writer that began earlier may have seen fewer of them.
        seen = grown[: draw(st.integers(0, len(grown)))]
        made = statement_of("A", at_s=float(number))
        grown.append(replace(made, digest=f"{number:064x}", previous=heads_of(seen)))
    seen_last = replace(statement_of("A"), digest="f" * 64, previous=heads_of(grown))
    return [*grown, seen_last]


@given(histories())
def test_a_whole_history_misses_nothing_and_has_one_head(history: list[RunStatement]) -> None:
    assert find_missing(history) == {}
    assert heads_of(history) == ("f" * 64,)


@given(histories(), st.data())
def test_any_deleted_statement_but_the_last_is_missed(
    history: list[RunStatement], data: st.DataObject
) -> None:
    gone = data.draw(st.sampled_from(history[:-1]))
    missing = find_missing([s for s in history if s is not gone])
    assert gone.digest in missing


@given(histories(), st.data())
def test_a_removal_that_is_noted_leaves_every_other_deletion_seen(
    history: list[RunStatement], data: st.DataObject
) -> None:
    going = data.draw(st.lists(st.sampled_from(history), max_size=3, unique_by=id))
    kept = [s for s in history if s not in going]
    removed = tuple(Removed(s.digest, "old", 1, 0) for s in going)
    note = replace(statement_of(), digest="e" * 64, previous=heads_of(kept), removed=removed)
    assert find_missing([*kept, note]) == {}
    for other in kept:
        assert other.digest in find_missing([note, *(s for s in kept if s is not other)])


def test_a_removed_statement_that_is_still_there_hides_nothing() -> None:
    previous = {"c": ("b",), "b": ("a",), "a": ()}
    assert find_heads(previous) == ("c",)
    assert find_heads(previous, removed=["c"]) == ("b",)
    assert find_heads(previous, removed=["b"]) == ("a", "c")


def test_a_file_that_is_there_but_unreadable_is_not_missing() -> None:
    later = replace(statement_of("A"), digest="b", previous=("a",))
    assert find_missing([later]) == {"a": ("b",)}
    assert find_missing([later], present=["a"]) == {}
