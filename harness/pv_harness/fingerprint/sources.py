"""Which Python files a verdict depends on, and a digest of each that ignores layout.

The static half of the fingerprint: modules are resolved to files below the project's source
roots, imports are read from the syntax tree, and nothing is imported or executed. Imports
under `if TYPE_CHECKING:` never run, so they are left out. What is imported by a computed name
is found by the other half, the modules observed during a run.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pv_harness.digest import digest_bytes, digest_of
from pv_harness.fingerprint.imports import imported_names, packages_above
from pv_harness.fingerprint.settings import input_command, pytest_tables
from pv_harness.fingerprint.spelling import list_definitions, syntax_digest
from pv_harness.fingerprint.syntax import SYNTAX_ERRORS
from pv_harness.regular_file import is_regular, read_regular


if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Sequence

    from pv_harness.fingerprint.manifest import Entry

NATIVE_SUFFIXES = frozenset(
    {".c", ".cc", ".cpp", ".cu", ".cuh", ".cxx", ".h", ".hpp", ".pxd", ".pyx"}
)
"""What a package is built from beside Python: part of the fingerprint, by its bytes.

What is built from it is not: a library lies in one checkout and is absent in the next.
"""

_MAX_SIZE_BYTES = 64 << 20
"""Of one source. Evidence names sources, and what it names may be anything."""
_CYTHON_SUFFIXES = frozenset({".pyx", ".pxd"})
_BYTECODE = ".pyc"
"""Imported where it stands in the place of its source; beside the source never read."""
_BESIDE = NATIVE_SUFFIXES | {_BYTECODE}

HARNESS_PACKAGE = "pv_harness"
"""The judge is no part of the fingerprint unless a claim covers it."""


@dataclass(frozen=True)  # without slots: digests are worked out when asked for
class SourceFile:
    """One Python file: its bytes, its syntax, and what it imports.

    `tree` is None for a file that does not parse; it is then known by its bytes.
    """

    path: Path
    data: bytes
    tree: ast.Module | None
    imports: tuple[str, ...]

    @cached_property
    def bytes_digest(self) -> str:
        """SHA-256 of the bytes. Whoever follows imports alone never needs it."""
        return digest_bytes(self.data)

    @cached_property
    def definitions(self) -> str:
        """A line for each top-level function and class, in order: short digest and name.

        The statements between two of them stand together under the name "module level".
        Most commands follow imports and never need this. Empty where nothing was parsed.
        """
        return "" if self.tree is None else "\n".join(list_definitions(self.tree))

    @cached_property
    def syntax_digest(self) -> str:
        """The digest that ignores layout."""
        return self.bytes_digest if self.tree is None else syntax_digest(self.tree)


class SourceTree:
    """The project's Python files as they are now; each is read at most once."""

    def __init__(self, root: Path, source_roots: Sequence[Path]) -> None:
        self.root = root
        self._roots = tuple(source_roots)
        self._import_roots = tuple(dict.fromkeys((*source_roots, root)))
        self._files: dict[Path, SourceFile] = {}
        self._modules: dict[str, Path | None] = {}
        self._bytes_digests: dict[Path, str] = {}
        self._imported: dict[Path, tuple[Path, ...]] = {}
        self._native: dict[Path, tuple[Path, ...]] = {}
        self._inits: dict[Path, tuple[Path, ...]] = {}
        self._is_there: dict[str, bool] = {}
        self._paths: dict[str, Path] = {}
        self._digests_now: dict[str, str | None] = {}
        self._conftests: dict[Path, tuple[Path, ...]] = {}
        self._around: dict[str, frozenset[str] | None] = {}
        self.settings: dict[Hashable, Entry] = {}
        """What `manifest` has made of the configuration."""
        self._pytest_tables: dict[Path, tuple[tuple[str, str], ...]] = {}

    def path_of(self, name: str) -> Path:
        """The file that a manifest names, relative to the root or absolute."""
        if name not in self._paths:
            self._paths[name] = self.root / name
        return self._paths[name]

    def name_of(self, path: Path) -> str:
        """What a manifest calls a file: `path_of` of it is the file."""
        try:
            return path.relative_to(self.root).as_posix()
        except ValueError:
            return path.as_posix()

    def holds(self, path: Path) -> bool:
        """True for a place below the root or a source root: a verdict may rest on it."""
        return any(path.is_relative_to(folder) for folder in (self.root, *self._roots))

    def find_module(self, name: str) -> Path | None:
        """The file of a dotted module or package below the source roots, or None."""
        if name not in self._modules:
            self._modules[name] = self._look_for(name)
        return self._modules[name]

    def find_with_packages(self, name: str) -> list[Path]:
        """The files of a module and of the packages above it, as far as they are there."""
        found = map(self.find_module, (*packages_above(name), name))
        return [path for path in found if path is not None]

    def _look_for(self, name: str) -> Path | None:
        if not all(name.split(".")):
            return None  # `from . import x` where there is no package
        above = filter(None, map(self.find_module, packages_above(name)))
        if any(file.name != "__init__.py" for file in above):
            return None  # a name in a module that is no package, most often a function
        relative = name.replace(".", "/")
        for root in self._roots:
            for candidate in (root / relative / "__init__.py", root / f"{relative}.py"):
                if is_regular(candidate):
                    return candidate
        return None

    def find_imported(self, name: str) -> Path | None:
        """The file that an import of this name means: below a source root, else below the root.

        pytest is started in the root, where Python looks for modules too.
        """
        found = self.find_module(name)
        return found if found or self.root in self._roots else self._of_root.find_module(name)

    @cached_property
    def _of_root(self) -> SourceTree:
        return SourceTree(self.root, (self.root,))

    def module_name(self, path: Path) -> str | None:
        """The dotted name under which a file below a source root is imported, or None."""
        for root in sorted(self._roots, key=lambda r: len(r.parts), reverse=True):
            if path.is_relative_to(root):
                parts = path.relative_to(root).with_suffix("").parts
                return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        return None

    def bytes_digest(self, path: Path) -> str:
        """SHA-256 of a file's bytes.

        Raises:
            OSError: the file can't be read.
        """
        if path in self._files:
            return self._files[path].bytes_digest
        if path not in self._bytes_digests:
            self._bytes_digests[path] = digest_bytes(read_regular(path, _MAX_SIZE_BYTES))
        return self._bytes_digests[path]

    def digest_now(self, name: str) -> str | None:
        """SHA-256 of the bytes of the file that a manifest names; None if it can't be read."""
        if name not in self._digests_now:
            try:
                self._digests_now[name] = self.bytes_digest(self.path_of(name))
            except OSError:
                self._digests_now[name] = None
        return self._digests_now[name]

    def read(self, path: Path) -> SourceFile:
        """One file, parsed. A file that does not parse has its bytes as its syntax.

        Raises:
            OSError: the file can't be read.
        """
        if path not in self._files:
            self._files[path] = self._parse(path, read_regular(path, _MAX_SIZE_BYTES))
        return self._files[path]

    def closure(self, files: Iterable[Path]) -> frozenset[Path]:
        """The files given and all of the project that they import, directly or not.

        The packages above each module count: importing `a.b` runs `a/__init__.py`.
        """
        found: set[Path] = set()
        pending = list(files)
        while pending:
            path = pending.pop()
            if path in found:
                continue
            found.add(path)
            pending.extend(self._run_first(path))
        return frozenset(found)

    def _run_first(self, path: Path) -> tuple[Path, ...]:
        """The files of the project that importing a file itself runs: a step of `closure`."""
        if path not in self._imported:
            modules = map(self.find_imported, self.read(path).imports)
            named = (module for module in modules if module is not None)
            self._imported[path] = (*self.package_inits(path.parent), *dict.fromkeys(named))
        return self._imported[path]

    def absent_modules(
        self, files: Iterable[Path], covers: Iterable[str] = ()
    ) -> tuple[str, ...]:
        """What has to appear for a name that these files import, or a cover, to mean more.

        Paths relative to a source root, sorted: `a/b.py` for that file, `a/b` for a folder or
        the file `a/b.py`. Where a folder is absent, what could lie in it is left out.
        """
        names = {name for path in files for name in self.read(path).imports}.union(covers)
        return tuple(sorted({place for name in names for place in self._places(name)}))

    def has_any(self, places: Iterable[str]) -> bool:
        """True if something is there now of what `absent_modules` named."""
        return any(map(self._has, places))

    def package_inits(self, folder: Path) -> tuple[Path, ...]:
        """What runs when a module in this folder is imported: it makes packages of folders."""
        if folder not in self._inits:
            name = self.module_name(folder / "__init__.py")
            self._inits[folder] = tuple(self.find_with_packages(name) if name else ())
        return self._inits[folder]

    def native_files(self, folder: Path) -> tuple[Path, ...]:
        """The native sources that lie in a folder, sorted; what Cython generated left out.

        Bytecode without a source is one of them.

        Raises:
            OSError: the folder can't be listed.
        """
        if folder not in self._native:
            found = sorted(p for p in folder.iterdir() if p.suffix in _BESIDE)
            cython = {path.stem for path in found if path.suffix == ".pyx"}
            self._native[folder] = tuple(
                path
                for path in found
                if path.is_file()
                and (path.suffix in _CYTHON_SUFFIXES or path.stem not in cython)
                and not (path.suffix == _BYTECODE and path.with_suffix(".py").is_file())
            )
        return self._native[folder]

    def conftests(self, folder: Path) -> tuple[Path, ...]:
        """The `conftest.py` in a folder and in those above it, up to the root."""
        if folder not in self._conftests:
            found = [folder / "conftest.py"] if (folder / "conftest.py").is_file() else []
            inside = folder != self.root and folder.is_relative_to(self.root)
            above = self.conftests(folder.parent) if inside else ()
            is_ours = inside or folder == self.root
            self._conftests[folder] = (*found, *above) if is_ours else ()
        return self._conftests[folder]

    def pytest_tables(self, folder: Path) -> tuple[tuple[str, str], ...]:
        """File and digest of what could configure pytest, in a folder and in those above it.

        Up to the root: what lies above that is no part of the project.
        """
        if folder not in self._pytest_tables:
            inside = folder != self.root and folder.is_relative_to(self.root)
            above = self.pytest_tables(folder.parent) if inside else ()
            here = pytest_tables(folder) if inside or folder == self.root else ()
            named = ((self.name_of(folder / name), digest) for name, digest in here)
            self._pytest_tables[folder] = (*named, *above)
        return self._pytest_tables[folder]

    def input_makers(self, name: str) -> tuple[tuple[str, str], ...]:
        """What makes an input, each with its digest: the command, and files that it names."""
        words = input_command(self.root, name)
        files = [w for w in words if not {"\0", ".."} & {*w, *w.split("/")}]
        found = [
            (word, digest)
            for word in dict.fromkeys(files)
            if not word.startswith("/") and (digest := self.digest_now(word)) is not None
        ]
        return (("its command", digest_of(words)), *found)

    def around(self, name: str) -> frozenset[str] | None:
        """What a file brings along by where it lies: packages above it, native code beside it.

        Given and returned as manifests name files. None where the name of its module means
        another file.

        Raises:
            OSError: its folder can't be listed.
        """
        if name not in self._around:
            path = self.path_of(name)
            module = self.module_name(path)
            found = self.find_module(module) if module else None
            beside: Iterable[Path] = ()
            if path.parent.is_dir():
                folder = path.parent
                beside = (*self.package_inits(folder), *self.native_files(folder))
            is_hidden = found is not None and found != path
            self._around[name] = None if is_hidden else frozenset(map(self.name_of, beside))
        return self._around[name]

    def belongs_to_harness(self, path: Path) -> bool:
        """True for a file of pv itself."""
        name = self.module_name(path)
        return name is not None and name.split(".")[0] == HARNESS_PACKAGE

    def _places(self, name: str) -> Iterator[str]:
        parts = name.removesuffix(".*").split(".")
        if not all(parts):
            return
        for count in range(1, len(parts) + 1):
            place = "/".join(parts[:count])
            file = self.find_imported(".".join(parts[:count]))
            if file is None and any((root / place).is_dir() for root in self._import_roots):
                yield from (f"{place}.py", f"{place}/__init__.py")
            elif file is None or file.name != "__init__.py":
                yield from () if file else (place,)
                return

    def _has(self, place: str) -> bool:
        if place not in self._is_there:
            self._is_there[place] = any(
                _is_there(f"{root}/{place}") for root in self._import_roots
            )
        return self._is_there[place]

    def _parse(self, path: Path, data: bytes) -> SourceFile:
        try:
            tree = ast.parse(data)
        except SYNTAX_ERRORS:
            return SourceFile(path, data, None, ())
        package = self._package_of(path)
        named = set(imported_names(tree, package))
        imports = tuple(sorted(named.union(*map(packages_above, named))))
        return SourceFile(path, data, tree, imports)

    def _package_of(self, path: Path) -> str:
        name = self.module_name(path) or self._of_root.module_name(path) or ""
        return name if path.name == "__init__.py" else name.rpartition(".")[0]


def _is_there(place: str) -> bool:
    try:
        if place.endswith(".py"):
            return Path(place).is_file()
        return Path(place).is_dir() or Path(f"{place}.py").is_file()
    except OSError:
        return True  # a name that no file can have: to look closer is never wrong
