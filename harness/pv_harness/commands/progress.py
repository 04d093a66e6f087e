"""What `pv run` and `pv prove` say while they work: one line per result, on standard error."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from pv_harness.evidence.records import PatchRecord
    from pv_harness.measuring.record import CheckRecord
    from pv_harness.workflow.progress import Progress


class Reporter:
    """Says what happens while it happens."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._planned = 0

    def progress(self) -> Progress:
        """The callbacks of this reporter."""
        from pv_harness.workflow.progress import Progress

        return Progress(self.plan, self.check, self.patch)

    def plan(self, phase: str, count: int) -> None:
        """Begin a phase of `count` results."""
        self._seen, self._planned = set(), count
        self._say(f"{phase}: {count}")

    def check(self, record: CheckRecord) -> None:
        """One check has ended."""
        # A check with several parameter sets ends several times and counts once.
        text = f"{record.falsifier_id} {record.outcome.value} {record.duration_s:.1f}s"
        self._count(record.function, text)

    def patch(self, record: PatchRecord) -> None:
        """One planted change has been tried."""
        outcome = f"{record.outcome.value} {record.duration_s:.1f}s"
        name = f"{record.falsifier_id} {record.patch_id}"
        self._count(name, f"{name}: {outcome}")

    def _count(self, name: str, text: str) -> None:
        self._seen.add(name)
        self._say(f"[{len(self._seen)}/{self._planned}] {text}")

    @staticmethod
    def _say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)
