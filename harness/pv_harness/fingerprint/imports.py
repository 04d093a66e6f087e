"""The names that a module imports when it runs, read from its syntax tree.

Imports under `if TYPE_CHECKING:` never run, so they are left out.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final


if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCKS: Final = frozenset({"body", "orelse", "finalbody", "handlers", "cases"})
"""Fields of a statement that hold further ones."""


def imported_names(tree: ast.AST, package: str) -> Iterator[str]:
    """Every dotted name that an import statement may mean, absolute; some are no modules.

    Args:
        tree: a module.
        package: what its relative imports start from; empty for a top-level module.
    """
    for node in _executed_statements(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            module = _absolute_module(node, package)
            yield module
            for alias in node.names:
                yield f"{module}.{alias.name}"


def packages_above(name: str) -> Iterator[str]:
    """The packages that are imported first, whether or not the module is found in them."""
    parts = name.split(".")
    return (".".join(parts[:count]) for count in range(1, len(parts)))


def _executed_statements(tree: ast.AST) -> Iterator[ast.AST]:
    """Every statement, however deep. What lies in expressions, most nodes, is no import."""
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        yield node
        if isinstance(node, ast.If) and _is_type_checking(node.test):
            pending.extend(node.orelse)
        else:
            for name in _BLOCKS.intersection(node._fields):
                pending.extend(getattr(node, name))


def _is_type_checking(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING"


def _absolute_module(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".") if package else []
    kept = parts[: len(parts) - (node.level - 1)]
    return ".".join([*kept, *([node.module] if node.module else [])])
