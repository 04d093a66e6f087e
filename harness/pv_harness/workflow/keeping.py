"""Results of checks, stored while measuring goes on: a killed `pv` loses a minute at most.

A run that takes no longer is one statement. A longer one is several, each of which names in
`planned` what it holds and refers to the one before it: none can be taken out unnoticed.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Self

from pv_harness.errors import PvError, StatementTooLargeError


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pv_harness.evidence.records import RunRecord

    Store = Callable[[tuple[str, ...], tuple[RunRecord, ...], float], object]

STORE_EVERY_S = 60.0
"""What is lost at most if the process is killed."""


class ResultKeeper:
    """Stores what it is given every so often, and the rest however its block ends.

    Args:
        store: called with the IDs that were to be judged, their records, and the time since
            which these have come, in seconds since the epoch.
        planned: the IDs of all that is to be measured.
        every_s: seconds between one statement and the next.
        clock: seconds that only ever grow.
    """

    def __init__(
        self,
        store: Store,
        planned: Sequence[str],
        every_s: float = STORE_EVERY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._missing = dict.fromkeys(planned)
        self._every_s = every_s
        self._clock = clock
        self._waiting: list[RunRecord] = []
        self._since_s = time.time()
        self._last_s = clock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_exception: object) -> None:
        # Of what was interrupted nothing is said; else a missing record has to show.
        missing = tuple(self._missing) if kind is None else ()
        if self._waiting or missing:
            self._store_waiting(missing)

    def is_due(self) -> bool:
        """True if something should be stored again."""
        return self._clock() - self._last_s >= self._every_s

    def keep(self, records: Sequence[RunRecord]) -> None:
        """Take in records, and store them with those before them if it is time to."""
        self._waiting.extend(records)
        for record in records:
            self._missing.pop(record.falsifier_id, None)
        if not self.is_due():
            return
        self._last_s = self._clock()
        if self._waiting:
            # What fails is tried again with the next, and at the end, where the error is told.
            with contextlib.suppress(OSError, PvError):
                self._store_waiting(())

    def _store_waiting(self, missing: tuple[str, ...]) -> None:
        self._store_all(tuple(self._waiting), missing)
        self._waiting.clear()
        self._since_s = time.time()

    def _store_all(self, records: tuple[RunRecord, ...], missing: tuple[str, ...]) -> None:
        held = tuple(dict.fromkeys(record.falsifier_id for record in records))
        try:
            self._store((*held, *missing), records, self._since_s)
        except StatementTooLargeError:
            if len(held) == 1:  # the attempts at one claim stay together
                raise
            first = frozenset(held[: len(held) // 2])
            self._store_all(tuple(r for r in records if r.falsifier_id in first), ())
            self._store_all(tuple(r for r in records if r.falsifier_id not in first), missing)
