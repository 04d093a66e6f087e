"""A signal as a wish: the first is granted after the running update, the second at once."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_STDERR: Final = 2
_NOTE: Final = b"\napr: ends after this update, with a checkpoint; once more to end at once\n"


@contextmanager
def stop_on_signals() -> Iterator[Callable[[], bool]]:
    """Yield what says whether Ctrl-C or SIGTERM has come; a second one raises at once.

    Raises:
        KeyboardInterrupt: at the second signal.
    """
    asked = False

    def ask(*_: object) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        # print() could be interrupted in its own lock. Unread, the wish counts all the same.
        with suppress(OSError):
            os.write(_STDERR, _NOTE)

    before = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, ask)
    except ValueError:  # not in the main thread, where no handler can be set
        yield lambda: asked
        return
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
