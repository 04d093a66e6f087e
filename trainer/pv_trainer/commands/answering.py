"""What a verb says: one report, as JSON or as text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pv_trainer.commands.standard_streams import printable


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
    try:
        print(json.dumps(report) if args.json else printable(text(report)), flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, "stdout") from error
