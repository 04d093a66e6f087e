"""The import closure beside that of grimp, the import graph that import-linter stands on.

Ours reads checks that lie in no package, needs no import path and shares its parse with the
digest; grimp does not. Where both can answer, they have to agree.
"""

from __future__ import annotations

import itertools
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import grimp
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from pv_harness.fingerprint.sources import SourceTree


if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]
ROOTS = [ROOT / name for name in ("harness", "trainer", "falsifiers")]
_NUMBER = itertools.count()


def packages_above(names: set[str]) -> set[str]:
    """The modules, and the packages that importing them runs."""
    parts = [name.split(".") for name in names]
    return {".".join(p[:count]) for p in parts for count in range(1, len(p) + 1)}


def closure_of(tree: SourceTree, module: str) -> set[str]:
    file = tree.find_module(module)
    assert file is not None
    return {name for path in tree.closure([file]) if (name := tree.module_name(path))}


def settle(graph: grimp.ImportGraph, module: str) -> set[str]:
    """What grimp finds, and what the packages above each of those import in turn."""
    found = {module}
    while True:
        wider = packages_above(found)
        for name in list(wider):
            wider |= graph.find_upstream_modules(name)
        if wider == found:
            return found
        found = wider


@pytest.mark.parametrize("package", ["pv_harness", "pv_trainer", "pv_falsifiers"])
def test_our_own_packages_have_one_closure_in_both(package: str) -> None:
    graph = grimp.build_graph(
        "pv_harness",
        "pv_trainer",
        "pv_falsifiers",
        exclude_type_checking_imports=True,
        cache_dir=None,
    )
    tree = SourceTree(ROOT, ROOTS)
    modules = sorted(m for m in graph.modules if m.split(".")[0] == package)
    # `inject/sitecustomize.py` lies in no package: no dotted name of ours means it.
    modules = [m for m in modules if tree.find_module(m) is not None]
    assert len(modules) > 5
    for module in modules:
        assert closure_of(tree, module) == settle(graph, module), module


FORMS = (
    "import {pkg}.{target}",
    "import {pkg}.{target} as other",
    "from {pkg} import {target}",
    "from . import {target}",
    "from .{target} import name",
    "from {pkg}.{target} import name as other, more",
    "def f():\n    from {pkg} import {target}\n",
    "class C:\n    import {pkg}.{target}\n",
    "try:\n    from . import {target}\nexcept ImportError:\n    pass\n",
    "if 1:\n    pass\nelse:\n    import {pkg}.{target}\n",
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import {pkg}.{target}\n",
    "import typing\nif typing.TYPE_CHECKING:\n    from . import {target}\n",
)
NAMES = ("one", "two", "three", "four", "five")


@pytest.fixture
def importable(tmp_path: Path) -> Iterator[Path]:
    sys.path.insert(0, str(tmp_path))
    yield tmp_path
    sys.path.remove(str(tmp_path))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    st.lists(
        st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES), st.sampled_from(FORMS)),
        max_size=8,
    )
)
def test_any_package_has_one_closure_in_both(
    importable: Path, imports: list[tuple[str, str, str]]
) -> None:
    package = f"generated_{next(_NUMBER)}"
    folder = importable / package
    folder.mkdir()
    (folder / "__init__.py").touch()
    for name in NAMES:
        lines = [
            textwrap.dedent(form.format(pkg=package, target=target))
            for importer, target, form in imports
            if importer == name
        ]
        (folder / f"{name}.py").write_text("\n".join(lines) + "\n")
    graph = grimp.build_graph(package, exclude_type_checking_imports=True, cache_dir=None)
    tree = SourceTree(importable, [importable])
    for name in NAMES:
        module = f"{package}.{name}"
        assert closure_of(tree, module) == settle(graph, module)
