"""One finding about one place in one document."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """An error makes a contract unfit to be judged; a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
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


def sort_key(problem: Problem) -> tuple[str, int, int, str, str]:
    """Order by place, then code, then text."""
    return (problem.path, problem.line, problem.column, problem.code, problem.message)
