"""The version that a contract should have by what changed in it.

Source: Semantic Versioning 2.0.0. The users of a contract are those who rely on its claims: a
claim that asks for less breaks their trust (major), a claim that asks for more adds to it
(minor), wording and planted defects change neither (patch). Below 1.0.0 a minor step is enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from pv_harness.comparing.change import Change, Effect, Part


class Step(IntEnum):
    """The part of a version number that is raised."""

    NONE = 0
    PATCH = 1
    MINOR = 2
    MAJOR = 3


@dataclass(frozen=True, slots=True)
class VersionAdvice:
    """What a contract's version should be after its changes.

    Attributes:
        old: the version on the old side.
        new: the version on the new side.
        step: the step that the changes ask for.
        because: the change that asks for the most.
    """

    contract: str
    old: str
    new: str
    step: Step
    because: Change

    @property
    def suggested(self) -> str:
        """The lowest version that tells the truth about the changes."""
        return next_version(self.old, self.step)

    @property
    def is_enough(self) -> bool:
        """True if the version was raised as far as the changes ask, or further."""
        # A pre-release says that it is not yet what its number says.
        floor = _numbers(self.old) if "-" in self.old else _numbers(self.suggested)
        return _numbers(self.new) >= floor


def advise(contract: str, old: str, new: str, changes: tuple[Change, ...]) -> VersionAdvice:
    """The advice for one contract that is on both sides, by its own changes, at least one."""
    because = max(changes, key=step_of)
    return VersionAdvice(contract, old, new, step_of(because), because)


def step_of(change: Change) -> Step:
    """The step that one change asks of its contract's version."""
    part = change.difference.part
    match change.effect:
        case Effect.REMOVED | Effect.LOOSENED | Effect.MOVED:
            return Step.MAJOR
        case Effect.TIGHTENED if part in {Part.DEFECT, Part.CONTROL}:
            return Step.PATCH
        case Effect.ADDED | Effect.TIGHTENED:
            return Step.MINOR
        case Effect.REWORDED | Effect.CHANGED:
            return Step.PATCH


def next_version(version: str, step: Step) -> str:
    """The version after a step: 1.4.2 becomes 2.0.0, 1.5.0 or 1.4.3."""
    major, minor, patch = _numbers(version)
    if major == 0:
        step = min(step, Step.MINOR)
    match step:
        case Step.MAJOR:
            return f"{major + 1}.0.0"
        case Step.MINOR:
            return f"{major}.{minor + 1}.0"
        case Step.PATCH:
            return f"{major}.{minor}.{patch + 1}"
        case Step.NONE:
            return version


def _numbers(version: str) -> tuple[int, int, int]:
    major, minor, patch = version.partition("-")[0].split(".")
    return int(major), int(minor), int(patch)
