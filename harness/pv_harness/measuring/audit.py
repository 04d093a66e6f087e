"""What a process opens and executes, seen through Python's audit events.

One hook per process, which can't be taken out again: it stays cheap, and it never raises. Files
that native code opens by itself, safetensors' for example, are not seen.

Source: PEP 578, and the audit events table of Python's documentation.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path
    from types import CodeType, FrameType

_LEFT_OUT = frozenset({"__pycache__", "site-packages", "node_modules", "venv"})
_NATIVE = (".pyc", ".so", ".pyd", ".dylib", ".pth")
_NOT_READING = os.O_WRONLY | os.O_RDWR | getattr(os, "O_DIRECTORY", 0)


class AuditWatch:
    """Calls `on_read` for files below `root`, and `on_module` for modules below `folders`.

    The folders are those of `project_folders`.

    Both get absolute paths, each path at every time that it is opened or executed.
    """

    def __init__(
        self,
        root: Path,
        folders: Sequence[str],
        on_read: Callable[[str], None],
        on_module: Callable[[str], None],
        on_replace: Callable[[], None] = lambda: None,
    ) -> None:
        self._root = f"{root}{os.sep}"
        self._folders = tuple(folders)
        self._on_read = on_read
        self._on_module = on_module
        self._on_replace = on_replace

    def install(self) -> None:
        """Begin to watch this process, for good."""
        opened, executed = self._opened, self._executed
        replaced = self._on_replace

        def watch(event: str, args: tuple[Any, ...]) -> None:
            # Every event of the process comes by here; nearly all of them are others.
            try:
                if event == "open":
                    opened(*args)
                elif event == "exec":
                    executed(args[0])
                elif event == "os.exec":
                    replaced()
            except Exception:  # noqa: BLE001, S110 - would break the open() that it watches
                pass

        sys.addaudithook(watch)

    def _opened(self, path: object, _mode: object, flags: object) -> None:
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        if not isinstance(path, str) or not isinstance(flags, int) or flags & _NOT_READING:
            return
        if not path.startswith("/"):
            path = os.path.join(os.getcwd(), path)  # noqa: PTH109, PTH118, TID251 - cheap
        if "/." in path or "//" in path:
            path = os.path.normpath(path)  # noqa: TID251 - cheap, and follows no link
        if not path.startswith(self._root) or not is_data(path[len(self._root) :]):
            return
        if path.endswith(".py") and _is_import(sys._getframe(2)):  # noqa: SLF001
            return
        self._on_read(path)

    def _executed(self, code: CodeType) -> None:
        if code.co_name == "<module>" and is_of_project(code.co_filename, self._folders):
            self._on_module(code.co_filename)


def _is_import(frame: FrameType) -> bool:
    """True for the import system reading a source: who imports what is known in other ways."""
    return frame.f_code.co_filename.startswith("<frozen importlib")


def is_data(relative: str) -> bool:
    """True for a path that may hold what a verdict rests on: no cache, nothing installed.

    Hidden files and folders are left out, the work of tools: .git, .venv, .hypothesis.
    """
    if relative.endswith(_NATIVE):
        return False
    parts = relative.split("/")
    return not any(part.startswith(".") or part in _LEFT_OUT for part in parts)


def project_folders(root: Path | None, source_roots: Iterable[Path]) -> tuple[str, ...]:
    """Where modules of the project lie, as `is_of_project` takes it.

    Below the root, too, where it is no source root: Python finds modules in the folder that
    pytest is started in, and beside a script.
    """
    folders = dict.fromkeys((*source_roots, *([root] if root else [])))
    return tuple(f"{folder}{os.sep}" for folder in folders)


def is_of_project(file: str, folders: tuple[str, ...]) -> bool:
    """True for a file in one of these folders, what is installed or hidden there left out."""
    return file.startswith(folders) and any(
        file.startswith(folder) and is_data(file[len(folder) :]) for folder in folders
    )


def importing_module(roots: Sequence[str]) -> str | None:
    """The file of the module that is being imported just now, the innermost, or None.

    Args:
        roots: folders with a separator at the end; modules elsewhere are passed over.
    """
    folders = tuple(roots)
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - inspect's costs far more
    while frame is not None:
        code = frame.f_code
        if code.co_name == "<module>" and code.co_filename.startswith(folders):
            return code.co_filename
        frame = frame.f_back
    return None
