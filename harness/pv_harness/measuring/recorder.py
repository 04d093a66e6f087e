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
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any, NoReturn

from pv_harness.measuring.audit import AuditWatch, is_of_project, project_folders
from pv_harness.measuring.bytecode import distrust_stale_bytecode
from pv_harness.measuring.cuda_memory import peak_since
from pv_harness.measuring.main_module import watch_main_module
from pv_harness.measuring.trampoline import is_trampoline, make_trampoline


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

RECORD_DIR = "PV_RECORD_DIR"
RECORD_ENTRIES = "PV_RECORD_ENTRIES"
RECORD_ROOT = "PV_RECORD_ROOT"
RECORD_ROOTS = "PV_RECORD_ROOTS"
RECORD_NODE = "PV_RECORD_NODE"
RECORD_IN_PLACE = "PV_RECORD_IN_PLACE"
INJECT_FOLDER = Path(__file__).parent / "inject"


class Recorder:
    """Watches entry points in this process and calls `on_reach` when one is entered."""

    def __init__(
        self, entries: Iterable[str], roots: Sequence[Path], on_reach: Callable[[str], None]
    ) -> None:
        # A module of the same name elsewhere, in a working folder say, is not the subject.
        self._roots = tuple(f"{root}{os.sep}" for root in roots)
        self.entries: dict[str, list[str]] = {}
        for entry in entries:
            module, _, function = entry.partition(":")
            self.entries.setdefault(module, []).append(function)
        self._on_reach = on_reach

    def install(self) -> None:
        """Arm what is imported already, and the rest when it will be."""
        sys.meta_path.insert(0, _ArmingFinder(self.entries, self.arm_module))
        self.arm()

    def arm(self) -> None:
        """Arm every entry point of the modules that are imported now."""
        for name in self.entries:
            module = sys.modules.get(name)
            if module is not None:
                self.arm_module(module)

    def arm_module(self, module: ModuleType) -> None:
        """Arm the entry points of one module, those that are already armed excepted."""
        for name in self.entries.get(module.__name__, ()):
            function = getattr(module, name, None)
            if isinstance(function, FunctionType) and function.__name__ == name:
                self._arm_function(f"{module.__name__}:{name}", function)

    def _arm_function(self, entry: str, function: FunctionType) -> None:
        code = function.__code__
        if is_trampoline(code) or code.co_freevars:
            return
        if not code.co_filename.startswith(self._roots):
            return
        original = function.__code__

        def enter(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
            function.__code__ = original
            self._on_reach(entry)
            return function(*args, **kwargs)

        _ENTERS[entry] = enter
        receiver = f"{__name__}:{enter_entry_point.__name__}"
        function.__code__ = make_trampoline(entry, original, receiver)


_ENTERS: dict[str, Callable[[Sequence[Any], Mapping[str, Any]], Any]] = {}


def enter_entry_point(entry: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Note that an armed entry point was called, and call what it was before."""
    return _ENTERS[entry](args, kwargs)


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


def imported_files(folders: tuple[str, ...]) -> list[str]:
    """The files of all modules of the project that this process has imported, sorted."""
    found = set()
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and file.endswith(".py") and is_of_project(file, folders):
            found.add(file)
    return sorted(found)


def child_environment(
    record_dir: Path,
    entries: Iterable[str],
    roots: Sequence[Path],
    node: str,
    *,
    root: Path | None = None,
    in_place: bool = False,
) -> dict[str, str]:
    """The variables that make every Python process started with them record itself.

    Args:
        record_dir: where the records go.
        entries: the entry points to watch.
        roots: the folders that the project's modules are imported from.
        node: the check, or shared fixture, that they run for.
        root: the project; files below it that are read are recorded. None for no such record.
        in_place: whether the sources are the project's own, which anybody may edit.
    """
    from pv_harness.measuring.record import node_key  # noqa: PLC0415 - not for those recorded

    path = [str(INJECT_FOLDER), *(str(root) for root in roots)]
    inherited = os.environ.get("PYTHONPATH", "")
    path += [p for p in inherited.split(os.pathsep) if p and p not in path]
    return {
        RECORD_DIR: str(record_dir),
        RECORD_ENTRIES: ",".join(entries),
        RECORD_ROOT: str(root or ""),
        RECORD_ROOTS: os.pathsep.join(str(root) for root in roots),
        RECORD_NODE: node_key(node),
        RECORD_IN_PLACE: "1" if in_place else "",
        "PYTHONPATH": os.pathsep.join(path),
    }


class ChildNotes:
    """Where a process that a check has started notes what it did."""

    def __init__(self, record_dir: Path, key: str) -> None:
        # The key stands for the check: what starts here a thousand times hashes nothing.
        self._place = f"{record_dir}{os.sep}child-{key}"

    def note(self, facts: Mapping[str, Any]) -> None:
        """Add a line. A process that is killed leaves whole lines: one line is one write."""
        line = json.dumps(facts) + "\n"
        with contextlib.suppress(OSError):
            descriptor = os.open(
                f"{self._place}-{os.getpid()}.jsonl",
                os.O_WRONLY | os.O_CREAT | os.O_APPEND,
                0o600,
            )
            try:
                os.write(descriptor, line.encode())
            finally:
                os.close(descriptor)

    def note_module(self, file: str) -> None:
        """A module of the project is executed."""
        self.note({"modules": [file]})

    def note_read(self, file: str) -> None:
        """A file of the project is opened for reading."""
        self.note({"opened": [file]})


def start_from_environment() -> None:
    """Record this process, if the variables of `child_environment` are set."""
    folder = os.environ.get(RECORD_DIR)
    if not folder:
        return
    notes = ChildNotes(Path(folder), os.environ.get(RECORD_NODE, ""))
    root = os.environ.get(RECORD_ROOT, "")
    roots = [Path(p) for p in os.environ.get(RECORD_ROOTS, "").split(os.pathsep) if p]
    folders = project_folders(Path(root) if root else None, roots)
    entries = [e for e in os.environ.get(RECORD_ENTRIES, "").split(",") if e]

    def note_exit() -> None:
        notes.note({"modules": imported_files(folders), "cuda_peak_bytes": peak_since(())})

    def note_reach(entry: str) -> None:
        notes.note({"reached": entry, "modules": imported_files(folders)})

    recorder = Recorder(entries, roots, note_reach)
    recorder.install()
    watch_main_module(recorder.entries, [f"{r}{os.sep}" for r in roots], note_reach)
    if os.environ.get(RECORD_IN_PLACE):
        distrust_stale_bytecode([*roots, Path(root)] if root else roots)
    if root:
        on_module, on_read = each_once(notes.note_module), each_once(notes.note_read)
        AuditWatch(Path(root), folders, on_read, on_module, note_exit).install()
    atexit.register(note_exit)
    _note_before_hard_exit(note_exit)


def each_once(call: Callable[[str], None]) -> Callable[[str], None]:
    """The function, for each argument called at the first time only, in each process."""
    seen: set[tuple[int, str]] = set()

    def call_once(argument: str) -> None:
        key = (os.getpid(), argument)
        if key not in seen:
            seen.add(key)
            call(argument)

    return call_once


def _note_before_hard_exit(note: Callable[[], None]) -> None:
    """`os._exit` runs nothing that was registered; multiprocessing ends its workers so."""
    leave = os._exit

    def note_and_exit(status: int) -> NoReturn:
        with contextlib.suppress(Exception):
            note()
        leave(status)

    os._exit = note_and_exit


def run_shadowed_sitecustomize(own_folder: Path) -> None:
    """Run the `sitecustomize` that the injected one hides, if there is one."""
    path = [p for p in sys.path if Path(p or ".").resolve() != own_folder.resolve()]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", path)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
