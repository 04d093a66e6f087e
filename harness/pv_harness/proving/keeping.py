"""Outcomes of planted changes, stored while proving goes on: a killed `pv` loses little."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Self

from pv_harness.errors import PvError


if TYPE_CHECKING:
    from collections.abc import Callable

    from pv_harness.evidence.records import PatchRecord

    Store = Callable[[tuple[PatchRecord, ...], float], object]


class Keeper:
    """Stores what it is given every so often, and the rest when its block ends.

    Args:
        store: called with the outcomes since the call before, never none, and the time at which
            that was, in seconds since the epoch.
        every_s: what is lost at most if the process is killed.
    """

    def __init__(self, store: Store, every_s: float) -> None:
        self._store = store
        self._every_s = every_s
        self._waiting: list[PatchRecord] = []
        self._since_s = time.time()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        # One outcome may be an hour behind the one before: none waits for the next.
        self._clock = threading.Thread(target=self._store_regularly, daemon=True)

    def __enter__(self) -> Self:
        self._clock.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._ended.set()
        self._clock.join()
        self._store_waiting()

    def keep(self, record: PatchRecord) -> None:
        """Take in one outcome."""
        with self._lock:
            self._waiting.append(record)

    def _store_regularly(self) -> None:
        while not self._ended.wait(self._every_s):
            try:
                self._store_waiting()
            except (OSError, PvError):
                return  # tried once more when the block ends, where the error is told

    def _store_waiting(self) -> None:
        with self._lock:
            if self._waiting:
                self._store(tuple(self._waiting), self._since_s)
            self._waiting.clear()
            self._since_s = time.time()
