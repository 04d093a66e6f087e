"""Files that checks opened and that no fingerprint covers: a verdict may rest on them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pv_harness.fingerprint.manifest import EntryKind


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pv_harness.fingerprint.manifest import Manifest
    from pv_harness.measuring.record import CheckRecord

MOST_NAMED = 50
_OWN_FILES = frozenset(
    {"conftest.py", "pyproject.toml", "pytest.ini", "pytest.toml", "setup.cfg", "tox.ini"}
)
"""What pytest and pv read for themselves."""
_METADATA = (".egg-info", ".dist-info")
"""Folders in which Python looks for installed packages, whatever a check does."""


def uncovered_files(
    records: Iterable[CheckRecord],
    manifest: Manifest,
    root: Path,
    *,
    covered: Sequence[Path] = (),
    started_s: float = 0.0,
) -> tuple[str, ...]:
    """The files below `root` that were read and are neither source nor declared input.

    Relative, sorted, and at most `MOST_NAMED`; a last line counts the others.

    Args:
        records: what the checks of one falsifier left behind.
        manifest: the sources and inputs that its fingerprint rests on.
        root: the project, or its copy.
        covered: files and folders that count as covered: inputs, evidence, pv itself.
        started_s: when the checks began, in seconds since the epoch. What was written later was
            made by them and is no input.
    """
    sources = {e.name for e in manifest.entries if e.kind is EntryKind.SOURCE}
    names = set()
    for path in map(Path, _opened(records, root, sources)):
        name = path.relative_to(root).as_posix()
        known = name in sources or name in _OWN_FILES or path.name == "conftest.py"
        known = known or any(part.endswith(_METADATA) for part in name.split("/"))
        if known or any(path.is_relative_to(place) for place in covered):
            continue
        if _existed_before(path, started_s):
            names.add(name)
    more = len(names) - MOST_NAMED
    listed = sorted(names)[:MOST_NAMED]
    return (*listed, f"(and {more} more)") if more > 0 else tuple(listed)


def _opened(records: Iterable[CheckRecord], root: Path, sources: set[str]) -> set[str]:
    """What the checks opened, and what the sources that they rest on did when imported."""
    opened = set()
    for record in records:
        opened |= set(record.opened)
        for module, file in record.opened_by_modules:
            if Path(module).is_relative_to(root):
                importer = Path(module).relative_to(root).as_posix()
                if importer in sources:
                    opened.add(file)
    return opened


def _existed_before(path: Path, started_s: float) -> bool:
    try:
        return path.is_file() and (not started_s or path.stat().st_mtime < started_s)
    except OSError:
        return False
