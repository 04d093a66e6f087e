"""From a release file to a release, or to every problem in it."""

from __future__ import annotations

import difflib
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from pv_harness.documents.problem import STANDARD_INPUT, Severity, sort_key
from pv_harness.documents.schema_check import schema_problems
from pv_harness.policy.policy import Requirement
from pv_harness.policy.reading import read_level
from pv_harness.policy.release import Release, Step
from pv_harness.wording import show


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pv_harness.documents.document import Document
    from pv_harness.documents.problem import Problem

SCHEMA = "release-v1"

_Steps = dict[int, "Mapping[str, Any]"]


def read_release(document: Document) -> tuple[Release | None, tuple[Problem, ...]]:
    """The release that a document states, and its problems; None where one is an error.

    Names of falsifiers are not looked up: what is not written yet is missing, not wrong.
    """
    if not document.readable:
        return None, document.problems
    if not isinstance(document.value, dict):
        what = f"the file is {show(document.value)}; it should be a mapping"
        problem = document.problem("PV009", what, document.position([]))
        return None, (*document.problems, problem)
    found, broken = schema_problems(document, SCHEMA)
    entries = document.value.get("steps")
    steps = {
        index: entry
        for index, entry in enumerate(entries if isinstance(entries, list) else ())
        if ("steps", index) not in broken
    }
    problems = {*document.problems, *found, *_id_is_the_stem(document)}
    problems |= {*_names_are_unique(document, steps), *_needs_exist(document, steps)}
    problems |= set(_needs_have_no_circle(document, steps))
    listed = tuple(sorted(problems, key=sort_key))
    if any(problem.severity is Severity.ERROR for problem in listed):
        return None, listed
    return _release(document), listed


def _id_is_the_stem(document: Document) -> Iterator[Problem]:
    """PV020: the id is the one that people and references use."""
    name = document.value.get("id")
    stem = document.path.rpartition("/")[2].rpartition(".")[0]
    if document.path != STANDARD_INPUT and isinstance(name, str) and name != stem:
        what = f"id is {show(name)}; it should be the file's stem, {show(stem)}"
        yield document.problem("PV020", what, document.position(["id"]))


def _names_are_unique(document: Document, steps: _Steps) -> Iterator[Problem]:
    """PV070: one step, one name."""
    first: dict[str, int] = {}
    for index, entry in steps.items():
        known = first.setdefault(entry["id"], index)
        if known != index:
            line = document.position(["steps", known, "id"])[0]
            what = f"the step {show(entry['id'])} is given twice; first at line {line}"
            yield document.problem("PV070", what, document.position(["steps", index, "id"]))


def _needs_exist(document: Document, steps: _Steps) -> Iterator[Problem]:
    """PV071: what a step needs is a step of this file."""
    entries = document.value.get("steps")
    listed = entries if isinstance(entries, list) else []
    # A step that is wrong elsewhere has a name all the same.
    known = {str(e["id"]) for e in listed if isinstance(e, dict) and "id" in e}
    for index, entry in steps.items():
        for position, name in enumerate(entry.get("needs", ())):
            if name in known:
                continue
            near = difflib.get_close_matches(name, sorted(known), n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            what = f"the step {show(entry['id'])} needs {show(name)}, which is no step{hint}"
            place = document.position(["steps", index, "needs", position])
            yield document.problem("PV071", what, place)


def _needs_have_no_circle(document: Document, steps: _Steps) -> Iterator[Problem]:
    """PV072: the first circle, at the first of its steps in the file."""
    needs = {entry["id"]: entry.get("needs", ()) for entry in steps.values()}
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        # The library lists each before what needs it, and the first once more at the end.
        circle = list(reversed(error.args[1]))[1:]
        index = next(i for i, entry in steps.items() if entry["id"] in circle)
        start = circle.index(steps[index]["id"])
        circle = [*circle[start:], *circle[:start]]
        way = " needs ".join([*circle, circle[0]])
        place = document.position(["steps", index, "needs"])
        yield document.problem("PV072", f"steps wait for each other: {way}", place)


def _release(document: Document) -> Release:
    value = document.value
    return Release(
        id=value["id"],
        version=value["version"],
        title=value["metadata"]["title"],
        path=document.path,
        requires=tuple(
            Requirement(item["falsifier"], read_level(item["level"]))
            for item in value["requires"]
        ),
        steps=tuple(_step(entry) for entry in value["steps"]),
        description=value["metadata"].get("description", ""),
    )


def _step(entry: Mapping[str, Any]) -> Step:
    return Step(
        id=entry["id"],
        title=entry["title"],
        falsifiers=tuple(entry["falsifiers"]),
        command=entry["command"],
        needs=tuple(entry.get("needs", ())),
    )
