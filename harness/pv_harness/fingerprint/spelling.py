"""A digest of a syntax tree, and of each definition in it, that ignores layout."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple


if TYPE_CHECKING:
    from collections.abc import Iterator

MODULE_LEVEL = "module level"
_SHORT = 12


def syntax_digest(tree: ast.AST) -> str:
    """SHA-256 of a syntax tree without positions: comments and layout don't change it.

    Absent optional fields are left out, so that a Python version that adds one gives the same
    digest for the same source.
    """
    import hashlib  # noqa: PLC0415 - OpenSSL: 3 ms, and a validation spells hardly anything

    state = hashlib.sha256()
    for piece in _spell(tree):
        state.update(piece.encode("utf-8", "surrogatepass"))
    return state.hexdigest()


def list_definitions(tree: ast.Module) -> Iterator[str]:
    """A line for each top-level function and class, in order: short digest and name.

    The statements between two of them stand together under the name "module level".
    """
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


class _Inner(NamedTuple):
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
