"""What a verb says: one report, as JSON or as text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable


def answer(
    args: argparse.Namespace, report: dict[str, Any], text: Callable[[dict[str, Any]], str]
) -> None:
    """Print a report: one JSON document if `--json` was given, else its text.

    Raises:
        OSError: it can't be printed.
    """
    print(json.dumps(report) if args.json else text(report), flush=True)
