"""Which Python files a verdict depends on, and a digest of each that ignores layout.

The static half of the fingerprint: modules are resolved to files below the project's source
roots, imports are read from the syntax tree, and nothing is imported or executed. Imports
under `if TYPE_CHECKING:` never run, so they are left out. What is imported by a computed name
is found by the other half, the modules observed during a run.
"""

from __future__ import annotations

import ast
import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pv_harness.digest import digest_bytes
from pv_harness.fingerprint.syntax import SYNTAX_ERRORS


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

NATIVE_SUFFIXES = frozenset(
    {".c", ".cc", ".cpp", ".cu", ".cuh", ".cxx", ".h", ".hpp", ".pxd", ".pyx"}
)
"""What a package is built from beside Python: part of the fingerprint, by its bytes.

What is built from it is not: a library lies in one checkout and is absent in the next.
"""

_CYTHON_SUFFIXES = frozenset({".pyx", ".pxd"})

HARNESS_PACKAGE = "pv_harness"
"""The judge is no part of the fingerprint unless a claim covers it."""


@dataclass(frozen=True)  # without slots: the digest of the syntax is worked out when asked for
class SourceFile:
    """One Python file: the digest of its bytes, its syntax, and what it imports.

    `tree` is None for a file that does not parse; it is then known by its bytes.
    """

    path: Path
    bytes_digest: str
    tree: ast.Module | None
    imports: tuple[str, ...]

    @cached_property
    def definitions(self) -> str:
        """A line for each top-level function and class, in order: short digest and name.

        The statements between two of them stand together under the name "module level".
        Most commands follow imports and never need this. Empty where nothing was parsed.
        """
        return "" if self.tree is None else "\n".join(_definitions(self.tree))

    @cached_property
    def syntax_digest(self) -> str:
        """The digest that ignores layout."""
        return self.bytes_digest if self.tree is None else syntax_digest(self.tree)


class SourceTree:
    """The project's Python files as they are now; each is read at most once."""

    def __init__(self, root: Path, source_roots: Sequence[Path]) -> None:
        self.root = root
        self._roots = tuple(source_roots)
        self._files: dict[Path, SourceFile] = {}
        self._modules: dict[str, Path | None] = {}
        self._bytes_digests: dict[Path, str] = {}
        self._native: dict[Path, tuple[Path, ...]] = {}

    def find_module(self, name: str) -> Path | None:
        """The file of a dotted module or package below the source roots, or None."""
        if name not in self._modules:
            self._modules[name] = self._look_for(name)
        return self._modules[name]

    def _look_for(self, name: str) -> Path | None:
        relative = name.replace(".", "/")
        for root in self._roots:
            for candidate in (root / relative / "__init__.py", root / f"{relative}.py"):
                if candidate.is_file():
                    return candidate
        return None

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
        if path not in self._bytes_digests:
            self._bytes_digests[path] = digest_bytes(path.read_bytes())
        return self._bytes_digests[path]

    def read(self, path: Path) -> SourceFile:
        """One file, parsed. A file that does not parse has its bytes as its syntax.

        Raises:
            OSError: the file can't be read.
        """
        if path not in self._files:
            data = path.read_bytes()
            self._bytes_digests[path] = digest_bytes(data)
            self._files[path] = self._parse(path, data)
        return self._files[path]

    def closure(self, files: Iterable[Path]) -> frozenset[Path]:
        """The files given and all that they import, directly or not, below the source roots.

        The packages above each module count: importing `a.b` runs `a/__init__.py`.
        """
        found: set[Path] = set()
        pending = list(files)
        while pending:
            path = pending.pop()
            if path in found:
                continue
            found.add(path)
            pending.extend(self._package_inits(path))
            for name in self.read(path).imports:
                module = self.find_module(name)
                if module is not None:
                    pending.append(module)
        return frozenset(found)

    def native_files(self, folder: Path) -> tuple[Path, ...]:
        """The native sources that lie in a folder, sorted; what Cython generated left out.

        Raises:
            OSError: the folder can't be listed.
        """
        if folder not in self._native:
            found = sorted(p for p in folder.iterdir() if p.suffix in NATIVE_SUFFIXES)
            cython = {path.stem for path in found if path.suffix == ".pyx"}
            self._native[folder] = tuple(
                path
                for path in found
                if path.is_file()
                and (path.suffix in _CYTHON_SUFFIXES or path.stem not in cython)
            )
        return self._native[folder]

    def belongs_to_harness(self, path: Path) -> bool:
        """True for a file of pv itself."""
        name = self.module_name(path)
        return name is not None and name.split(".")[0] == HARNESS_PACKAGE

    def _package_inits(self, path: Path) -> Iterator[Path]:
        name = self.module_name(path)
        parts = name.split(".") if name else []
        for count in range(1, len(parts)):
            parent = self.find_module(".".join(parts[:count]))
            if parent is not None:
                yield parent

    def _parse(self, path: Path, data: bytes) -> SourceFile:
        try:
            tree = ast.parse(data)
        except SYNTAX_ERRORS:
            return SourceFile(path, digest_bytes(data), None, ())
        package = self._package_of(path)
        imports = tuple(sorted(set(_imported_names(tree, package))))
        return SourceFile(path, digest_bytes(data), tree, imports)

    def _package_of(self, path: Path) -> str:
        name = self.module_name(path) or ""
        return name if path.name == "__init__.py" else name.rpartition(".")[0]


def syntax_digest(tree: ast.AST) -> str:
    """SHA-256 of a syntax tree without positions: comments and layout don't change it.

    Absent optional fields are left out, so that a Python version that adds one gives the same
    digest for the same source.
    """
    state = hashlib.sha256()
    for piece in _spell(tree):
        state.update(piece.encode("utf-8", "surrogatepass"))
    return state.hexdigest()


MODULE_LEVEL = "module level"
_SHORT = 12


def _definitions(tree: ast.Module) -> Iterator[str]:
    between: list[ast.stmt] = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if between:
                yield f"{_short_digest(between)} {MODULE_LEVEL}"
                between = []
            yield f"{_short_digest([node])} {node.name}"
        else:
            between.append(node)
    if between:
        yield f"{_short_digest(between)} {MODULE_LEVEL}"


def _short_digest(nodes: list[ast.stmt]) -> str:
    return syntax_digest(ast.Module(body=nodes, type_ignores=[]))[:_SHORT]


@dataclass(frozen=True, slots=True)
class _Inner:
    """A value whose spelling stands in the middle of another's."""

    value: object


def _spell(tree: ast.AST) -> Iterator[str]:
    # A stack of our own: a sum of a thousand terms is as many levels deep.
    open_values = [_parts(tree)]
    while open_values:
        part = next(open_values[-1], None)
        if part is None:
            open_values.pop()
        elif isinstance(part, _Inner):
            open_values.append(_parts(part.value))
        else:
            yield part


def _parts(node: object) -> Iterator[str | _Inner]:
    if isinstance(node, ast.AST):
        yield f"({type(node).__name__}"
        for name in node._fields:
            value = getattr(node, name, None)
            if value is not None and value != []:
                yield f" {name}="
                yield _Inner(value)
        yield ")"
    elif isinstance(node, list):
        yield "["
        for item in node:
            yield _Inner(item)
            yield ","
        yield "]"
    else:
        yield f"{type(node).__name__}:{node!r}"


def _imported_names(tree: ast.AST, package: str) -> Iterator[str]:
    for node in _executed_nodes(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            module = _absolute_module(node, package)
            yield module
            for alias in node.names:
                yield f"{module}.{alias.name}"


def _executed_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        yield node
        if isinstance(node, ast.If) and _is_type_checking(node.test):
            pending.extend(node.orelse)
        else:
            pending.extend(ast.iter_child_nodes(node))


def _is_type_checking(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING"


def _absolute_module(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".") if package else []
    kept = parts[: len(parts) - (node.level - 1)]
    return ".".join([*kept, *([node.module] if node.module else [])])
