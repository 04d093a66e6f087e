"""One YAML or JSON file as plain data, with the place of everything in it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from pv_harness.documents.problem import Problem, Severity


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Mark(NamedTuple):
    """Where a node stands, and where its children and keys do; lines and columns from 1."""

    line: int
    column: int
    children: dict[str | int, Mark] | None = None
    keys: dict[str, tuple[int, int]] | None = None


class Document(NamedTuple):
    """One YAML file as plain data: dict, list, str, int, float, bool and None.

    Attributes:
        path: the file's name as problems print it.
        value: the data; None where `readable` is False.
        readable: False when no data could be had at all.
        problems: what is wrong with the file as YAML, sorted by place. Data that is there in
            spite of problems is a draft: a key given twice has its first value, an alias None.
        spellings: place -> number as the file has it, where Python writes it in another way.
    """

    path: str
    value: Any
    mark: Mark
    readable: bool = True
    problems: tuple[Problem, ...] = ()
    spellings: Mapping[tuple[int, int], str] = MappingProxyType({})

    def spelled(self, keys: Sequence[str | int]) -> str | None:
        """The number at a way as the file has it, if Python writes another: 1.10 as 1.1."""
        mark = self.mark
        for key in keys:
            child = (mark.children or {}).get(key)
            if child is None:
                return None
            mark = child
        is_number = mark.children is None
        return self.spellings.get((mark.line, mark.column)) if is_number else None

    def position(self, keys: Sequence[str | int]) -> tuple[int, int]:
        """Line and column of a node, or of the nearest node around it that exists."""
        mark = self.mark
        for key in keys:
            child = (mark.children or {}).get(key)
            if child is None:
                break
            mark = child
        return mark.line, mark.column

    def key_position(self, keys: Sequence[str | int]) -> tuple[int, int]:
        """Line and column of a mapping's key, given the way to its value.

        For an item of a list it is the position of the item.
        """
        mark = self.mark
        for key in keys[:-1]:
            child = (mark.children or {}).get(key)
            if child is None:
                return mark.line, mark.column
            mark = child
        last = keys[-1] if keys else None
        if isinstance(last, str) and mark.keys and last in mark.keys:
            return mark.keys[last]
        return self.position(keys)

    def reduced_to(self, value: Any) -> Document:
        """The same with less data, of which it keeps the places: of the keys in `value`."""
        mark, keys = self.mark, self.mark.keys or {}
        children = {k: mark.children[k] for k in value} if mark.children else None
        kept = mark._replace(children=children, keys={k: keys[k] for k in value})
        return self._replace(value=value, mark=kept, problems=(), spellings={})

    def problem(
        self,
        code: str,
        message: str,
        position: tuple[int, int],
        severity: Severity = Severity.ERROR,
    ) -> Problem:
        """A problem of this file."""
        return Problem(self.path, *position, code, message, severity)
