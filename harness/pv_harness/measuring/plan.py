"""What a child process is to measure: written by the runner, read by the pytest plugin."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pv_harness.contracts.contract import Bound, Comparator, SeedRule, Seeds


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pv_harness.contracts.contract import Contract, Falsifier
    from pv_harness.project import Project

PLAN_VARIABLE = "PV_PLAN"


@dataclass(frozen=True, slots=True)
class Target:
    """One falsifier as its checks need to know it.

    Attributes:
        blocked: the device that is missing, or None.
        seeds: what the check is repeated with, or None.
    """

    id: str
    bounds: tuple[Bound, ...]
    blocked: str | None = None
    timeout_s: float = 120.0
    seeds: Seeds | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that the plugin needs; it never reads a contract itself.

    Attributes:
        root: the project, or its scratch copy.
        source_roots: folders that commands started by a check find first.
        record_dir: where records go, one file per check.
        entries: the entry points to watch, `module:function`.
        targets: falsifier ID -> target.
        inputs: input name -> part name -> absolute path.
        in_place: the sources are the project's own, which anybody may edit meanwhile.
        check_folders: where checks and what they share lie.
        devices: GPUs, one for each of several workers; None leaves all visible to each.
    """

    root: Path
    source_roots: tuple[Path, ...]
    record_dir: Path
    entries: tuple[str, ...]
    targets: Mapping[str, Target]
    inputs: Mapping[str, Mapping[str, Path]] = field(default_factory=dict)
    in_place: bool = False
    devices: tuple[str, ...] | None = None
    check_folders: tuple[Path, ...] = ()

    def write(self, file: Path) -> None:
        """Store the plan for the child to read."""
        file.write_text(json.dumps(_to_json(self)), encoding="utf-8")


def read_plan(file: Path) -> Plan:
    """The plan that a runner wrote for this process."""
    data = json.loads(file.read_text(encoding="utf-8"))
    return Plan(
        root=Path(data["root"]),
        source_roots=tuple(Path(p) for p in data["source_roots"]),
        record_dir=Path(data["record_dir"]),
        entries=tuple(data["entries"]),
        targets={t["id"]: _target_from(t) for t in data["targets"]},
        inputs={
            name: {part: Path(path) for part, path in parts.items()}
            for name, parts in data["inputs"].items()
        },
        in_place=data["in_place"],
        devices=None if data["devices"] is None else tuple(data["devices"]),
        check_folders=tuple(Path(p) for p in data["check_folders"]),
    )


def make_targets(contracts: tuple[Contract, ...], devices: frozenset[str]) -> dict[str, Target]:
    """One target per falsifier; those that need a device which is absent are blocked."""
    return {
        falsifier.id: Target(
            falsifier.id,
            falsifier.bounds,
            blocked_by(falsifier, devices),
            falsifier.timeout_s,
            seeds=falsifier.seeds,
        )
        for contract in contracts
        for falsifier in contract.falsifiers
    }


def blocked_by(falsifier: Falsifier, devices: frozenset[str]) -> str | None:
    """Why a falsifier can't be measured on a machine with these devices, or None."""
    if falsifier.requires is None or falsifier.requires in devices:
        return None
    return f"needs {falsifier.requires}"


def watched_entries(contracts: tuple[Contract, ...]) -> tuple[str, ...]:
    """Every entry point that some level of some falsifier asks for, sorted."""
    return tuple(
        sorted(
            {
                entry
                for contract in contracts
                for falsifier in contract.falsifiers
                for rule in falsifier.levels
                for entry in rule.reached
            }
        )
    )


def relocate(
    project: Project, root: Path, folders: Iterable[Path] | None = None
) -> tuple[Path, ...]:
    """Folders as they lie in a copy at `root`; by default those that modules come from."""
    return tuple(
        root / path.relative_to(project.root) if path.is_relative_to(project.root) else path
        for path in (project.import_roots if folders is None else folders)
    )


def _to_json(plan: Plan) -> dict[str, Any]:
    return {
        "root": str(plan.root),
        "source_roots": [str(p) for p in plan.source_roots],
        "record_dir": str(plan.record_dir),
        "entries": list(plan.entries),
        "targets": [
            {
                "id": t.id,
                "blocked": t.blocked,
                "timeout_s": t.timeout_s,
                "seeds": _seeds_to_json(t.seeds),
                "bounds": [
                    [b.metric, b.comparator.value, b.threshold, b.unit] for b in t.bounds
                ],
            }
            for t in plan.targets.values()
        ],
        "inputs": {
            name: {part: str(path) for part, path in parts.items()}
            for name, parts in plan.inputs.items()
        },
        "in_place": plan.in_place,
        "devices": None if plan.devices is None else list(plan.devices),
        "check_folders": [str(p) for p in plan.check_folders],
    }


def _seeds_to_json(seeds: Seeds | None) -> list[Any] | None:
    return None if seeds is None else [list(seeds.values), seeds.rule.value, seeds.confidence]


def _target_from(data: dict[str, Any]) -> Target:
    bounds = tuple(Bound(m, Comparator(c), value, unit) for m, c, value, unit in data["bounds"])
    seeds = None
    if data["seeds"] is not None:
        values, rule, confidence = data["seeds"]
        seeds = Seeds(tuple(values), SeedRule(rule), confidence)
    return Target(data["id"], bounds, data["blocked"], data["timeout_s"], seeds)
