"""What a process really did: which entry points it entered, which modules it imported.

It runs inside the process of a check and, through `inject/sitecustomize.py`, inside every
Python process that the check starts, so it imports only what is cheap, and never the subject.

An entry point is watched by swapping its function's code for a trampoline that notes the call,
puts the code back and goes on. The function object stays the same, so references that were
taken before are seen too, and from the first call on nothing is slower than it was.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib.machinery
import importlib.util
import json
import os
import sys
import time
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

RECORD_DIR = "PV_RECORD_DIR"
RECORD_ENTRIES = "PV_RECORD_ENTRIES"
RECORD_ROOTS = "PV_RECORD_ROOTS"
RECORD_NODE = "PV_RECORD_NODE"
INJECT_FOLDER = Path(__file__).parent / "inject"


class Recorder:
    """Watches entry points in this process and calls `on_reach` when one is entered."""

    def __init__(
        self, entries: Iterable[str], roots: Sequence[Path], on_reach: Callable[[str], None]
    ) -> None:
        # A module of the same name elsewhere, in a working folder say, is not the subject.
        self._roots = tuple(f"{root}{os.sep}" for root in roots)
        self._entries: dict[str, list[str]] = {}
        for entry in entries:
            module, _, function = entry.partition(":")
            self._entries.setdefault(module, []).append(function)
        self._on_reach = on_reach

    def install(self) -> None:
        """Arm what is imported already, and the rest when it will be."""
        sys.meta_path.insert(0, _ArmingFinder(self._entries, self.arm_module))
        self.arm()

    def arm(self) -> None:
        """Arm every entry point of the modules that are imported now."""
        for name in self._entries:
            module = sys.modules.get(name)
            if module is not None:
                self.arm_module(module)

    def arm_module(self, module: ModuleType) -> None:
        """Arm the entry points of one module, those that are already armed excepted."""
        for name in self._entries.get(module.__name__, ()):
            function = getattr(module, name, None)
            if isinstance(function, FunctionType) and function.__name__ == name:
                self._arm_function(f"{module.__name__}:{name}", function)

    def _arm_function(self, entry: str, function: FunctionType) -> None:
        code = function.__code__
        if code.co_name == _TRAMPOLINE_NAME or code.co_freevars:
            return
        if not code.co_filename.startswith(self._roots):
            return
        original = function.__code__

        def enter(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            function.__code__ = original
            self._on_reach(entry)
            return function(*args, **kwargs)

        _ENTERS[entry] = enter
        function.__code__ = _trampoline_code(entry)


_ENTERS: dict[str, Callable[[tuple[Any, ...], dict[str, Any]], Any]] = {}
_TRAMPOLINE_NAME = "pv_entry_point"


def enter_entry_point(entry: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Note that an armed entry point was called, and call what it was before."""
    return _ENTERS[entry](args, kwargs)


def _trampoline_code(entry: str) -> Any:
    # Code swapped into a function keeps that function's globals, so it can't rely on any name
    # there: it imports what it calls, and the entry is a literal.
    source = (
        f"def {_TRAMPOLINE_NAME}(*args, **kwargs):\n"
        f"    from {__name__} import enter_entry_point\n"
        f"    return enter_entry_point({entry!r}, args, kwargs)\n"
    )
    scope: dict[str, Any] = {}
    exec(source, scope)  # noqa: S102 - a constant text around a repr
    return scope[_TRAMPOLINE_NAME].__code__


class _ArmingFinder:
    """Finds the watched modules as usual and arms them once they have been executed."""

    def __init__(
        self, entries: Mapping[str, Sequence[str]], arm: Callable[[ModuleType], None]
    ) -> None:
        self._entries = entries
        self._arm = arm

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in self._entries:
            return None
        for finder in sys.meta_path:
            if finder is not self and hasattr(finder, "find_spec"):
                spec = finder.find_spec(name, path, target)
                if spec is not None and spec.loader is not None:
                    spec.loader = _ArmingLoader(spec.loader, self._arm)  # type: ignore[assignment]
                    return spec
        return None


class _ArmingLoader:
    """A loader that hands over to another and then arms the module."""

    def __init__(self, loader: Any, arm: Callable[[ModuleType], None]) -> None:
        self._loader = loader
        self._arm = arm

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        self._arm(module)


def imported_files(roots: Iterable[Path]) -> list[str]:
    """The files below `roots` of all modules that this process has imported, sorted."""
    folders = tuple(f"{root}{os.sep}" for root in roots)
    found = set()
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and file.startswith(folders) and file.endswith(".py"):
            found.add(file)
    return sorted(found)


def cuda_peak_bytes() -> int:
    """The most device memory that torch held in this process; 0 if CUDA was never used."""
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    if cuda is None or not cuda.is_initialized():
        return 0
    return max(int(cuda.max_memory_allocated(i)) for i in range(cuda.device_count()))


def child_environment(
    record_dir: Path, entries: Iterable[str], roots: Sequence[Path], node: str
) -> dict[str, str]:
    """The variables that make every Python process started with them record itself."""
    path = [str(INJECT_FOLDER), *(str(root) for root in roots)]
    inherited = os.environ.get("PYTHONPATH", "")
    path += [p for p in inherited.split(os.pathsep) if p and p not in path]
    return {
        RECORD_DIR: str(record_dir),
        RECORD_ENTRIES: ",".join(entries),
        RECORD_ROOTS: os.pathsep.join(str(root) for root in roots),
        RECORD_NODE: node,
        "PYTHONPATH": os.pathsep.join(path),
    }


def start_from_environment() -> None:
    """Record this process, if the variables of `child_environment` are set."""
    folder = os.environ.get(RECORD_DIR)
    if not folder:
        return
    node = os.environ.get(RECORD_NODE, "")
    roots = [Path(p) for p in os.environ.get(RECORD_ROOTS, "").split(os.pathsep) if p]
    entries = [e for e in os.environ.get(RECORD_ENTRIES, "").split(",") if e]

    def note(facts: dict[str, Any]) -> None:
        # One line, one write, in append mode: a process that is killed leaves whole lines.
        file = Path(folder) / f"child-{os.getpid()}.jsonl"
        line = json.dumps({"node": node, "argv": sys.argv, **facts}) + "\n"
        with contextlib.suppress(OSError):
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(descriptor, line.encode())
            finally:
                os.close(descriptor)

    def note_exit() -> None:
        note({"modules": imported_files(roots), "cuda_peak_bytes": cuda_peak_bytes()})

    def note_reach(entry: str) -> None:
        note({"reached": entry, "modules": imported_files(roots), "at": time.time()})

    Recorder(entries, roots, note_reach).install()
    atexit.register(note_exit)


def run_shadowed_sitecustomize(own_folder: Path) -> None:
    """Run the `sitecustomize` that the injected one hides, if there is one."""
    path = [p for p in sys.path if Path(p or ".").resolve() != own_folder.resolve()]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", path)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
