"""What can go wrong in pv, by who has to act.

    PvError
    ├── UsageError            the command line or the configuration        exit 2
    ├── ContractError         an invalid contract; holds its problems      exit 2
    ├── EvidenceError         unreadable or altered evidence               exit 4
    └── InfrastructureError   a crash, a full disk, a child that vanished  exit 4
        └── StatementTooLargeError   more than any reader would take

A refuted claim is not an error: it is a verdict (`pv_harness.deriving.derivation`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.exit_code import ExitCode


if TYPE_CHECKING:
    from collections.abc import Sequence

    from pv_harness.documents.problem import Problem


class PvError(Exception):
    """Root of every error that pv raises on purpose."""

    exit_code = ExitCode.INFRASTRUCTURE


class UsageError(PvError):
    """The command line or the configuration asks for something that does not exist."""

    exit_code = ExitCode.CANNOT_JUDGE


class ContractError(PvError):
    """Contracts that can't be judged, with every problem found in them."""

    exit_code = ExitCode.CANNOT_JUDGE

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(tuple(problems))
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class EvidenceError(PvError):
    """Evidence that can't be read, or whose bytes are not the ones that were written."""


class InfrastructureError(PvError):
    """Something around the check broke, so that nothing is known about the claim."""


class StatementTooLargeError(InfrastructureError):
    """The records don't fit into one statement; nothing of it was stored."""
