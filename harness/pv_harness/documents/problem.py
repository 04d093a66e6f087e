"""One finding about one place in one document."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple


if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_PROBLEMS: Final = 1_000
"""Most problems of one file that are told: a hostile megabyte can have millions."""
STANDARD_INPUT: Final = "<stdin>"
"""What problems call a document that came through standard input."""


class Severity(Enum):
    """An error makes a contract unfit to be judged; a warning does not."""

    ERROR = "error"
    WARNING = "warning"


class Problem(NamedTuple):
    """`path:line:col: PVnnn message`; lines and columns count from 1."""

    path: str
    line: int
    column: int
    code: str
    message: str
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        word = "" if self.severity is Severity.ERROR else "warning: "
        return f"{self.path}:{self.line}:{self.column}: {self.code} {word}{self.message}"


def sort_key(problem: Problem) -> tuple[str, int, int, str, str, bool]:
    """Order by place, then code, then text; only equal problems have equal keys."""
    milder = problem.severity is not Severity.ERROR
    return (problem.path, problem.line, problem.column, problem.code, problem.message, milder)


def sort_and_limit(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Each problem once, by place; of a file with more than `MAX_PROBLEMS` the first of them.

    What is left out is told by a problem at the place where the list of that file ends. It is
    an error where an error is left out.
    """
    kept: list[Problem] = []
    dropped: dict[str, Problem] = {}
    told: dict[str, int] = {}
    last = None
    for problem in sorted(problems, key=sort_key):
        # Equal ones are neighbours. A set of them would ask an enum in Python for its hash.
        if problem == last:
            continue
        last = problem
        count = told.get(problem.path, 0) + 1
        told[problem.path] = count
        if count <= MAX_PROBLEMS:
            kept.append(problem)
        elif problem.path not in dropped or problem.severity is Severity.ERROR:
            first = dropped.get(problem.path, problem)
            what = f"more than {MAX_PROBLEMS:,} problems in this file; the rest is not listed"
            dropped[problem.path] = Problem(
                first.path, first.line, first.column, "PV002", what, problem.severity
            )
    return tuple(sorted((*kept, *dropped.values()), key=sort_key) if dropped else kept)
