"""What is wrong with stored evidence: a line for people, a kind for programs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from pv_harness.wording import printable


if TYPE_CHECKING:
    from pathlib import Path


class FindingKind(Enum):
    """What can be wrong with stored evidence."""

    UNREADABLE = "unreadable"
    """The file can't be read, or is none that pv would write."""
    ALTERED = "altered"
    """Its bytes are not those that its name promises."""
    MALFORMED = "malformed"
    """It holds no statement, or one that contradicts itself."""
    MISSING = "missing"
    """A statement that others refer to is not there."""
    INCOMPLETE = "incomplete"
    """What was planned and what was recorded are not the same."""
    CLOCK = "clock"
    """Its times can't be."""
    SIGNATURE = "signature"
    """A signature claims a trusted key and does not verify."""
    UNSIGNED = "unsigned"
    """No trusted key has signed it, and that is asked for."""


REPLACEABLE = frozenset({FindingKind.INCOMPLETE, FindingKind.CLOCK, FindingKind.UNSIGNED})
"""What newer evidence makes up for: the statement can then be removed like any old one."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and the remedy.

    Attributes:
        file: where; of a missing statement, the file that would hold it.
        what: what is, and what should be.
    """

    kind: FindingKind
    file: Path
    what: str
    remedy: str

    def __str__(self) -> str:
        return printable(f"{self.file}: {self.kind.value}: {self.what}; {self.remedy}")
