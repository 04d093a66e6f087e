"""Imports run one way: between the folders of a package, and between its modules.

Imports that only a type checker follows are left out; those inside functions count. Which
package may import which is in tests/harness/test_import_rules.py.
"""

from __future__ import annotations

from pathlib import Path

import grimp
import pytest


ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("pv_harness", "pv_trainer", "pv_falsifiers")

LAYERS = {
    "pv_harness": (
        "__main__",
        "cli | plugin",
        "commands",
        "scaffold | workflow",
        "insight | proving | evidence_index",
        "measuring | validating",
        "policy",
        "board",
        "comparing",
        "deriving",
        "evidence",
        "judging",
        "contracts",
        "fingerprint",
        "documents",
    ),
    "pv_trainer": (
        "__main__",
        "cli",
        "commands",
        "embedded | release | speed",
        "training",
        "checkpoints",
        "model | formats | data",
    ),
}
"""Folders and modules from the top to the bottom: none imports one above it or, of those in one
line, one beside it."""


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    return grimp.build_graph(*PACKAGES, exclude_type_checking_imports=True, cache_dir=None)


def cycle_of(graph: grimp.ImportGraph, modules: set[str]) -> list[str]:
    """Modules of a cycle in the graph, in order; empty if there is none."""
    for module in sorted(modules):
        for imported in sorted(graph.find_modules_directly_imported_by(module)):
            chain = graph.find_shortest_chain(imported, module)
            if chain:
                return [module, *chain]
    return []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_imports_itself_through_others(
    imports: grimp.ImportGraph, package: str
) -> None:
    assert cycle_of(imports, {m for m in imports.modules if m.startswith(package)}) == []


@pytest.mark.parametrize("package", sorted(LAYERS))
def test_folders_import_only_what_lies_below_them(
    imports: grimp.ImportGraph, package: str
) -> None:
    layers = [
        grimp.Layer(*(part.strip() for part in line.split("|")), independent=True)
        for line in LAYERS[package]
    ]
    broken = imports.find_illegal_dependencies_for_layers(layers, containers={package})
    assert not broken, broken


@pytest.mark.parametrize("package", sorted(LAYERS))
def test_every_folder_has_a_layer(package: str) -> None:
    (source,) = ROOT.glob(f"*/{package}")
    folders = {p.parent.name for p in source.glob("*/*.py")}
    named = {part.strip() for line in LAYERS[package] for part in line.split("|")}
    assert folders <= named


def test_a_cycle_would_be_found() -> None:
    graph = grimp.ImportGraph()
    for importer, imported in (("a", "b"), ("b", "c"), ("c", "a")):
        graph.add_import(importer=importer, imported=imported)
    assert cycle_of(graph, {"a", "b", "c"}) == ["a", "b", "c", "a"]
