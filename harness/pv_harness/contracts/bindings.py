"""Which check is bound to which falsifier, read from the syntax of the checks.

Nothing is imported, so that a check that needs a GPU, or an evil one, can be listed anywhere.
What a syntax tree can't show is refused instead of guessed: the marker's argument is a literal
ID, and the marker stands on a test function, on a Test class, or in a `pytestmark`. So is what
pytest would pass over in silence: a second ID, a function that a later one of its name hides.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from pv_harness.contracts.file_search import walk_files
from pv_harness.documents.problem import Problem, Severity, sort_key
from pv_harness.errors import ContractError
from pv_harness.fingerprint.syntax import (
    SYNTAX_ERRORS,
    describe_syntax_error,
    parse,
    statements_of,
)
from pv_harness.regular_file import read_regular, reason
from pv_harness.wording import printable


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from pv_harness.project import Project

MARKER = "falsifies"
_MAX_SIZE_BYTES = 4 << 20
_NOT_CHECKS = frozenset({"conftest.py"})
_NOT_IN_NODE_IDS = ("[", "::")
_NAMED = re.compile(rb"""\bfalsifies\s*\(\s*(["'])([^"'\\\n]+)\1""")
"""The ID in a marker, in a file that has no syntax tree."""
_LINE_END = re.compile(rb"\r\n|\r|\n")

_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Check:
    """One test function bound to one falsifier: one check, one ID.

    Attributes:
        falsifier_id: the ID that its marker names.
        path: the file, relative to the project's root, with forward slashes.
        line: the line of `def`, from 1.
        qualname: `test_x` or `TestClass.test_x`.
        node_id: `path::test_x` or `path::TestClass::test_x`, without parameters.
        named_at: line and column of the ID in the marker, from 1; no part of what a check is.
    """

    falsifier_id: str
    path: str
    line: int
    qualname: str
    node_id: str
    named_at: tuple[int, int] = field(default=(1, 1), compare=False)


class Bindings(NamedTuple):
    """All checks below the project's folders of checks, and what could not be understood.

    Attributes:
        named: every ID that a marker names, also one that makes no check, so that its claim
            is not told to be without one; None where a marker or a file can't be read.
    """

    checks: tuple[Check, ...]
    problems: tuple[Problem, ...]
    named: frozenset[str] | None = frozenset()


def find_checks(project: Project) -> tuple[Check, ...]:
    """All checks of a project, ordered by file and line.

    Raises:
        ContractError: a file can't be read or parsed, or a marker can't be understood.
        UsageError: a folder can't be listed.
    """
    bindings = scan_checks(project)
    errors = [item for item in bindings.problems if item.severity is Severity.ERROR]
    if errors:
        raise ContractError(errors)
    return bindings.checks


def scan_checks(project: Project) -> Bindings:
    """The checks of a project and the problems of their files, ordered by file and line.

    Raises:
        UsageError: a folder can't be listed.
    """
    checks: list[Check] = []
    problems: list[Problem] = []
    named: frozenset[str] | None = frozenset()
    for path in _python_files(project.checks):
        found = _scan_file(path, printable(project.relative(path)))
        checks.extend(found.checks)
        problems.extend(found.problems)
        named = None if named is None or found.named is None else named | found.named
    checks.sort(key=lambda check: (check.path, check.line, check.falsifier_id))
    return Bindings(tuple(checks), tuple(sorted(problems, key=sort_key)), named)


def read_checks(data: bytes, path: str) -> Bindings:
    """The checks that the source `data` of the file `path` declares, and its problems."""
    try:
        tree = parse(data)
    except SYNTAX_ERRORS as error:
        line, column, message = describe_syntax_error(error)
        what = f"the file does not parse as Python: {message}"
        named = frozenset(match[2].decode(errors="replace") for match in _NAMED.finditer(data))
        return Bindings((), (Problem(path, line, column, "PV030", what),), named)
    return _Scan(path, tree, data).bindings()


def _python_files(folders: Iterable[Path]) -> Iterator[Path]:
    found = {
        path
        for folder in folders
        if folder.exists()
        for path in ([folder] if folder.is_file() else walk_files(folder, {".py"}))
    }
    return iter(sorted(path for path in found if path.name not in _NOT_CHECKS))


def _scan_file(path: Path, name: str) -> Bindings:
    try:
        data = read_regular(path, _MAX_SIZE_BYTES)
    except OSError as error:
        what = f"the file can't be read: {reason(error)}"
        return Bindings((), (Problem(name, 1, 1, "PV030", what),), None)
    # Most Python files below a folder of checks hold none; parsing is what costs.
    return read_checks(data, name) if MARKER.encode() in data else Bindings((), ())


class _Marked(NamedTuple):
    """An ID that a marker names, and its line and column."""

    id: str
    place: tuple[int, int]


class _Definition(NamedTuple):
    """The first definition of a name in one scope."""

    line: int
    holds_checks: bool


class _Scan:
    def __init__(self, path: str, tree: ast.Module, data: bytes) -> None:
        self.path = path
        self.tree = tree
        self.data = data
        self.checks: list[Check] = []
        self.problems: list[Problem] = []
        self.aliases: set[str] = set()
        self.understood: set[int] = set()
        self.named: set[str] = set()
        self.lines: list[bytes] = []

    def bindings(self) -> Bindings:
        self.aliases = set(self._find_aliases())
        self._visit(self.tree.body, (), ())
        expressions = (node for node in ast.walk(self.tree) if isinstance(node, ast.expr))
        for node in expressions:
            if self._is_marker(node) and id(node) not in self.understood:
                where = "it should stand on a test function, a Test class, or in pytestmark"
                self._report(
                    "PV033", f"a {MARKER} marker where it can't be read; {where}", node
                )
        self._judge_path()
        unread = any(problem.code == "PV033" for problem in self.problems)
        named = None if unread else frozenset(self.named)
        return Bindings(tuple(self.checks), tuple(self.problems), named)

    def _find_aliases(self) -> Iterator[str]:
        """Module-level names for the marker: `falsifies = pytest.mark.falsifies`."""
        for node in self.tree.body:
            if isinstance(node, ast.Assign) and self._is_marker(node.value):
                names = [target for target in node.targets if isinstance(target, ast.Name)]
                if len(names) == len(node.targets):
                    self.understood |= {id(node.value), *map(id, names)}
                    yield from (name.id for name in names)
            elif isinstance(node, ast.ImportFrom):
                yield from (a.asname or a.name for a in node.names if a.name == MARKER)

    def _visit(
        self, body: Sequence[ast.stmt], classes: tuple[str, ...], outer: tuple[_Marked, ...]
    ) -> None:
        outer = (*outer, *self._pytestmark(body))
        defined: dict[str, _Definition] = {}
        for node in statements_of(body):
            if not isinstance(node, ast.ClassDef | _Function):
                continue
            count = len(self.checks)
            if isinstance(node, ast.ClassDef):
                self._visit_class(node, classes, outer)
            else:
                self._add(node, classes, outer)
            holds_checks = len(self.checks) > count
            first = defined.setdefault(node.name, _Definition(node.lineno, holds_checks))
            if node.lineno != first.line and (holds_checks or first.holds_checks):
                self._report_hidden((*classes, node.name), first.line, node)

    def _visit_class(
        self, node: ast.ClassDef, classes: tuple[str, ...], outer: tuple[_Marked, ...]
    ) -> None:
        own = tuple(self._read_markers(node.decorator_list))
        names = (*classes, node.name)
        if own and not _are_collected(names):
            self._report_uncollected(names, node)
        self._visit(node.body, names, (*outer, *own))

    def _pytestmark(self, body: Sequence[ast.stmt]) -> Iterator[_Marked]:
        for node in statements_of(body):
            if isinstance(node, ast.Assign) and any(
                isinstance(target, ast.Name) and target.id == "pytestmark"
                for target in node.targets
            ):
                value = node.value
                yield from self._read_markers(
                    value.elts if isinstance(value, ast.List | ast.Tuple) else [value]
                )

    def _read_markers(self, expressions: Iterable[ast.expr]) -> Iterator[_Marked]:
        for node in expressions:
            if isinstance(node, ast.Call) and self._is_marker(node.func):
                self.understood.add(id(node.func))
                marked = self._argument(node)
                if marked is not None:
                    self.named.add(marked.id)
                    yield marked

    def _argument(self, call: ast.Call) -> _Marked | None:
        match call.args, call.keywords:
            case [ast.Constant(value=str(identity)) as node], []:
                return _Marked(identity, self._place(node))
            case _:
                pass
        shape = f'pytest.mark.{MARKER}("ID")'
        what = f"the argument of {MARKER} is not one literal ID; it should be {shape}"
        self._report("PV033", what, call)
        return None

    def _add(
        self, node: _Function, classes: tuple[str, ...], outer: tuple[_Marked, ...]
    ) -> None:
        own = tuple(self._read_markers(node.decorator_list))
        names = (*classes, node.name)
        if not (node.name.startswith("test") and _are_collected(classes)):
            if own:
                self._report_uncollected(names, node)
            return
        node_id = "::".join((self.path, *names))
        # Of an ID that is named twice, the marker closest to the function is shown.
        places = {marked.id: marked.place for marked in (*outer, *own)}
        if len(places) > 1:
            self._report_ambiguous(names, tuple(places), node)
        for identity, place in places.items():
            qualname = ".".join(names)
            check = Check(identity, self.path, node.lineno, qualname, node_id, place)
            self.checks.append(check)

    def _is_marker(self, node: ast.expr) -> bool:
        match node:
            case ast.Attribute(
                attr=name, value=ast.Attribute(attr="mark") | ast.Name(id="mark")
            ):
                return name == MARKER
            case ast.Name(id=name):
                return name in self.aliases
            case _:
                return False

    def _report_uncollected(self, names: tuple[str, ...], node: ast.stmt) -> None:
        rule = "pytest collects functions named test*, alone or in classes named Test*"
        self._report("PV034", f"{'.'.join(names)} is marked but never collected; {rule}", node)

    def _report_ambiguous(
        self, names: tuple[str, ...], identities: tuple[str, ...], node: ast.stmt
    ) -> None:
        listed = " and ".join(map(repr, identities))
        rule = "one check judges one claim; write one test for each"
        self._report("PV037", f"{'.'.join(names)} is bound to {listed}; {rule}", node)

    def _report_hidden(self, names: tuple[str, ...], first: int, node: ast.stmt) -> None:
        what = f"{'.'.join(names)} is defined on line {first} and again on line {node.lineno}"
        rule = "Python keeps the last one alone; give each a name of its own"
        self._report("PV038", f"{what}; {rule}", node)

    def _judge_path(self) -> None:
        found = [text for text in _NOT_IN_NODE_IDS if text in self.path]
        if self.checks and found:
            what = (
                f"the file's path holds {found[0]!r}, which ends the path in a pytest node ID"
            )
            place = (min(check.line for check in self.checks), 1)
            self.problems.append(
                Problem(self.path, *place, "PV039", f"{what}; rename the file or its folder")
            )

    def _report(self, code: str, message: str, node: ast.expr | ast.stmt) -> None:
        self.problems.append(Problem(self.path, *self._place(node), code, message))

    def _place(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        """Line and column; of a function or a class, those of its name."""
        line, before = self._line(node.lineno), node.col_offset
        if isinstance(node, ast.ClassDef | _Function):
            before = max(before, line.find(node.name.encode(), before))
        # A syntax tree counts bytes, editors count characters.
        return node.lineno, len(line[:before].decode(errors="replace")) + 1

    def _line(self, number: int) -> bytes:
        if not self.lines:
            self.lines = _LINE_END.split(self.data)
        return self.lines[number - 1] if number <= len(self.lines) else b""


def _are_collected(classes: tuple[str, ...]) -> bool:
    return all(name.startswith("Test") for name in classes)
