"""How far `apr tokenize` is: a bar on a terminal, for what takes longer than two seconds."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from pv_trainer.commands.progress_bar import make_bar


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_QUIET_S: Final = 2.0
_PAUSE_S: Final = 0.1


class InputProgress:
    """Counts what is read and encoded, and shows it now and then."""

    def __init__(self, total_bytes: Callable[[], int], *, terminal: bool) -> None:
        self._total_bytes, self._terminal = total_bytes, terminal
        self._started = time.monotonic()
        self._next = self._started + _QUIET_S
        self._read = 0
        self._done = "reading"
        self._show: Callable[[int, str], None] | None = None
        self._stop: Callable[[], None] = lambda: None

    def read(self, size_bytes: int) -> None:
        """Count bytes of input."""
        self._read += size_bytes
        self._show_sometimes()

    def encoded(self, documents: int, tokens: int) -> None:
        """Take note of the documents and tokens so far."""
        self._done = f"documents {documents:,}, tokens {tokens:,}"
        self._show_sometimes()

    def stop(self) -> None:
        """Take what is shown off the terminal."""
        self._stop()

    def _show_sometimes(self) -> None:
        if not self._terminal or time.monotonic() < self._next:
            return
        if self._show is None:
            self._show, self._stop = _display(max(1, self._total_bytes()))
        self._show(self._read, self._done)
        self._next = time.monotonic() + _PAUSE_S


@contextmanager
def input_progress(total_bytes: Callable[[], int]) -> Iterator[InputProgress]:
    """Yield a progress on stderr, if that is a terminal; it is gone when the block ends."""
    progress = InputProgress(total_bytes, terminal=sys.stderr.isatty())
    try:
        yield progress
    finally:
        progress.stop()


def _display(total: int) -> tuple[Callable[[int, str], None], Callable[[], None]]:
    """How to show bytes and a text, and how to stop."""
    # Without a thread of its own: it is refreshed as the work goes on.
    bar = make_bar("{task.percentage:>3.0f} %", "{task.description}", refreshed=False)
    bar.start()
    task = bar.add_task("", total=total)

    def show(read: int, text: str) -> None:
        bar.update(task, completed=read, description=text, refresh=True)

    return show, bar.stop
