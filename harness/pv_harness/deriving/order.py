"""Which of several records is the last: by time, and by what they say where times are equal."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterable

    from pv_harness.evidence.records import PatchRecord, RunRecord


def newest_first(records: Iterable[RunRecord]) -> list[RunRecord]:
    """The records, those of one moment ordered by all that they say, not by how they came."""
    found = list(records)
    if len(found) < 2:
        return found
    found.sort(key=lambda record: record.finished_s, reverse=True)
    moments = {record.finished_s for record in found}
    if len(moments) == len(found):
        return found
    # Spelling a record out costs more than all the rest: only where it has to decide.
    return sorted(found, key=_newest_last, reverse=True)


def _newest_last(record: RunRecord) -> tuple[float, str]:
    # Curves are left out: nothing judges them, and not every reader of a store keeps them.
    return (record.finished_s, repr(replace(record, series=())))


def newest_and_worst_last(record: PatchRecord) -> tuple[float, bool, str, str, str, str]:
    """A sorting key: of records of one moment the bad one is the last."""
    outcome = record.outcome
    told = (outcome.value, record.reason, record.lane, record.statement)
    return (record.finished_s, not outcome.counts, *told)
