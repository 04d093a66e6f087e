"""Whether a pytest node exists: its file, and in its syntax the class and the function."""

from __future__ import annotations

import ast
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pv_harness.fingerprint.syntax import SYNTAX_ERRORS, FunctionNode, parse, statements_of
from pv_harness.regular_file import read_regular, reason
from pv_harness.wording import show


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pv_harness.validating.foreign.lookups import Lookups

_MAX_SIZE_BYTES = 4 << 20


class PytestNodes:
    """Looks up nodes; a file is read and parsed once. Nothing is imported."""

    def __init__(self, lookups: Lookups) -> None:
        self._lookups = lookups
        self._names: dict[Path, frozenset[tuple[str, ...]] | str] = {}

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
        if parts in names:
            return ""
        return f"{show(name)} defines no {show('::'.join(parts))}"


def _read_names(file: Path) -> frozenset[tuple[str, ...]] | str:
    """Functions and classes, with the classes around them; or why the file can't be read."""
    try:
        return frozenset(_names_of(parse(read_regular(file, _MAX_SIZE_BYTES)).body, ()))
    except OSError as error:
        return f"can't be read: {reason(error)}"
    except SYNTAX_ERRORS:
        return "is not Python"


def _names_of(body: Iterable[ast.stmt], around: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for node in statements_of(body):
        if isinstance(node, FunctionNode | ast.ClassDef):
            yield (*around, node.name)
        if isinstance(node, ast.ClassDef):
            yield from _names_of(node.body, (*around, node.name))
