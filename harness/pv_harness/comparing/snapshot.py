"""A scoreboard document as values: the claims, and where each of them stands.

A document may come from a file that somebody sent: everything that is read from it is checked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pv_harness.contracts.contract import Bound, Comparator, Level, LevelRule, SeedRule, Seeds
from pv_harness.deriving.status import StatusKind
from pv_harness.errors import EvidenceError, UsageError
from pv_harness.evidence.fields import Field
from pv_harness.wording import show


if TYPE_CHECKING:
    from collections.abc import Mapping

    from pv_harness.contracts.contract import Scalar

FORMAT = "pv-scoreboard/2"
_VERSION = re.compile(r"[0-9]{1,9}\.[0-9]{1,9}\.[0-9]{1,9}(-[0-9A-Za-z.-]+)?")


@dataclass(frozen=True, slots=True)
class Plant:
    """A planted defect or control, by name and by digest of the change.

    Attributes:
        expect: the metric that a defect has to break; None for a control.
        accept: outcomes beside KILLED that count for a defect.
    """

    id: str
    digest: str
    expect: str | None = None
    accept: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """What a falsifier asks for, as the scoreboard tells it."""

    id: str
    contract: str
    rule: str
    prediction: str
    if_fails: str
    covers: tuple[str, ...]
    bounds: tuple[Bound, ...]
    levels: tuple[LevelRule, ...]
    defects: tuple[Plant, ...] = ()
    controls: tuple[Plant, ...] = ()
    requires: str | None = None
    seeds: Seeds | None = None
    inputs: tuple[str, ...] = ()
    counted: bool = True

    @property
    def ceiling(self) -> Level:
        """The last level listed."""
        return self.levels[-1].level


@dataclass(frozen=True, slots=True)
class Standing:
    """What the evidence says of one claim.

    Attributes:
        shown: the status as boards print it.
        why: why it is not higher.
    """

    kind: StatusKind
    level: Level | None
    shown: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Equation:
    """The texts of one equation; empty where the contract has none."""

    formula: str
    domain: str = ""
    codomain: str = ""
    invariants: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Heading:
    """A contract without its falsifiers."""

    id: str
    version: str
    title: str
    equations: Mapping[str, Equation] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All contracts and claims of one scoreboard, in its order."""

    contracts: Mapping[str, Heading]
    claims: Mapping[str, Claim]
    standings: Mapping[str, Standing]


def read_snapshot(document: Any, name: str = "the scoreboard") -> Snapshot:
    """The snapshot that a scoreboard document states; `name` is what errors call it.

    Raises:
        UsageError: it is no document of this format, or a value in it can't be.
    """
    found = document.get("format") if isinstance(document, dict) else None
    if found != FORMAT:
        raise UsageError(
            f"{name}: its format is {show(found)}, it should be {FORMAT!r}; "
            "`pv scoreboard --format json` writes it, and a git revision can be compared too"
        )
    try:
        root = Field(document, name)
        contracts = [_heading(item) for item in root["contracts"].items()]
        rows = list(root["falsifiers"].items())
        claims = [_claim(item) for item in rows]
        standings = [_standing(item) for item in rows]
    except EvidenceError as error:
        raise UsageError(str(error)) from error
    _refuse_twice([c.id for c in contracts], f"{name}: contract")
    _refuse_twice([c.id for c in claims], f"{name}: falsifier")
    return Snapshot(
        {c.id: c for c in contracts},
        {c.id: c for c in claims},
        {c.id: s for c, s in zip(claims, standings, strict=True)},
    )


def _refuse_twice(names: list[str], what: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise UsageError(f"{what} {show(name)} is there twice, it should be there once")
        seen.add(name)


def _heading(item: Field) -> Heading:
    version = item["version"]
    if not _VERSION.fullmatch(version.text()):
        raise EvidenceError(
            f"{version.place} is {show(version.value)}, it should be a version such as 1.0.0"
        )
    return Heading(
        item["id"].text(),
        version.text(),
        item["title"].text(),
        dict(_equation(entry) for entry in _optional(item, "equations", []).items()),
    )


def _equation(item: Field) -> tuple[str, Equation]:
    return item["name"].text(), Equation(
        item["formula"].text(),
        item["domain"].text(),
        item["codomain"].text(),
        _texts(item["invariants"]),
    )


def _claim(item: Field) -> Claim:
    levels = tuple(_level(entry) for entry in item["levels"].items())
    if not levels:
        raise EvidenceError(f"{item.place}.levels is empty, it should hold a level")
    return Claim(
        id=item["id"].text(),
        contract=item["contract"].text(),
        rule=item["rule"].text(),
        prediction=item["prediction"].text(),
        if_fails=item["if_fails"].text(),
        covers=_texts(item["covers"]),
        bounds=_bounds(item["bounds"]),
        levels=levels,
        defects=tuple(_plant(entry, defect=True) for entry in item["defects"].items()),
        controls=tuple(_plant(entry, defect=False) for entry in item["controls"].items()),
        requires=item["requires"].text_or_none(),
        seeds=_seeds(item["seeds"]),
        inputs=_texts(_optional(item, "inputs", [])),
        counted=_truth(item["counted"]),
    )


def _standing(item: Field) -> Standing:
    level = item["level"]
    return Standing(
        item["kind"].choice(StatusKind),
        None if level.value is None else level.choice(Level),
        item["status"].text(),
        item["why"].text(),
    )


def _level(item: Field) -> LevelRule:
    return LevelRule(
        item["level"].choice(Level),
        _texts(item["reached"]),
        item["device"].text_or_none(),
        _texts(item["inputs"]),
        _bounds(item["measurements"]),
    )


def _bounds(items: Field) -> tuple[Bound, ...]:
    return tuple(
        Bound(
            item["metric"].text(),
            item["comparator"].choice(Comparator),
            _scalar(item["threshold"]),
            item["unit"].text_or_none(),
        )
        for item in items.items()
    )


def _plant(item: Field, *, defect: bool) -> Plant:
    return Plant(
        item["id"].text(),
        item["digest"].text(),
        item["expect"].text() if defect else None,
        _texts(_optional(item, "accept", [])),
    )


def _seeds(item: Field) -> Seeds | None:
    if item.value is None:
        return None
    confidence = _optional(item, "confidence", None)
    return Seeds(
        tuple(value.whole() for value in item["values"].items()),
        item["rule"].choice(SeedRule),
        None if confidence.value is None else _number(confidence),
    )


def _scalar(item: Field) -> Scalar:
    if not isinstance(item.value, dict):
        return item.scalar()
    spelled = item["float"].text()
    if spelled not in {"nan", "inf", "-inf"}:
        raise EvidenceError(f"{item.place}.float is {show(spelled)}, it should be nan or inf")
    return float(spelled)


def _number(item: Field) -> float:
    value = item.scalar()
    if isinstance(value, bool | str):
        raise EvidenceError(f"{item.place} is {show(value)}, it should be a number")
    return float(value)


def _truth(item: Field) -> bool:
    if not isinstance(item.value, bool):
        raise EvidenceError(f"{item.place} is {show(item.value)}, it should be true or false")
    return item.value


def _texts(items: Field) -> tuple[str, ...]:
    return tuple(item.text() for item in items.items())


def _optional(item: Field, key: str, absent: object) -> Field:
    held = isinstance(item.value, dict) and key in item.value
    return item[key] if held else Field(absent, f"{item.place}.{key}")
