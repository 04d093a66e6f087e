"""What foreign files make us look for on disk, each path once; and what was looked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.regular_file import is_regular


if TYPE_CHECKING:
    from pathlib import Path

_MARKS_A_ROOT = (".git", "pyproject.toml", "pytest.ini", "setup.cfg")


class Lookups:
    """Answers about the disk for one run.

    Attributes:
        paths: all that an answer rests on, whether anything is there or not.
    """

    def __init__(self) -> None:
        self.paths: set[str] = set()
        self._regular: dict[Path, bool] = {}
        self._folders: dict[Path, tuple[Path, ...]] = {}

    def is_regular(self, path: Path) -> bool:
        """Whether a regular file is there."""
        if path not in self._regular:
            self.paths.add(str(path))
            self._regular[path] = is_regular(path)
        return self._regular[path]

    def repository_folders(self, contract: Path) -> tuple[Path, ...]:
        """The folder of a file and those above it, up to the first that is a repository.

        Without a repository around it, it is the folder of the file alone.
        """
        folder = contract.absolute().parent
        if folder not in self._folders:
            self._folders[folder] = self._find_folders((folder, *folder.parents))
        return self._folders[folder]

    def _find_folders(self, folders: tuple[Path, ...]) -> tuple[Path, ...]:
        for count, folder in enumerate(folders, 1):
            for mark in _MARKS_A_ROOT:
                self.paths.add(str(folder / mark))
                if (folder / mark).exists():
                    return folders[:count]
        return folders[:1]
