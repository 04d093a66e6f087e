"""Strict YAML with positions: bytes in, plain data and problems out.

What PyYAML's own loaders let through and this one does not: a key given twice, anchors and
merge keys (a few of which can fill the memory), tags, YAML 1.1's readings of `no`, `010` and
`1:30`, nesting deep enough to overflow the C stack, and a second document that nobody reads.
Every such thing is a problem with a place; no exception of PyYAML's leaves this module.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

from pv_harness.documents.document import Document, Mark
from pv_harness.documents.problem import MAX_PROBLEMS, Problem, sort_key
from pv_harness.documents.scalars import NUMBER_START, resolve
from pv_harness.documents.yaml_complaints import complain, is_no_value, is_open_quote
from pv_harness.regular_file import FileTooLargeError, read_regular, reason
from pv_harness.wording import show


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MAX_SIZE_BYTES = 1 << 20
MAX_DEPTH = 64
MAX_VALUES = 50_000
"""Each costs up to a kilobyte. What `plain_yaml` reads has fewer: 64 KiB, two bytes each."""

# YAML's printable set, less what YAML 1.1 alone takes for line breaks (NEL, LS, PS) and less
# the byte order mark: either would move the lines that an editor shows.
_FORBIDDEN = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_HALF_A_PAIR = re.compile("[\ud800-\udfff]")
_LINE_END = re.compile(r"\r\n|\r|\n")
_BYTE_ORDER_MARKS = {
    b"\xef\xbb\xbf": "begins with a byte order mark",
    b"\xff\xfe": "is UTF-16",
    b"\xfe\xff": "is UTF-16",
}


def load_file(path: Path, name: str, max_size_bytes: int = MAX_SIZE_BYTES) -> Document:
    """The document in the file at `path`, which problems call `name`.

    A file that can't be read, and one that is no regular file, is a document with a problem.
    """
    try:
        data = read_regular(path, max_size_bytes)
    except FileTooLargeError as error:
        return _unreadable(name, "PV002", f"the file {reason(error)}")
    except OSError as error:
        return _unreadable(name, "PV001", f"the file can't be read: {reason(error)}")
    return load(data, name, max_size_bytes)


def load(data: bytes, path: str, max_size_bytes: int = MAX_SIZE_BYTES) -> Document:
    """The document that `data` spells, with all problems; never raises for bad input.

    Scalars follow YAML 1.2's core schema, keys of mappings are always text.
    """
    if len(data) > max_size_bytes:
        size = f"the file is larger than {max_size_bytes:,} bytes, the most that is read"
        return _unreadable(path, "PV002", size)
    for prefix, what in _BYTE_ORDER_MARKS.items():
        if data.startswith(prefix):
            return _unreadable(path, "PV003", f"the file {what}; save it as plain UTF-8")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        place = _place_of(data[: error.start].decode("utf-8"))
        byte = f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        return _unreadable(path, "PV003", byte, place)
    if found := _FORBIDDEN.search(text):
        character = (
            f"the character U+{ord(found[0]):04X} is not allowed in a contract; remove it"
        )
        return _unreadable(path, "PV003", character, _place_of(text[: found.start()]))
    return _Composer(path, text).document()


def _unreadable(
    path: str, code: str, message: str, place: tuple[int, int] = (1, 1)
) -> Document:
    problem = Problem(path, *place, code, message)
    return Document(path, None, Mark(1, 1), readable=False, problems=(problem,))


def _place_of(before: str) -> tuple[int, int]:
    lines = _LINE_END.split(before)
    return len(lines), len(lines[-1]) + 1


class _BeyondLimitError(Exception):
    """What goes beyond a limit, and its place."""


class _Composer:
    """Builds one document from parser events; depth is bounded before each descent."""

    def __init__(self, path: str, text: str) -> None:
        self._path = path
        self._text = text
        self._problems: list[Problem] = []
        self._spellings: dict[tuple[int, int], str] = {}
        self._values = 0
        self._standing_for: dict[str, int] = {}
        """Anchor -> how many values an alias of it stands for; 0 until it is read."""

    def document(self) -> Document:
        try:
            return self._compose_document()
        except yaml.YAMLError as error:
            return self._syntax_error(error)
        except _BeyondLimitError as error:
            what, place = error.args
            return _unreadable(self._path, "PV002", what, place)

    def _compose_document(self) -> Document:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        # What yaml.parse makes a generator of, which would be a fifth of all the time.
        self._next: Callable[[], Any] = loader(self._text).get_event
        self._next()
        start = self._next()
        if isinstance(start, yaml.StreamEndEvent):
            return _unreadable(self._path, "PV008", "the file is empty; it should be a mapping")
        if start.version or start.tags:
            self._report("PV006", "a directive; contracts are YAML 1.2 without any", start)
        value, mark = self._node(self._next(), 0)
        self._next()
        after = self._next()
        if not isinstance(after, yaml.StreamEndEvent):
            second = "a second document begins; a file holds one contract"
            place = _place(after)
            return _unreadable(self._path, "PV007", second, place)
        problems = tuple(sorted(self._problems, key=sort_key))
        return Document(self._path, value, mark, problems=problems, spellings=self._spellings)

    def _node(self, event: Any, depth: int) -> tuple[Any, Mark]:
        kind = type(event)
        self._values += 1
        if self._values > MAX_VALUES:
            raise _BeyondLimitError(f"more than {MAX_VALUES:,} values", _place(event))
        if kind is yaml.AliasEvent:
            self._follow(event)
            self._report("PV006", f"the alias {show(event.anchor)}; write the value out", event)
            return None, Mark(*_place(event))
        if event.anchor is not None or event.tag is not None:
            self._refuse_properties(event)
        if event.anchor is not None:
            before = self._values
            self._standing_for[event.anchor] = 0
            found = self._content(event, depth)
            self._standing_for[event.anchor] = self._values - before + 1
            return found
        return self._content(event, depth)

    def _content(self, event: Any, depth: int) -> tuple[Any, Mark]:
        kind = type(event)
        if kind is yaml.ScalarEvent:
            mark = event.start_mark
            return self._scalar(event), Mark(mark.line + 1, mark.column + 1)
        if depth == MAX_DEPTH:
            what = f"more than {MAX_DEPTH} levels of nesting"
            raise _BeyondLimitError(what, _place(event))
        if kind is yaml.SequenceStartEvent:
            return self._sequence(event, depth + 1)
        return self._mapping(event, depth + 1)

    def _follow(self, alias: Any) -> None:
        """Counts what other readers make of an alias: a few of them can fill the memory."""
        count = self._standing_for.get(alias.anchor, 1)
        if not count:
            what = f"the alias {show(alias.anchor)} stands for a value that it is part of"
            raise _BeyondLimitError(what, _place(alias))
        self._values += count - 1
        if self._values > MAX_VALUES:
            what = f"with the alias {show(alias.anchor)} written out, "
            what += f"more than {MAX_VALUES:,} values"
            raise _BeyondLimitError(what, _place(alias))

    def _refuse_properties(self, event: Any) -> None:
        if event.anchor is not None:
            self._report("PV006", f"the anchor {show(event.anchor)}; write values out", event)
        if event.tag is not None:
            self._report("PV006", f"the tag {show(event.tag)}; values have no tags", event)

    def _scalar(self, event: Any) -> Any:
        text: str = event.value
        if event.style or not event.implicit[0]:
            return text if text.isascii() else self._encodable(text, event)
        try:
            value = resolve(text)
        except ValueError as error:
            self._report("PV002", str(error), event)
            return None
        if value is not text and text[:1] in NUMBER_START and str(value) != text:
            self._spellings[_place(event)] = text
        return value

    def _encodable(self, text: str, event: Any) -> str:
        # An escape such as "\ud800" makes a string that no terminal and no file can take.
        if _HALF_A_PAIR.search(text):
            self._report("PV003", "an escape spells half a surrogate pair", event)
            return ""
        return text

    def _sequence(self, start: Any, depth: int) -> tuple[list[Any], Mark]:
        values: list[Any] = []
        marks: dict[str | int, Mark] = {}
        take = self._next
        while type(event := take()) is not yaml.SequenceEndEvent:
            value, marks[len(values)] = self._node(event, depth)
            values.append(value)
        return values, Mark(*_place(start), marks)

    def _mapping(self, start: Any, depth: int) -> tuple[dict[str, Any], Mark]:
        values: dict[str, Any] = {}
        marks: dict[str | int, Mark] = {}
        places: dict[str, tuple[int, int]] = {}
        take = self._next
        while type(event := take()) is not yaml.MappingEndEvent:
            key = self._key(event, depth)
            value, mark = self._node(take(), depth)
            if key is None:
                continue
            if key in values:
                first = f"first at line {places[key][0]}"
                self._report("PV005", f"the key {show(key)} is given twice; {first}", event)
                continue
            values[key], marks[key], places[key] = value, mark, _place(event)
        return values, Mark(*_place(start), marks, places)

    def _key(self, event: Any, depth: int) -> str | None:
        """The text of a key, or None for one that can't be read; its problem is noted."""
        if type(event) is not yaml.ScalarEvent:
            before = len(self._problems)
            self._node(event, depth)
            if len(self._problems) == before:
                self._report("PV006", "a key that is not a word; write it as text", event)
            return None
        if event.value == "<<" and not event.style:
            self._report("PV006", "the merge key <<; write the entries out", event)
            return None
        if event.anchor is not None or event.tag is not None:
            self._refuse_properties(event)
        text: str = event.value
        return text if text.isascii() else self._encodable(text, event)

    def _report(self, code: str, message: str, event: Any) -> None:
        # One more than is ever told, so that whoever lists them sees that there are more.
        if len(self._problems) <= MAX_PROBLEMS:
            self._problems.append(Problem(self._path, *_place(event), code, message))

    def _syntax_error(self, error: yaml.YAMLError) -> Document:
        if not isinstance(error, yaml.MarkedYAMLError):
            return _unreadable(self._path, "PV004", f"not YAML: {error}")
        problem, context = str(error.problem or ""), str(error.context or "")
        mark = error.problem_mark or error.context_mark
        if is_open_quote(problem):  # the end of the file is not where to look
            mark = error.context_mark or mark
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        place = min(place, _place_of(self._text))  # libyaml points one line past the end
        if is_no_value(problem):
            return _unreadable(self._path, "PV004", self._stray_character(place), place)
        first = error.context_mark.line + 1 if error.context_mark else place[0]
        begins = first if first < place[0] else None
        what = f"not YAML: {complain(problem, context, begins)}"
        return _unreadable(self._path, "PV004", what, place)

    def _stray_character(self, place: tuple[int, int]) -> str:
        """What is said of a character that no value begins with; libyaml leaves out which."""
        line = _LINE_END.split(self._text)[place[0] - 1]
        character = line[place[1] - 1 : place[1]]
        if character == "\t":
            return "not YAML: a tab; indent with spaces"
        if not character:
            before = line.rstrip()[-1:]
            where = f"is expected behind {show(before)}" if before else "should follow"
            return f"not YAML: a value {where}, and there is none"
        return f"not YAML: no value begins with {show(character)}; quote the text"


def _place(event: Any) -> tuple[int, int]:
    mark = event.start_mark
    return mark.line + 1, mark.column + 1
