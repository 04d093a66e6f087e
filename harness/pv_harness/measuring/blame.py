"""Whose assertion it was that failed: a check's, which refutes, or the subject's own."""

from __future__ import annotations

import os
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from pv_harness.measuring.audit import is_data


if TYPE_CHECKING:
    from types import TracebackType

    from pv_harness.measuring.plan import Plan

_HARNESS = str(Path(__file__).parents[1]) + os.sep


def subject_place(trace: TracebackType | None, check_file: Path, plan: Plan) -> str | None:
    """Where the subject raised what ended a check, `path:line`; None if a check raised it.

    The innermost frame in the project decides. What is installed counts for its caller: the
    assertions of numpy and torch that a check calls are the check's.
    """
    place, file = None, None
    for frame, line in traceback.walk_tb(trace):
        name = frame.f_code.co_filename
        if _is_of_the_project(name, plan):
            place, file = f"{_relative(name, plan.root)}:{line}", Path(name)
    if file is None or file == check_file or file.name == "conftest.py":
        return None
    return None if any(map(file.is_relative_to, plan.check_folders)) else place


def _is_of_the_project(file: str, plan: Plan) -> bool:
    roots = (f"{root}{os.sep}" for root in plan.source_roots)
    below = [root for root in roots if file.startswith(root)]
    return any(is_data(file.removeprefix(root)) for root in below) and not file.startswith(
        _HARNESS
    )


def _relative(file: str, root: Path) -> str:
    return file.removeprefix(f"{root}{os.sep}")
