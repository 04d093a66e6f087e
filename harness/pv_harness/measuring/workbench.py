"""What measuring needs to know about a project."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pv_harness.fingerprint.sources import SourceTree
from pv_harness.measuring.environment import find_devices
from pv_harness.measuring.plan import Plan, make_targets, relocate, watched_entries


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pv_harness.contracts.bindings import Check
    from pv_harness.contracts.contract import Contract, Falsifier
    from pv_harness.fingerprint.manifest import Change
    from pv_harness.project import Project

Inputs = dict[str, dict[str, Path]]
NO_BYTECODE = {"PYTHONDONTWRITEBYTECODE": "1"}
"""In a copy, where two patches within one second would share a stale `.pyc`."""


@dataclass(frozen=True, slots=True)
class Workbench:
    """Everything that measuring needs to know about a project.

    Attributes:
        checks: falsifier ID -> the checks bound to it.
        inputs: the prepared inputs.
        configuration: contract path -> digest of the bytes that were read.
        contrary: falsifier ID -> what has changed since each record that speaks against it.
    """

    project: Project
    contracts: tuple[Contract, ...]
    checks: Mapping[str, tuple[Check, ...]]
    inputs: Inputs = field(default_factory=dict)
    configuration: Mapping[str, str] = field(default_factory=dict)
    contrary: Mapping[str, tuple[tuple[Change, ...], ...]] = field(default_factory=dict)

    def tree(self, root: Path) -> SourceTree:
        """The sources as they are now, in the project itself or in a copy of it at `root`."""
        return SourceTree(root, relocate(self.project, root))

    def plan(self, root: Path, record_dir: Path) -> Plan:
        """What checks that run in the project, or in a copy at `root`, are told."""
        return Plan(
            root=root,
            source_roots=relocate(self.project, root),
            record_dir=record_dir,
            entries=watched_entries(self.contracts),
            targets=make_targets(self.contracts, find_devices()),
            inputs=self.inputs,
            in_place=root == self.project.root,
            check_folders=relocate(self.project, root, self.project.checks),
        )

    def inputs_of(self, falsifier: Falsifier) -> Inputs:
        """The prepared inputs that a falsifier declares."""
        return {name: self.inputs[name] for name in falsifier.inputs if name in self.inputs}


def needed_inputs(falsifiers: Iterable[Falsifier]) -> frozenset[str]:
    """The inputs that the checks of these falsifiers read."""
    return frozenset(name for falsifier in falsifiers for name in falsifier.inputs)


def check_timeouts(bench: Workbench) -> dict[str, float]:
    """Planned node ID -> seconds that the check may take."""
    limits = {f.id: f.timeout_s for c in bench.contracts for f in c.falsifiers}
    return {
        check.node_id: limits[falsifier_id]
        for falsifier_id, checks in bench.checks.items()
        if falsifier_id in limits
        for check in checks
    }


def nodes_of(bench: Workbench, falsifiers: Iterable[Falsifier]) -> list[str]:
    """The planned node IDs of these falsifiers, each once."""
    nodes = [check.node_id for f in falsifiers for check in bench.checks.get(f.id, ())]
    return list(dict.fromkeys(nodes))
