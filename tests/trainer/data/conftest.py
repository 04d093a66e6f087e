"""Datasets with a changed manifest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def changed_manifest(folder: Path, **changes: Any) -> None:
    manifest = json.loads((folder / "manifest.json").read_text()) | changes
    kept = {name: value for name, value in manifest.items() if value is not ...}
    (folder / "manifest.json").write_text(json.dumps(kept))


@pytest.fixture
def change_manifest() -> Callable[..., None]:
    """Rewrites a folder's manifest; a field that becomes `...` is left out."""
    return changed_manifest
