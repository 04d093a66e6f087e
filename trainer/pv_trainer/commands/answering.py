"""What a verb says: one report, as JSON or as text, to whoever still reads."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable


def answer(
    args: argparse.Namespace, report: dict[str, Any], text: Callable[[dict[str, Any]], str]
) -> None:
    """Print a report: one JSON document if `--json` was given, else its text."""
    print(json.dumps(report) if args.json else text(report), flush=True)


def say(text: str) -> None:
    """Print a line, if anyone still reads; a run is not lost with its reader."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        silence_stdout()


def silence_stdout() -> None:
    """Let what is still printed go nowhere, so that the end of the process raises nothing."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
