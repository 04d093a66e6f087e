"""From the PATHs of a command line, and from configured folders, to files."""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import TYPE_CHECKING

from pv_harness.errors import UsageError
from pv_harness.regular_file import reason


if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

CONTRACT_SUFFIXES = frozenset({".yaml", ".yml"})


def find_contract_files(paths: Iterable[str]) -> tuple[Path, ...]:
    """The files that the paths name, each once, sorted.

    A path is a file, taken whatever its name; a folder, searched for *.yaml and *.yml; or a
    glob, in which `**` is any depth.

    Raises:
        UsageError: a path names nothing, or a folder can't be listed.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        matches = list(_expand(path))
        if not matches:
            raise UsageError(f"{path}: no contract there; give a file, a folder or a glob")
        for match in matches:
            # A link and its target are one file, and so are a folder and a file within it.
            found.setdefault(match.resolve(), match)
    return tuple(sorted(found.values()))


def walk_files(folder: Path, suffixes: Collection[str]) -> Iterator[Path]:
    """Files with one of the suffixes, at any depth below a folder; hidden folders left out.

    Links to folders are followed, each folder once.

    Raises:
        UsageError: a folder can't be listed.
    """
    seen: set[Path] = set()
    for parent, folders, files in os.walk(folder, onerror=_refuse, followlinks=True):
        here = Path(parent)
        if here.resolve() in seen:
            folders.clear()
            continue
        seen.add(here.resolve())
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (here / name for name in sorted(files) if Path(name).suffix in suffixes)


def _expand(path: str) -> Iterator[Path]:
    try:
        if os.path.lexists(path):  # noqa: TID251
            matches = [Path(path)]
        else:
            matches = [
                match
                for match in map(Path, sorted(glob.glob(path, recursive=True)))  # noqa: PTH207
                if match.is_dir() or match.suffix in CONTRACT_SUFFIXES
            ]
    except ValueError as error:
        raise UsageError(f"{path!r}: not a path: {error}") from error
    for match in matches:
        yield from walk_files(match, CONTRACT_SUFFIXES) if match.is_dir() else [match]


def _refuse(error: OSError) -> None:
    raise UsageError(
        f"{error.filename}: the folder can't be listed: {reason(error)}"
    ) from error
