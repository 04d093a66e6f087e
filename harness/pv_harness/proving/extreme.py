"""Extreme mutation: a function that does nothing but return a constant. Pure.

Whoever wants to know whether checks look at a function at all need not try every small change
to it: if its whole body can be taken away and no check notices, it is pseudo-tested.

Source: R. Niedermayr, E. Juergens, S. Wagner, "Will my tests tell me if I break this code?",
CSED 2016; O. L. Vera-Perez, B. Danglot, M. Monperrus, B. Baudry, "A comprehensive study of
pseudo-tested methods", Empirical Software Engineering 24, 2019. The constants are theirs, by
the declared type of the result.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pv_harness.contracts.contract import Patch
from pv_harness.validating.rules.planting import count_anchor


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import PurePosixPath

_CONSTANTS = {
    "None": ("None",),
    "bool": ("True", "False"),
    "int": ("0", "1"),
    "float": ("0.0", "1.0"),
    "str": ('""', '"A"'),
    "bytes": ('b""', 'b"A"'),
    "list": ("[]",),
    "dict": ("{}",),
    "set": ("set()",),
    "frozenset": ("frozenset()",),
    "tuple": ("()",),
    "Sequence": ("()",),
    "Mapping": ("{}",),
    "Iterable": ("()",),
    "Iterator": ("iter(())",),
}
_MOST_LINES = 6
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
"""A line as Python counts them: a form feed, say, ends none."""
_NEVER_RUN = {"overload", "abstractmethod"}


@dataclass(frozen=True, slots=True)
class Function:
    """A function whose body can be taken away.

    Attributes:
        name: dotted within its file, `Class.method`.
        line: of its `def`, from 1.
        anchor: the text at the beginning of its body, which stands once in its file.
        patches: one per constant, each a change that its file admits.
    """

    file: PurePosixPath
    name: str
    line: int
    anchor: str
    indent: str
    patches: tuple[Patch, ...]

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.name}"


@dataclass(frozen=True, slots=True)
class Skipped:
    """A function that was left out, and why."""

    file: PurePosixPath
    name: str
    line: int
    reason: str


def find_functions(file: PurePosixPath, source: str) -> Iterator[Function | Skipped]:
    """Every function of a file, in its order; those within functions belong to these.

    Functions without a body are left out in silence: declarations for a type checker, abstract
    methods, bodies that return a constant already.
    """
    lines = _LINE.findall(source)
    for name, node in _functions_of(ast.parse(source).body, ""):
        body = _without_docstring(node.body)
        if _is_trivial(body) or _NEVER_RUN & {_last_name(d) for d in node.decorator_list}:
            continue
        indent = _before(body[0], lines)
        anchor = None if indent.strip() else _anchor_of(node, body[0], lines, source)
        if anchor is None:
            reason = (
                "its body stands on the line of its def"
                if indent.strip()
                else "no text at the beginning of its body stands once in its file"
            )
            yield Skipped(file, name, node.lineno, reason)
            continue
        patches = tuple(_patches(file, name, _constants_of(node), anchor, indent))
        yield Function(file, name, node.lineno, anchor, indent, patches)


def plant_probes(source: str, marks: dict[Function, str]) -> str:
    """The source with functions that make a file, each at its mark, when they are entered."""
    for function, mark in marks.items():
        flag = f"_pv_entered_{function.line}"
        note = (
            f"{flag!r} in globals() or globals().update({flag}=__import__('os').close("
            f"__import__('os').open({mark!r}, 65, 384)))"
        )
        source = source.replace(
            function.anchor, f"{note}\n{function.indent}{function.anchor}", 1
        )
    return source


_Def = ast.FunctionDef | ast.AsyncFunctionDef


def _functions_of(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, _Def]]:
    for node in body:
        if isinstance(node, _Def):
            yield prefix + node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from _functions_of(node.body, f"{prefix}{node.name}.")


def _patches(
    file: PurePosixPath, name: str, constants: Sequence[str], anchor: str, indent: str
) -> Iterator[Patch]:
    # A name may be in any script, the name of a change is not.
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "function"
    for constant in constants:
        statement = "return" if constant == "None" else f"return {constant}"
        word = {"None": "nothing", '""': "empty", "True": "true", "False": "false"}.get(
            constant
        )
        patch_id = f"{slug}-returns-{word or 'constant'}"
        yield Patch(patch_id, file, anchor, f"{statement}\n{indent}{anchor}")


def _constants_of(node: _Def) -> tuple[str, ...]:
    if any(isinstance(inner, ast.Yield | ast.YieldFrom) for inner in _own_nodes(node)):
        return ("None",)
    name = _last_name(node.returns) if node.returns is not None else "None"
    return _CONSTANTS.get(name, ("None",))


def _own_nodes(node: _Def) -> Iterator[ast.AST]:
    """The nodes of a function, without those of functions within it."""
    waiting: list[ast.AST] = list(node.body)
    while waiting:
        inner = waiting.pop()
        yield inner
        if not isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(inner))


def _last_name(node: ast.expr) -> str:
    """`int` of `int`, `tuple` of `tuple[int, ...]`, `overload` of `typing.overload`."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(value=value) | ast.Call(func=value):
            return _last_name(value)
        case ast.Constant(value=value):
            return str(value).partition("[")[0]
        case _:
            return ""


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    match body:
        case [ast.Expr(value=ast.Constant(value=str())), *rest]:
            return rest
        case _:
            return body


def _is_trivial(body: list[ast.stmt]) -> bool:
    """True for a body that is none, or returns a constant already."""
    match body:
        case [] | [ast.Pass()] | [ast.Expr(value=ast.Constant())] | [ast.Raise()]:
            return True
        case [ast.Return(value=None)] | [ast.Return(value=ast.Constant())]:
            return True
        case _:
            return False


def _start_of(first: ast.stmt) -> tuple[int, int]:
    """The line of a statement, from 1, and its column in bytes; decorators stand before it."""
    decorators = getattr(first, "decorator_list", ())
    return min([first.lineno, *(d.lineno for d in decorators)]), first.col_offset


def _before(first: ast.stmt, lines: Sequence[str]) -> str:
    """What stands before a statement on its line."""
    line, column = _start_of(first)
    return lines[line - 1].encode()[:column].decode()


def _anchor_of(node: _Def, first: ast.stmt, lines: Sequence[str], source: str) -> str | None:
    """The shortest run of lines from the body's first statement on that stands once."""
    line, _ = _start_of(first)
    start = lines[line - 1][len(_before(first, lines)) :]
    last = min(line + _MOST_LINES, node.end_lineno or line)
    for end in range(line, last + 1):
        anchor = (start + "".join(lines[line:end])).rstrip()
        if count_anchor(source, anchor) == 1:
            return anchor
    return None
