"""From plain data that the schema accepts to the records of `pv_harness.contracts.contract`."""

from __future__ import annotations

import functools
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from pv_harness.contracts.contract import (
    Bound,
    Comparator,
    Contract,
    Control,
    Defect,
    Falsifier,
    Level,
    LevelRule,
    Patch,
    SeedRule,
    Seeds,
)


if TYPE_CHECKING:
    from collections.abc import Mapping

    from pv_harness.documents.document import Document


def read_contract(document: Document) -> Contract:
    """The contract that a document without problems states; order is the file's throughout."""
    return read_contract_value(document.path, document.value)


def read_contract_value(path: str, value: Mapping[str, Any]) -> Contract:
    """The contract in the plain data of a file at `path`, in which nothing is wrong."""
    metadata = value["metadata"]
    return Contract(
        id=value["id"],
        version=value["version"],
        title=metadata["title"],
        path=PurePosixPath(path),
        falsifiers=tuple(map(read_falsifier, value["falsifiers"])),
        references=tuple(metadata.get("references", ())),
        depends_on=tuple(metadata.get("depends_on", ())),
        equations=value.get("equations", {}),
    )


def read_falsifier(entry: Mapping[str, Any]) -> Falsifier:
    """One falsifier, from an entry in which the schema found nothing wrong."""
    optional = {key: entry[key] for key in ("requires", "counted", "timeout_s") if key in entry}
    return Falsifier(
        id=entry["id"],
        rule=entry["rule"],
        prediction=entry["prediction"],
        if_fails=entry["if_fails"],
        covers=tuple(entry["covers"]),
        bounds=_bounds(entry["bounds"]),
        levels=tuple(_level(name, rule) for name, rule in entry["levels"].items()),
        defects=tuple(map(_defect, entry["defects"])),
        controls=tuple(Control(_patch(item)) for item in entry.get("controls", ())),
        inputs=tuple(entry.get("inputs", ())),
        seeds=_seeds(entry["seeds"]) if "seeds" in entry else None,
        **optional,
    )


def _seeds(entry: Mapping[str, Any]) -> Seeds:
    # The schema takes 1.0 for a whole number, as JSON does.
    values = tuple(int(value) for value in entry["values"])
    return Seeds(values, SeedRule(entry["rule"]), entry.get("confidence"))


def _bounds(entries: Mapping[str, Mapping[str, Any]]) -> tuple[Bound, ...]:
    return tuple(
        Bound(metric, comparator, entry[comparator.value], entry.get("unit"))
        for metric, entry in entries.items()
        for comparator in Comparator
        if comparator.value in entry
    )


def _level(name: str, entry: Mapping[str, Any]) -> LevelRule:
    return LevelRule(
        level=Level(name),
        reached=tuple(entry.get("reached", ())),
        device=entry.get("device"),
        inputs=tuple(entry.get("inputs", ())),
        measurements=_bounds(entry.get("measurements", {})),
    )


@functools.lru_cache(maxsize=256)  # most defects of a contract lie in one file
def _posix(path: str) -> PurePosixPath:
    return PurePosixPath(path)


def _defect(entry: Mapping[str, Any]) -> Defect:
    return Defect(_patch(entry), entry["expect"], tuple(entry.get("accept", ())))


def _patch(entry: Mapping[str, Any]) -> Patch:
    return Patch(
        id=entry["id"],
        file=_posix(entry["file"]),
        find=entry["find"],
        replace=entry["replace"],
        note=entry.get("note"),
    )
