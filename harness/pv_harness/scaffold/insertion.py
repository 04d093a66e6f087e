"""Adding a falsifier to the text of a contract: one entry more, every other byte as it was."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import yaml

from pv_harness.documents.loading import load
from pv_harness.errors import UsageError


if TYPE_CHECKING:
    from collections.abc import Sequence

_COMMENT = re.compile(r"(\s*)#")


@dataclass(frozen=True, slots=True)
class _List:
    """Where the list of falsifiers stands: columns from 0, `end` the line behind its last."""

    dash: int
    keys: int
    end: int


def insert_falsifier(text: str, entry: Sequence[str], path: str) -> str:
    """The text with `entry`, the lines of a mapping, as the last item of `falsifiers`.

    Comments, layout and line ends of the rest are kept.

    Raises:
        UsageError: `falsifiers` is no block list with an entry, or the file is laid out in a
            way in which this is not certain to add that entry and nothing else.
    """
    place = _find_list(text, path)
    # Empty lines at the end of a block of text are its own if it is marked with `+`.
    for end in (_without_empty(text, place.end), place.end):
        changed = _insert(text, entry, replace(place, end=end))
        if _only_adds_one(text, changed, path):
            return changed
    raise UsageError(
        f"{path}: an entry can't be added to `falsifiers` without touching what is there; "
        "add the falsifier by hand"
    )


def _insert(text: str, entry: Sequence[str], place: _List) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines(keepends=True)
    first = " " * place.dash + "-" + " " * (place.keys - place.dash - 1)
    margin = " " * place.keys
    added = [
        f"{margin if number else first}{line}{newline}" for number, line in enumerate(entry)
    ]
    if not lines[place.end - 1].endswith(("\r", "\n")):
        lines[place.end - 1] += newline
    return "".join((*lines[: place.end], *added, *lines[place.end :]))


def _without_empty(text: str, end: int) -> int:
    lines = text.splitlines()
    while not lines[end - 1].strip():
        end -= 1
    return end


def _find_list(text: str, path: str) -> _List:
    sequence = _falsifiers_node(text)
    if sequence is None or sequence.flow_style or not sequence.value:
        raise UsageError(
            f"{path}: `falsifiers` should be a list of entries that begin with `- id:`, "
            "each on lines of its own; write it so, or add the falsifier by hand"
        )
    last = sequence.value[-1]
    keys = last.start_mark.column
    lines = text.splitlines()
    dash = lines[last.start_mark.line].rfind("-", 0, keys)
    end = _last_line(last) + 1
    # Comments as deep as the entry's own keys belong to it.
    while end < len(lines) and _is_comment_of(lines[end], keys):
        end += 1
    return _List(dash, keys, end)


def _falsifiers_node(text: str) -> yaml.SequenceNode | None:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    pairs = root.value if isinstance(root, yaml.MappingNode) else ()
    for key, value in pairs:
        if key.value == "falsifiers" and isinstance(value, yaml.SequenceNode):
            return value
    return None


def _last_line(node: yaml.Node) -> int:
    """The last line, from 0, that holds something of a node; comments are nothing."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _last_line(last[1] if isinstance(last, tuple) else last)
    ends_a_line = node.end_mark.column == 0 and node.end_mark.line > node.start_mark.line
    return node.end_mark.line - 1 if ends_a_line else node.end_mark.line


def _is_comment_of(line: str, column: int) -> bool:
    found = _COMMENT.match(line)
    return found is not None and len(found[1]) >= column


def _only_adds_one(before: str, after: str, path: str) -> bool:
    old, new = load(before.encode(), path).value, load(after.encode(), path).value
    if not isinstance(new, dict) or not isinstance(new.get("falsifiers"), list):
        return False
    same = {**new, "falsifiers": new["falsifiers"][:-1]} == old
    return same and len(new["falsifiers"]) == len(old["falsifiers"]) + 1
