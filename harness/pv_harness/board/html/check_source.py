"""The source of a check as the page shows it, cut out of its file."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pv_harness.fingerprint.syntax import SYNTAX_ERRORS, FunctionNode, parse


if TYPE_CHECKING:
    from collections.abc import Iterable

    from pv_harness.contracts.bindings import Check

# What Python's parser counts as a line; str.splitlines knows more separators and would drift.
_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class CheckSource:
    """The text of one check.

    Attributes:
        path: the file, relative to the project's root.
        line: the line of the file that `text` begins on, from 1.
        text: the function with its decorators, as it stands in the file.
    """

    node_id: str
    path: str
    line: int
    text: str


def cut_out(data: bytes, checks: Iterable[Check]) -> tuple[CheckSource, ...]:
    """The sources of the checks that stand in the file with these bytes.

    A check that isn't on its line any more, or all of them if the file does not parse, are
    left out.
    """
    try:
        tree = parse(data)
    except SYNTAX_ERRORS:
        return ()
    lines = _LINE_END.split(data.decode("utf-8-sig", "replace"))
    functions = {n.lineno: n for n in ast.walk(tree) if isinstance(n, FunctionNode)}
    found = []
    for check in checks:
        node = functions.get(check.line)
        if node is not None and node.name == check.qualname.rpartition(".")[2]:
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            text = "\n".join(lines[first - 1 : node.end_lineno])
            found.append(CheckSource(check.node_id, check.path, first, text))
    return tuple(found)
