"""Python source as syntax trees, for the checks and the subject alike; nothing is imported."""

from __future__ import annotations

import ast
import warnings
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SYNTAX_ERRORS = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What CPython's parser raises: for NUL bytes and for deep nesting it is not SyntaxError."""

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


def parse(source: bytes | str) -> ast.Module:
    """The syntax tree of a module; warnings about its style are not ours to print.

    Raises:
        SYNTAX_ERRORS: the source is not Python, or nested deeper than the parser allows.
    """
    with warnings.catch_warnings(action="ignore"):
        return ast.parse(source)


def compile_source(source: str, name: str) -> None:
    """Establishes that a module compiles: more than parsing, `return` has to be in a function.

    Raises:
        SYNTAX_ERRORS: it does not.
    """
    with warnings.catch_warnings(action="ignore"):
        compile(source, name, "exec", dont_inherit=True)


def describe_syntax_error(error: BaseException) -> tuple[int, int, str]:
    """Line and column, from 1, and the reason that the parser gives."""
    line, column = getattr(error, "lineno", None), getattr(error, "offset", None)
    message = getattr(error, "msg", None) or str(error) or "nested too deeply"
    return max(line or 1, 1), max(column or 1, 1), message


def statements_of(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a block, and of the branches that run in the same scope."""
    for node in body:
        yield node
        match node:
            case ast.If() | ast.For() | ast.While():
                yield from statements_of([*node.body, *node.orelse])
            case ast.With():
                yield from statements_of(node.body)
            case ast.Try():
                handlers = [item for handler in node.handlers for item in handler.body]
                yield from statements_of([*node.body, *handlers, *node.orelse, *node.finalbody])
            case _:
                pass
