"""`apr embedded`: build the embedded corpus and model once; print where they are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pv_trainer.commands.answering import answer
from pv_trainer.exit_status import ExitStatus


if TYPE_CHECKING:
    import argparse


def embedded(args: argparse.Namespace) -> ExitStatus:
    """`apr embedded`: build the embedded corpus and model once; where they are."""
    from pv_trainer.embedded import build_embedded

    report = build_embedded(cache_dir()).to_json()
    answer(args, report, lambda r: "\n".join(f"{n:10} {v}" for n, v in r["parts"].items()))
    return ExitStatus.BUDGET_END


def cache_dir() -> Path:
    """Where the embedded default is built: APR_CACHE_DIR, or .cache of the working folder."""
    return Path(os.environ.get("APR_CACHE_DIR") or ".cache").absolute()
