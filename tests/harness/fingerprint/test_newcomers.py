"""A file that appears and would be imported makes evidence stale; no known byte changed."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from pv_harness.contracts.bindings import Check, find_checks
from pv_harness.fingerprint.building import build_manifest
from pv_harness.fingerprint.changes import find_changes
from pv_harness.fingerprint.manifest import EntryKind, Manifest
from pv_harness.fingerprint.sources import SourceTree
from pv_harness.project import load_project
from pv_harness.regular_file import read_regular
from pv_harness.validating.validation import load_contracts


if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness.conftest import Toy

    from pv_harness.contracts.contract import Falsifier

OPTIONAL = "try:\n    from toy._fast import add\nexcept ImportError:\n    pass\n"


@pytest.fixture
def claim(toy: Toy) -> tuple[Falsifier, tuple[Check, ...]]:
    project = load_project(toy.root)
    contracts, _ = load_contracts(project)
    return contracts[0].falsifiers[0], find_checks(project)


def tree_of(toy: Toy) -> SourceTree:
    return SourceTree(toy.root, [toy.root / "src", toy.root / "checks"])


def sources(manifest: Manifest) -> set[str]:
    return {entry.name for entry in manifest.entries if entry.kind is EntryKind.SOURCE}


def absent(manifest: Manifest) -> list[str]:
    (entry,) = (e for e in manifest.entries if e.kind is EntryKind.ABSENT)
    return entry.definitions.splitlines()


@pytest.mark.parametrize(
    ("imports", "appears"),
    [
        (OPTIONAL, "src/toy/_fast.py"),
        (OPTIONAL, "src/toy/_fast/__init__.py"),
        ("import json\n", "src/json.py"),
        ("import json.decoder\n", "src/json/__init__.py"),
        ("import json.decoder\n", "src/json/decoder.py"),
        ("import json.decoder\n", "checks/json.py"),
        ("from toy import add\n", "src/toy/add.py"),
        ("from . import extra\n", "src/toy/extra.py"),
        ("from toy import *\nimport toy.plug\n", "src/toy/plug/__init__.py"),
        ("import toy.cli\n", "src/toy/cli/__init__.py"),
    ],
)
def test_what_was_imported_in_vain_and_appears_is_named(
    toy: Toy, claim: tuple[Falsifier, tuple[Check, ...]], imports: str, appears: str
) -> None:
    toy.write("src/toy/math.py", imports)
    manifest = build_manifest(*claim, tree_of(toy))
    assert find_changes(manifest, *claim, tree_of(toy)) == ()
    toy.write(appears, "X = 1\n")
    changes = find_changes(manifest, *claim, tree_of(toy))
    assert f"{appears} joined the sources" in map(str, changes)


def test_an_init_that_makes_a_package_of_a_folder_is_named(
    toy: Toy, claim: tuple[Falsifier, tuple[Check, ...]]
) -> None:
    (toy.root / "src/toy/__init__.py").unlink()
    manifest = build_manifest(*claim, tree_of(toy))
    toy.write("src/toy/__init__.py", "raise SystemExit(3)\n")
    (change,) = find_changes(manifest, *claim, tree_of(toy))
    assert str(change) == "src/toy/__init__.py joined the sources"


def test_an_init_above_a_module_that_no_import_names_is_named_too(
    toy: Toy, claim: tuple[Falsifier, tuple[Check, ...]]
) -> None:
    plugin = toy.write("src/plugins/one.py", "X = 1\n")
    manifest = build_manifest(*claim, tree_of(toy), observed=[plugin])
    toy.write("src/plugins/__init__.py", "raise SystemExit(3)\n")
    (change,) = find_changes(manifest, *claim, tree_of(toy))
    assert str(change) == "src/plugins/__init__.py joined the sources"


def test_what_only_an_observed_module_imports_counts_as_well(
    toy: Toy, claim: tuple[Falsifier, tuple[Check, ...]]
) -> None:
    plugin = toy.write("src/toy/plugin.py", OPTIONAL)
    manifest = build_manifest(*claim, tree_of(toy), observed=[plugin])
    assert "toy/_fast" in absent(manifest)
    toy.write("src/toy/_fast.py", "X = 1\n")
    (change,) = find_changes(manifest, *claim, tree_of(toy))
    assert str(change) == "src/toy/_fast.py joined the sources"


@pytest.mark.parametrize(
    "appears",
    ["src/toy/unrelated.py", "src/yaml.py", "src/json/data.txt", "src/toy/math/data.txt"],
)
def test_what_nobody_imports_may_appear(
    toy: Toy, claim: tuple[Falsifier, tuple[Check, ...]], appears: str
) -> None:
    toy.write("src/toy/math.py", "import json\n")
    manifest = build_manifest(*claim, tree_of(toy))
    toy.write(appears, "X = 1\n")
    assert find_changes(manifest, *claim, tree_of(toy)) == ()


def test_what_is_absent_is_spelled_shortly_and_is_no_part_of_the_fingerprint(
    toy: Toy, claim: tuple[Falsifier, tuple[Check, ...]]
) -> None:
    text = "import torch.nn.functional\nfrom toy import add\nfrom toy.cli import main\n"
    toy.write("src/toy/math.py", text)
    manifest = build_manifest(*claim, tree_of(toy))
    assert absent(manifest) == [
        "pytest",
        "sitecustomize",
        "sys",
        "torch",
        "toy/add",
        "usercustomize",
    ]
    bare = Manifest(tuple(replace(entry, definitions="") for entry in manifest.entries))
    assert bare.fingerprint == manifest.fingerprint


def test_evidence_that_never_noted_what_was_absent_follows_the_imports_each_time(
    toy: Toy, claim: tuple[Falsifier, tuple[Check, ...]]
) -> None:
    toy.write("src/toy/math.py", OPTIONAL)
    manifest = build_manifest(*claim, tree_of(toy))
    older = Manifest(tuple(e for e in manifest.entries if e.kind is not EntryKind.ABSENT))
    assert find_changes(older, *claim, tree_of(toy)) == ()
    toy.write("src/toy/_fast.py", "X = 1\n")
    assert len(find_changes(older, *claim, tree_of(toy))) == 1


@pytest.mark.parametrize("place", ["", "/", "..", "a\0b", "x" * 5000, "../../etc"])
def test_whatever_evidence_says_was_absent_is_no_crash(
    toy: Toy, claim: tuple[Falsifier, tuple[Check, ...]], place: str
) -> None:
    manifest = build_manifest(*claim, tree_of(toy))
    forged = tuple(
        replace(entry, definitions=f"{place}\njson")
        if entry.kind is EntryKind.ABSENT
        else entry
        for entry in manifest.entries
    )
    assert find_changes(Manifest(forged), *claim, tree_of(toy)) == ()


def test_an_untouched_tree_is_judged_without_parsing_anything(
    toy: Toy, claim: tuple[Falsifier, tuple[Check, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = build_manifest(*claim, tree_of(toy))
    monkeypatch.setattr(SourceTree, "read", None)
    assert find_changes(manifest, *claim, tree_of(toy)) == ()


def test_a_newcomer_that_can_not_be_read_is_no_fresh_evidence(
    toy: Toy,
    claim: tuple[Falsifier, tuple[Check, ...]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    toy.write("src/toy/math.py", OPTIONAL)
    manifest = build_manifest(*claim, tree_of(toy))
    newcomer = toy.write("src/toy/_fast.py", "X = 1\n")

    def read(path: Path, limit_bytes: int) -> bytes:
        if path == newcomer:
            raise PermissionError(13, "Permission denied", str(path))
        return read_regular(path, limit_bytes)

    monkeypatch.setattr("pv_harness.fingerprint.sources.read_regular", read)
    (change,) = find_changes(manifest, *claim, tree_of(toy))
    assert str(change) == "src/toy/_fast.py can't be read (Permission denied)"


_NUMBER = itertools.count()
_PARTS = st.lists(st.sampled_from("abc"), min_size=1, max_size=3)
_FILES = st.builds(
    lambda root, parts, init: f"{root}/{'/'.join(parts)}{'/__init__' if init else ''}.py",
    st.sampled_from(["one", "two"]),
    _PARTS,
    st.booleans(),
)
_NAMES = _PARTS.map(".".join)
_IMPORTS = st.one_of(
    _NAMES.map("import {}\n".format),
    st.builds("from {} import {}\n".format, _NAMES, st.sampled_from("abc*")),
    st.builds(
        "from {} import {}\n".format, st.sampled_from([".", ".."]), st.sampled_from("abc")
    ),
)
_TEXTS = st.lists(_IMPORTS, max_size=3).map("".join)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    files=st.dictionaries(_FILES, _TEXTS, max_size=6),
    check=_TEXTS,
    observed=st.sets(st.integers(0, 5), max_size=2),
    new=st.tuples(_FILES, _TEXTS),
)
def test_a_new_file_makes_stale_exactly_if_it_changes_what_is_depended_on(
    tmp_path: Path,
    toy: Toy,
    files: dict[str, str],
    check: str,
    observed: set[int],
    new: tuple[str, str],
) -> None:
    root, (newcomer, text) = tmp_path / str(next(_NUMBER)), new
    for name, content in {**files, "checks/test_x.py": check}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    (falsifier,) = load_contracts(load_project(toy.root))[0][0].falsifiers
    falsifier = replace(falsifier, covers=("a.b",))
    checks = (Check(falsifier.id, "checks/test_x.py", 1, "test_x", "checks/test_x.py::test_x"),)

    def tree() -> SourceTree:
        return SourceTree(root, [root / "one", root / "two", root / "checks"])

    seen = [root / name for at, name in enumerate(sorted(files)) if at in observed]
    manifest = build_manifest(falsifier, checks, tree(), observed=seen)
    assert find_changes(manifest, falsifier, checks, tree()) == ()
    if newcomer in files:
        return
    (root / newcomer).parent.mkdir(parents=True, exist_ok=True)
    (root / newcomer).write_text(text)
    again = build_manifest(falsifier, checks, tree(), observed=seen)
    changed = find_changes(manifest, falsifier, checks, tree())
    assert bool(changed) == (sources(again) - sources(manifest) != set())
