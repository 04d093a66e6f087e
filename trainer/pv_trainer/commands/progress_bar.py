"""The bar that every verb shows on a terminal while it works, on stderr."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from rich.progress import Progress


def make_bar(before: str, *after: str, refreshed: bool) -> Progress:
    """A bar between texts, with the time left at its end; it is gone when it stops.

    Args:
        before: what stands before it, in rich's format: `{task.percentage:.0f} %`, say.
        after: what stands after it, each in a column.
        refreshed: by a thread, four times a second; else by each update that asks for it.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn(before, markup=False),
        BarColumn(24),
        *(TextColumn(text, markup=False) for text in after),
        TimeRemainingColumn(compact=True),
        console=Console(file=sys.stderr),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
        refresh_per_second=4,
        auto_refresh=refreshed,
    )
