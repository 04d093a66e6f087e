"""The lines of the files that problems are about, read again to be shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pv_harness.board.excerpt import split_lines
from pv_harness.regular_file import read_regular


if TYPE_CHECKING:
    from collections.abc import Mapping

    from pv_harness.project import Project

_MAX_SIZE_BYTES = 4 << 20
"""Files of checks may be larger than contracts; of what is larger still no line is shown."""


class SourceLines:
    """Lines of files, by the names that problems have; each file is read once."""

    def __init__(self, project: Project, unsaved: Mapping[str, bytes]) -> None:
        """`unsaved` holds the texts of documents that are in no file."""
        self._root = project.root
        self._lines = {name: _decoded(data) for name, data in unsaved.items()}

    def __call__(self, name: str) -> list[str]:
        """All lines of the file, without their ends; none where it can't be read as text."""
        if name not in self._lines:
            self._lines[name] = self._read(name)
        return self._lines[name]

    def _read(self, name: str) -> list[str]:
        # A file outside the project is called as the command line called it, so that a name
        # can mean two files. A line of the wrong one would be worse than none.
        places = {(folder / name).resolve() for folder in (self._root, Path.cwd())}
        found = [place for place in places if place.is_file()]
        if len(found) != 1:
            return []
        try:
            return _decoded(read_regular(found[0], _MAX_SIZE_BYTES))
        except OSError:
            return []


def _decoded(data: bytes) -> list[str]:
    return split_lines(data.decode("utf-8", errors="replace"))
