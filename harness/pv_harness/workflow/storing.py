"""Whether evidence could be stored, asked before minutes of measuring depend on it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pv_harness.errors import InfrastructureError
from pv_harness.wording import printable


if TYPE_CHECKING:
    from pv_harness.project import Project


def refuse_unwritable_store(project: Project) -> None:
    """Nothing, where statements can be added to the project's evidence. Nothing is written.

    A disk that is full shows only when something is written.

    Raises:
        InfrastructureError: the store, or where it would be made, can't be written.
    """
    folder = project.evidence
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
        return
    what = "may not be written" if folder.is_dir() else "is no folder"
    store = printable(project.relative(project.evidence))
    where = "" if folder == project.evidence else f" in {store}"
    raise InfrastructureError(
        f"{printable(project.relative(folder))}: {what}, so that no evidence can be stored"
        f"{where}; nothing was measured"
    )
