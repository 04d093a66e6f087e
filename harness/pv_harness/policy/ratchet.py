"""A ratchet: the falsifiers that may be below what a policy asks. The list may only shrink."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pv_harness.documents.problem import sort_key
from pv_harness.documents.schema_check import schema_problems
from pv_harness.errors import ContractError, UsageError
from pv_harness.wording import show


if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pv_harness.documents.document import Document

SCHEMA = "ratchet-v1"
_HEAD = """\
# Falsifiers that may be below what the policy asks. The list may only shrink:
# `pv gate --policy {policy} --update-ratchet` takes out what has become good enough.
apiVersion: pv/v1
kind: ratchet
falsifiers:"""


@dataclass(frozen=True, slots=True)
class Ratchet:
    """A ratchet file: its name as messages print it, and each ID with its line."""

    path: str
    lines: Mapping[str, int]


def read_ratchet(document: Document) -> Ratchet:
    """The ratchet that a document states.

    Raises:
        ContractError: the document is none; it holds every problem found.
    """
    problems = list(document.problems)
    if document.readable and not isinstance(document.value, dict):
        what = f"the file is {show(document.value)}; it should be a mapping"
        problems.append(document.problem("PV009", what, document.position([])))
    elif document.readable:
        problems += schema_problems(document, SCHEMA)[0]
    if problems:
        raise ContractError(sorted(problems, key=sort_key))
    names = document.value["falsifiers"]
    return Ratchet(
        document.path,
        {name: document.position(["falsifiers", index])[0] for index, name in enumerate(names)},
    )


def render_ratchet(names: Collection[str], policy: str) -> str:
    """A new ratchet file, one ID to a line."""
    head = _HEAD.format(policy=policy)
    lines = [f"- {name}" for name in sorted(names)]
    return "\n".join([head, *lines]) + "\n" if lines else f"{head} []\n"


def shrink_ratchet(text: str, ratchet: Ratchet, loose: Collection[str]) -> str:
    """The file's text without the lines of some IDs; every other line stays as it is.

    Raises:
        UsageError: an ID does not stand on a line of its own.
    """
    lines = text.splitlines(keepends=True)
    for name in sorted(loose):
        number = ratchet.lines[name]
        if lines[number - 1].partition("#")[0].split() != ["-", name]:
            raise UsageError(
                f"{ratchet.path}:{number}: {name} shares its line; write one `- ID` to a line, "
                "or delete it by hand"
            )
    gone = {ratchet.lines[name] for name in loose}
    kept = [line for number, line in enumerate(lines, 1) if number not in gone]
    if set(loose) == set(ratchet.lines) and loose:
        kept = [_emptied(line) for line in kept]
    return "".join(kept)


def _emptied(line: str) -> str:
    """`falsifiers:` with nothing below it would be null; an empty list is written out."""
    head, mark, comment = line.partition("#")
    if head.strip() != "falsifiers:":
        return line
    return f"falsifiers: []{' ' if mark else ''}{mark}{comment or chr(10)}"
