"""Whether a pytest node exists: its file, and in its syntax the class and the function.

What a class inherits, a module imports or a call makes may be a test too: where another file
says what is there, nothing is told to be missing.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, TypeAlias

from pv_harness.fingerprint.syntax import SYNTAX_ERRORS, parse, statements_of
from pv_harness.regular_file import read_regular, reason
from pv_harness.wording import show


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from pv_harness.validating.foreign.lookups import Lookups

_MAX_SIZE_BYTES = 4 << 20

_Way: TypeAlias = tuple[str, ...]
"""A name, behind the classes around it."""


class PytestNodes:
    """Looks up nodes; a file is read and parsed once. Nothing is imported."""

    def __init__(self, lookups: Lookups) -> None:
        self._lookups = lookups
        self._names: dict[Path, _Names | str] = {}

    def fault(self, node: str, contract: Path) -> str:
        """What is wrong with a node that a contract names; empty if it exists.

        The file is looked for from the folder of the contract upward to the first folder that
        is a repository, as somebody would who runs it there.
        """
        name, _, rest = node.partition("::")
        parts = tuple(part.partition("[")[0] for part in rest.split("::"))
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\0" in name:
            return f"{show(name)} lies outside the repository of the contract"
        for folder in self._lookups.repository_folders(contract):
            if self._lookups.is_regular(folder / path):
                return self._fault_in(folder / path, name, parts)
        return f"the repository of the contract has no file {show(name)}"

    def _fault_in(self, file: Path, name: str, parts: tuple[str, ...]) -> str:
        if file not in self._names:
            self._names[file] = _read_names(file)
        names = self._names[file]
        if isinstance(names, str):
            return f"{show(name)} {names}"
        if names.may_have(parts):
            return ""
        return f"{show(name)} defines no {show('::'.join(parts))}"


@dataclass(frozen=True, slots=True)
class _Names:
    """What a module defines, as the way to it from the module.

    Attributes:
        defined: functions, classes, and what is imported or assigned.
        open: classes, modules (as no way at all) and names that may hold more than is written
            here: what another file defines can be one of their tests.
        bases: class -> the classes of the module that it inherits from.
    """

    defined: frozenset[_Way]
    open: frozenset[_Way]
    bases: Mapping[_Way, tuple[_Way, ...]]

    def may_have(self, way: _Way) -> bool:
        """False where a name can't be there, however other files look."""
        if any(way[:length] in self.open for length in range(len(way))):
            return True
        pending, seen = [way], {way}
        while pending:
            found = pending.pop()
            if found in self.defined or found[:-1] in self.open:
                return True
            above = {(*base, found[-1]) for base in self.bases.get(found[:-1], ())}
            pending += above - seen
            seen |= above
        return False


def _read_names(file: Path) -> _Names | str:
    """The names of a module; or why it can't be read."""
    try:
        tree = parse(read_regular(file, _MAX_SIZE_BYTES))
    except OSError as error:
        return f"can't be read: {reason(error)}"
    except SYNTAX_ERRORS:
        return "is not Python"
    defined: set[_Way] = set()
    borrowed: set[_Way] = set()
    inherits: dict[_Way, list[ast.expr]] = {}
    for way, node in _definitions(tree.body, ()):
        (borrowed if node is None else defined).add(way)
        if isinstance(node, ast.ClassDef):
            inherits.setdefault(way, []).extend(node.bases)
    bases: dict[_Way, tuple[_Way, ...]] = {}
    for way, expressions in inherits.items():
        named = [e.id if isinstance(e, ast.Name) else "" for e in expressions]
        bases[way] = tuple((name,) for name in named if (name,) in inherits)
        # A base that is written in another way, or elsewhere, has tests that nobody sees here.
        if any((name,) not in inherits and name != "object" for name in named):
            borrowed.add(way)
    everything = frozenset(way for way in {*defined, *borrowed} if way)
    return _Names(everything, frozenset(borrowed), bases)


def _definitions(
    body: Iterable[ast.stmt], around: _Way
) -> Iterator[tuple[_Way, ast.stmt | None]]:
    """The names that statements define; of what is defined elsewhere, without its statement."""
    for node in statements_of(body):
        match node:
            case ast.ClassDef():
                yield (*around, node.name), node
                yield from _definitions(node.body, (*around, node.name))
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield (*around, node.name), node
            case ast.Import() | ast.ImportFrom():
                for alias in node.names:
                    name = alias.asname or alias.name
                    yield (around if name == "*" else (*around, name)), None
            case ast.Assign():
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        yield (*around, target.id), None
            case _:
                pass
