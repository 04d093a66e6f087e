"""What a native contract says, as values: the record that every other module works on.

A contract is data. Nothing here opens a file, judges a measurement or knows what a status is.
Positions in the source file stay with `pv_harness.documents.loading`: a contract that was
loaded without problems needs none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from pv_harness.digest import digest_of


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import PurePosixPath

Scalar = bool | int | float | str


class Level(Enum):
    """The three levels of evidence, weakest first. A level implies the ones before it."""

    PARTIAL = "PARTIAL"
    INTEGRATION = "INTEGRATION"
    DISCHARGED = "DISCHARGED"

    @property
    def rank(self) -> int:
        """Position in the order, 0 for the weakest."""
        return list(Level).index(self)


class Comparator(Enum):
    """How a measured value is held against its threshold."""

    EQ = "eq"
    NE = "ne"
    LT = "lt"
    LE = "le"
    GT = "gt"
    GE = "ge"

    @property
    def sign(self) -> str:
        """The comparator as a reader writes it."""
        return {"eq": "=", "ne": "≠", "lt": "<", "le": "≤", "gt": ">", "ge": "≥"}[self.value]


@dataclass(frozen=True, slots=True)
class Bound:
    """One metric held against one threshold: `mismatched_parameters eq 0`."""

    metric: str
    comparator: Comparator
    threshold: Scalar
    unit: str | None = None

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.metric} {self.comparator.sign} {show_value(self.threshold)}{unit}"


@dataclass(frozen=True, slots=True)
class LevelRule:
    """What a record must show for one level, beyond what the levels before it ask.

    Attributes:
        reached: entry points, `module:function`, entered in a process that the check started.
        device: `cpu` or `cuda`, the device that the measurements name; None for any.
        inputs: names of declared inputs whose digests the record holds.
        measurements: bounds beyond those of the falsifier.
    """

    level: Level
    reached: tuple[str, ...] = ()
    device: str | None = None
    inputs: tuple[str, ...] = ()
    measurements: tuple[Bound, ...] = ()


class SeedRule(Enum):
    """What must hold over the values that several seeds gave."""

    BOUND = "bound"
    """Each seed's value is within the bound."""
    T_TEST = "t-test"
    """The mean over the seeds is on the right side of the threshold, with a confidence."""


@dataclass(frozen=True, slots=True)
class Seeds:
    """The seeds that every check of a claim is run with, and how their values are judged.

    Attributes:
        values: each check runs once with each; no two are equal.
        confidence: of the t-test, one-sided, between 0.5 and 1; None for another rule.
    """

    values: tuple[int, ...]
    rule: SeedRule = SeedRule.BOUND
    confidence: float | None = None

    def __str__(self) -> str:
        how = self.rule.value
        if self.confidence is not None:
            how += f" with confidence {self.confidence:g}"
        return f"seeds {', '.join(map(str, self.values))}, {how}"


@dataclass(frozen=True, slots=True)
class Patch:
    """A planted change to one file: `find` stands there exactly once and becomes `replace`."""

    id: str
    file: PurePosixPath
    find: str
    replace: str
    note: str | None = None

    @property
    def digest(self) -> str:
        """Identity of the change: results for another text are results for another patch."""
        return digest_of([str(self.file), self.find, self.replace])


@dataclass(frozen=True, slots=True)
class Defect:
    """A patch that must turn its falsifier red, and the metric whose bound it must break.

    Attributes:
        accept: ways of going down that count as well: `KILLED_BY_CRASH`, `TIMEOUT`.
    """

    patch: Patch
    expect: str
    accept: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The defect's name within its falsifier."""
        return self.patch.id

    @property
    def digest(self) -> str:
        """Identity of the patch and of the reason that counts as a kill."""
        accepted = [sorted(self.accept)] if self.accept else []
        return digest_of([self.patch.digest, self.expect, *accepted])


@dataclass(frozen=True, slots=True)
class Control:
    """A patch that must leave its falsifier green: what the rule permits."""

    patch: Patch

    @property
    def id(self) -> str:
        """The control's name within its falsifier."""
        return self.patch.id

    @property
    def digest(self) -> str:
        """Identity of the patch."""
        return digest_of([self.patch.digest, "stays green"])


Plant = Defect | Control


@dataclass(frozen=True, slots=True)
class Falsifier:
    """One refutable claim with a permanent ID.

    Attributes:
        covers: dotted modules, the roots of the subject's sources.
        requires: a device without which the check can't run (`cuda`), or None.
        inputs: names of the declared inputs that the checks read.
        counted: False for a row that is reported apart and in no denominator.
        timeout_s: seconds that one bound check may take.
        seeds: what its checks are repeated with, or None for checks that ask for no seed.
    """

    id: str
    rule: str
    prediction: str
    if_fails: str
    covers: tuple[str, ...]
    bounds: tuple[Bound, ...]
    levels: tuple[LevelRule, ...]
    defects: tuple[Defect, ...] = ()
    controls: tuple[Control, ...] = ()
    requires: str | None = None
    inputs: tuple[str, ...] = ()
    counted: bool = True
    timeout_s: float = 120.0
    seeds: Seeds | None = None

    @property
    def ceiling(self) -> Level:
        """The last level listed: the most that this claim can ever show."""
        return self.levels[-1].level

    @property
    def plants(self) -> tuple[Plant, ...]:
        """Everything that `pv prove` plants: the defects, then the controls."""
        return (*self.defects, *self.controls)

    @property
    def claim_digest(self) -> str:
        """Digest of everything in the text that can change a verdict.

        Planted defects are left out: they change potency, which is keyed by their own digests.
        """
        return digest_of(
            [self.id, self.rule, self.prediction, self.if_fails, self.requires, self.counted]
            + [list(self.covers), list(self.inputs)]
            + [[b.metric, b.comparator.value, b.threshold, b.unit] for b in self.bounds]
            + [_level_facts(rule) for rule in self.levels]
            + _seed_facts(self.seeds)
        )


@dataclass(frozen=True, slots=True)
class Contract:
    """One file of contracts/, understood completely."""

    id: str
    version: str
    title: str
    path: PurePosixPath
    falsifiers: tuple[Falsifier, ...]
    references: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    equations: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def show_value(value: Scalar) -> str:
    """A threshold or measured value as the board prints it: short, and unambiguous."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)


def _seed_facts(seeds: Seeds | None) -> list[Any]:
    # Nothing without seeds: a claim that has none is the same claim as before there were any.
    return [] if seeds is None else [[list(seeds.values), seeds.rule.value, seeds.confidence]]


def _level_facts(rule: LevelRule) -> list[Any]:
    return [
        rule.level.value,
        list(rule.reached),
        rule.device,
        list(rule.inputs),
        [[b.metric, b.comparator.value, b.threshold, b.unit] for b in rule.measurements],
    ]
