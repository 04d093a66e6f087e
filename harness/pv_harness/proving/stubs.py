"""Suggestions as text that can be pasted into the contract: entries for `defects:`. Pure.

Where they belong is read from the layout of the contract, so that it stays valid.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pv_harness.documents.loading import load
from pv_harness.wording import counted, falsifier_id, printable


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pv_harness.contracts.contract import Falsifier
    from pv_harness.proving.suggestions import Suggestion, SuggestReport

_NO_PLACE = 2


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry for the `defects` of a falsifier can be pasted.

    Attributes:
        path: the contract.
        line: of `defects:`, from 1; the entry goes below it.
        indent: spaces before the dash; None where the list stands in brackets.
    """

    path: str
    line: int
    indent: int | None


def find_places(data: bytes, path: str) -> dict[str, Place]:
    """Falsifier ID -> where in this contract its defects are listed; no ID that has no list."""
    document = load(data, path)
    entries = document.value.get("falsifiers") if isinstance(document.value, dict) else None
    lines = re.split(r"\r\n|\r|\n", data.decode("utf-8", "replace"))
    places = {}
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        name = falsifier_id(entry)
        if name is not None and isinstance(entry.get("defects"), list):
            way: list[str | int] = ["falsifiers", index, "defects"]
            line, _ = document.key_position(way)
            first_line, column = document.position([*way, 0])
            before = lines[first_line - 1][: column - 1]
            is_block = first_line > line and before.strip() == "-"
            places[name] = Place(path, line, before.index("-") if is_block else None)
    return places


def render_suggestions(report: SuggestReport, places: Mapping[str, Place]) -> str:
    """What no check notices, as entries for `defects:` of a contract, and last the counts."""
    notes = [
        f"{name}: not asked, since it does not pass as it is: {_line(why)}"
        for name, why in sorted(report.red.items())
    ]
    notes += [f"{s.file}:{s.line} {s.name}: skipped: {s.reason}" for s in report.skipped]
    if report.suggestions:
        notes += [
            "sharpen a check until it notices, and keep the entry as the proof;",
            "or leave both as they are, if the claim is not about that function",
        ]
    if not report.tried:
        notes.append("nothing was tried, so nothing is known")
    return "\n".join([*_blocks(report.suggestions, places), *notes, _counts(report)])


def _counts(report: SuggestReport) -> str:
    functions = counted(report.functions, "function")
    covered_by = counted(report.falsifiers, "falsifier")
    unnoticed = len(report.suggestions)
    counts = [
        f"{functions} covered by {covered_by}",
        f"{report.entered} entered by a check",
        f"{report.tried} tried",
        f"{report.tried - unnoticed} noticed",
        f"{unnoticed} not noticed",
    ]
    if report.declared:
        counts.append(f"{report.declared} declared already")
    left = report.entered - report.tried - report.declared
    if left:
        counts.append(f"{left} left out by --limit {report.limit}")
    return " · ".join(counts)


def _blocks(suggestions: Sequence[Suggestion], places: Mapping[str, Place]) -> Iterator[str]:
    """Those of one falsifier together, below a line that says where they belong."""
    by_falsifier: dict[str, list[Suggestion]] = {}
    for suggestion in suggestions:
        by_falsifier.setdefault(suggestion.falsifiers[0].id, []).append(suggestion)
    for name, own in sorted(by_falsifier.items()):
        place = places.get(name)
        indent = _NO_PLACE if place is None or place.indent is None else place.indent
        yield _heading(name, place)
        taken = {plant.id for plant in own[0].falsifiers[0].plants}
        for suggestion in own:
            yield from (" " * indent + line for line in _entry(suggestion, taken))
        yield ""


def _heading(name: str, place: Place | None) -> str:
    if place is None:
        return f"# for the defects of {name}"
    where = f"{printable(place.path)}:{place.line}"
    if place.indent is None:
        return f"# {where} for `defects` of {name}, which stand in brackets: a line each first"
    return f"# {where} below `defects:` of {name}"


def _entry(suggestion: Suggestion, taken: set[str]) -> Iterator[str]:
    patch, first = suggestion.patch, suggestion.falsifiers[0]
    others = ", ".join(f.id for f in suggestion.falsifiers[1:])
    too = f"; {others} would see it too" if others else ""
    statements = " or ".join(f"`{statement}`" for statement in suggestion.statements)
    yield f"# {suggestion.function}: no check notices {statements} as its first line{too}"
    yield f"- id: {_free_name(patch.id, taken)}"
    yield f"  file: {_quoted(str(patch.file))}"
    yield f"  find: {_quoted(patch.find)}"
    yield f"  replace: {_quoted(patch.replace)}"
    yield f"  expect: {_expected(first)}"


def _expected(falsifier: Falsifier) -> str:
    metric, *others = dict.fromkeys(bound.metric for bound in falsifier.bounds)
    return f"{metric}  # or {', '.join(others)}: the one to break" if others else metric


def _free_name(wanted: str, taken: set[str]) -> str:
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted}-{number}", number + 1
    taken.add(name)
    return name


def _quoted(text: str) -> str:
    """A double-quoted scalar of YAML, in which nothing of a source file can do harm."""
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(character: str) -> str:
    named = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    if character in named:
        return named[character]
    # JSON's pairs of surrogates are not YAML's: beyond the first plane it has `\\U`.
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _line(text: str) -> str:
    return printable(text.strip().splitlines()[0]) if text.strip() else "no reason was given"
