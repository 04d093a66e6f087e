"""Which files of the evidence folder are statements."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pv_harness.errors import EvidenceError
from pv_harness.evidence.statement import SUFFIX
from pv_harness.regular_file import reason


if TYPE_CHECKING:
    from pathlib import Path


def list_entries(folder: Path) -> list[os.DirEntry[str]]:
    """The entries of all statements in a store, sorted by name. No folder is an empty store.

    Raises:
        EvidenceError: the folder is none or can't be listed.
    """
    try:
        with os.scandir(folder) as entries:
            found = [entry for entry in entries if entry.name.endswith(SUFFIX)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise EvidenceError(
            f"{folder}: can't be listed ({reason(error)}); evidence is kept in a folder"
        ) from error
    return sorted(found, key=lambda entry: entry.name)
