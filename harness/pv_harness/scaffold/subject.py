"""Which module of a repository a first claim can be about, and where a change fits into it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pv_harness.fingerprint.syntax import SYNTAX_ERRORS, parse
from pv_harness.regular_file import read_regular, reason
from pv_harness.wording import show


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_MAX_SIZE_BYTES = 4 << 20
_NO_SUBJECT = frozenset(
    {
        "bench", "benchmarks", "build", "checks", "contracts", "dist", "doc", "docs",
        "examples", "falsifiers", "reports", "scripts", "test", "tests", "tools", "venv",
    }
)  # fmt: skip
_QUIET = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_ASSIGNMENTS = (ast.Assign, ast.AnnAssign)


@dataclass(frozen=True, slots=True)
class Subject:
    """A module that can be imported without running a program, and an anchor in it.

    Attributes:
        module: its dotted name.
        anchor: a line at the top level, once in the file; a statement fits before it.
    """

    module: str
    path: Path
    anchor: str


@dataclass(frozen=True, slots=True)
class Unfit:
    """A module that was seen and can't be used, and the reason, as a sentence goes on."""

    path: Path
    why: str


def find_subject(source_roots: Sequence[Path], preferred: str) -> Subject | None:
    """The package below the source roots that a claim fits best, or None.

    The package called `preferred` comes first, then packages by name, then single modules.
    """
    for root in source_roots:
        for path in _candidates(root, preferred):
            anchor = find_anchor(path)
            if anchor is not None:
                parts = path.relative_to(root).with_suffix("").parts
                module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
                return Subject(module, path, anchor)
    return None


def find_unfit(source_roots: Sequence[Path], preferred: str) -> tuple[Unfit, ...]:
    """The modules below the source roots that no claim can begin with, and why."""
    found = []
    for root in source_roots:
        for path in _candidates(root, preferred):
            why = _why_unfit(path)
            if why:
                found.append(Unfit(path, why))
    return tuple(found)


def find_anchor(path: Path) -> str | None:
    """A line of a module before which a statement can be put; None for an unfit module.

    Unfit is what does more than import and define when it is imported: it may be a program.
    """
    try:
        lines, body = _read_module(path)
    except (OSError, UnicodeDecodeError, *SYNTAX_ERRORS):
        return None
    if not all(map(_is_quiet, body)):
        return None
    text = "\n".join(lines)
    for node in body:
        line = lines[node.lineno - 1].rstrip("\r")
        if _takes_a_statement_before(node) and text.count(line) == 1 and line.isprintable():
            return line
    return None


def _why_unfit(path: Path) -> str:
    """Why a module has no anchor; empty for one that is empty, and for one that has."""
    try:
        lines, body = _read_module(path)
    except OSError as error:
        return f"it can't be read: {reason(error)}"
    except (UnicodeDecodeError, *SYNTAX_ERRORS):
        return "it is no Python that can be read"
    for node in body:
        if not _is_quiet(node):
            line = lines[node.lineno - 1].strip()
            return (
                f"importing it runs line {node.lineno}, {show(line)}; put what it does into "
                'functions, and the call under `if __name__ == "__main__":`'
            )
    return "" if not body or find_anchor(path) else "no line of it stands there once"


def _read_module(path: Path) -> tuple[list[str], list[ast.stmt]]:
    data = read_regular(path, _MAX_SIZE_BYTES)
    return data.decode("utf-8").split("\n"), parse(data).body


def _candidates(root: Path, preferred: str) -> Iterator[Path]:
    """Modules below one source root: of packages first, the package itself before its parts."""
    packages = [path.parent for path in sorted(root.glob("*/__init__.py"))]
    packages = [p for p in packages if p.name.isidentifier() and p.name not in _NO_SUBJECT]
    for package in sorted(packages, key=lambda p: (p.name != preferred, p.name)):
        inside = (p for p in sorted(package.glob("*.py")) if _is_importable(p))
        yield from (package / "__init__.py", *inside)
    modules = [path for path in sorted(root.glob("*.py")) if _is_importable(path)]
    yield from sorted(modules, key=lambda p: (p.stem != preferred, p.name))


def _is_importable(path: Path) -> bool:
    name = path.stem
    is_test = name.startswith("test_") or name in ("conftest", "setup")
    return name.isidentifier() and not name.startswith("__") and not is_test


def _is_quiet(node: ast.stmt) -> bool:
    match node:
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.If() | ast.Try():
            return _is_main_guard(node) or all(_is_quiet(n) for n in _blocks(node))
        case _:
            return isinstance(node, (*_QUIET, *_ASSIGNMENTS))


def _blocks(node: ast.If | ast.Try) -> Iterator[ast.stmt]:
    yield from (*node.body, *node.orelse)
    if isinstance(node, ast.Try):
        yield from (*node.finalbody, *(n for h in node.handlers for n in h.body))


def _is_main_guard(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "__main__" in ast.unparse(node.test)


def _takes_a_statement_before(node: ast.stmt) -> bool:
    match node:
        case ast.ImportFrom(module="__future__") | ast.Expr():
            return False
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return not node.decorator_list
        case _:
            return node.col_offset == 0
