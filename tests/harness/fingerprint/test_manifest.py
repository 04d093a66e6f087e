from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pv_harness.contracts.bindings import find_checks
from pv_harness.fingerprint.building import build_manifest
from pv_harness.fingerprint.changes import find_changes
from pv_harness.fingerprint.manifest import EntryKind, Manifest, input_digests
from pv_harness.fingerprint.sources import SourceTree
from pv_harness.project import load_project
from pv_harness.validating.validation import load_contracts


if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness.conftest import Toy

    from pv_harness.contracts.bindings import Check
    from pv_harness.contracts.contract import Falsifier

    Claim = tuple[Falsifier, tuple[Check, ...]]


@pytest.fixture
def claim(toy: Toy) -> Claim:
    project = load_project(toy.root)
    contracts, _ = load_contracts(project)
    return contracts[0].falsifiers[0], find_checks(project)


def tree(toy: Toy) -> SourceTree:
    return SourceTree(toy.root, [toy.root / "src"])


def changes(toy: Toy, manifest: Manifest, claim: Claim) -> list[str]:
    return [str(change) for change in find_changes(manifest, *claim, tree(toy))]


def test_it_holds_claim_checks_and_sources(toy: Toy, claim: Claim) -> None:
    manifest = build_manifest(*claim, tree(toy))
    names = {entry.name for entry in manifest.entries if entry.kind is EntryKind.SOURCE}
    assert names == {"checks/test_toy.py", "src/toy/__init__.py", "src/toy/math.py"}
    assert {e.kind for e in manifest.entries} == set(EntryKind) - {EntryKind.INPUT}
    assert changes(toy, manifest, claim) == []


def test_a_conftest_above_the_check_counts(toy: Toy, claim: Claim) -> None:
    toy.write("checks/conftest.py", "X = 1\n")
    manifest = build_manifest(*claim, tree(toy))
    assert "checks/conftest.py" in {entry.name for entry in manifest.entries}
    toy.write("checks/conftest.py", "X = 2\n")
    assert changes(toy, manifest, claim) == ["checks/conftest.py changed: module level"]


def test_an_observed_module_counts(toy: Toy, claim: Claim) -> None:
    manifest = build_manifest(*claim, tree(toy), observed=[toy.root / "src/toy/cli.py"])
    toy.edit("src/toy/cli.py", "argv[2]", "argv[-1]")
    assert changes(toy, manifest, claim) == ["src/toy/cli.py changed: main"]


def test_a_file_that_is_gone_is_named(toy: Toy, claim: Claim) -> None:
    manifest = build_manifest(*claim, tree(toy))
    (toy.root / "src/toy/math.py").unlink()
    assert "src/toy/math.py is gone" in changes(toy, manifest, claim)


def test_a_file_that_joins_the_imports_is_named(toy: Toy, claim: Claim) -> None:
    manifest = build_manifest(*claim, tree(toy))
    toy.write("src/toy/extra.py", "Y = 1\n")
    toy.edit("src/toy/math.py", '"""Arithmetic."""', "from toy import extra")
    assert changes(toy, manifest, claim) == [
        "src/toy/math.py changed: module level",
        "src/toy/extra.py joined the sources",
    ]


def test_an_input_is_known_by_its_bytes(toy: Toy, claim: Claim, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.bin").write_bytes(b"1")
    parts = {"pair": {"data": tmp_path / "data"}}
    claim = (replace(claim[0], inputs=("pair",)), claim[1])
    manifest = build_manifest(*claim, tree(toy), inputs=parts, inputs_root=tmp_path)
    assert set(input_digests(manifest)) == {"pair"}
    outside = build_manifest(*claim, tree(toy), inputs=parts)
    assert changes(toy, outside, claim) == []
    (tmp_path / "data" / "a.bin").write_bytes(b"2")
    assert changes(toy, outside, claim) == [
        f"input pair.data changed ({(tmp_path / 'data').as_posix()})"
    ]


def test_the_claim_s_numbers_count_and_its_defects_do_not(toy: Toy, claim: Claim) -> None:
    falsifier, checks = claim
    manifest = build_manifest(falsifier, checks, tree(toy))
    fewer = replace(falsifier, defects=falsifier.defects[:1])
    assert find_changes(manifest, fewer, checks, tree(toy)) == ()
    looser = replace(falsifier, bounds=(replace(falsifier.bounds[0], threshold=6),))
    assert len(find_changes(manifest, looser, checks, tree(toy))) == 1


def test_the_fingerprint_is_that_of_the_entries(toy: Toy, claim: Claim) -> None:
    one, other = build_manifest(*claim, tree(toy)), build_manifest(*claim, tree(toy))
    assert one.fingerprint == other.fingerprint
    assert Manifest(one.entries[:-1]).fingerprint != one.fingerprint


def test_a_native_source_beside_a_module_counts(toy: Toy, claim: Claim) -> None:
    toy.write("src/toy/kernel.cu", "// one\n")
    manifest = build_manifest(*claim, tree(toy))
    assert "src/toy/kernel.cu" in {entry.name for entry in manifest.entries}
    toy.write("src/toy/kernel.cu", "// two\n")
    assert changes(toy, manifest, claim) == ["src/toy/kernel.cu changed"]


def test_a_native_source_that_appears_is_named(toy: Toy, claim: Claim) -> None:
    manifest = build_manifest(*claim, tree(toy))
    toy.write("src/toy/kernel.cu", "// one\n")
    assert changes(toy, manifest, claim) == ["src/toy/kernel.cu joined the sources"]


def test_what_is_built_is_no_source(toy: Toy, claim: Claim) -> None:
    toy.write("src/toy/fast.pyx", "def add(a, b): return a + b\n")
    manifest = build_manifest(*claim, tree(toy))
    toy.write("src/toy/fast.c", "/* Generated by Cython */\n")
    toy.write("src/toy/fast.cpython-311-x86_64-linux-gnu.so", "built\n")
    assert changes(toy, manifest, claim) == []


BEFORE = "A = 1\n\n\ndef f():\n    return A\n\n\nclass C:\n    x = 1\n\n\nB = 2\n"


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("return A", "return A + 1", "changed: f"),
        ("x = 1", "x = 2", "changed: C"),
        ("B = 2", "B = 3", "changed: module level"),
        ("def f", "def g", "changed: g, f"),
        ("def f():\n    return A\n\n\n", "", "changed: f"),
        (BEFORE, "B = 2\n" + BEFORE.replace("B = 2\n", ""), "changed: module level"),
        (
            "def f():\n    return A\n\n\nclass C:\n    x = 1\n",
            "class C:\n    x = 1\n\n\ndef f():\n    return A\n",
            "changed: the order of its definitions",
        ),
        ("return A", "return (", "changed"),
    ],
)
def test_what_changed_in_a_source_is_named(
    toy: Toy, claim: Claim, old: str, new: str, named: str
) -> None:
    toy.write("src/toy/math.py", BEFORE)
    manifest = build_manifest(*claim, tree(toy))
    toy.edit("src/toy/math.py", old, new)
    assert changes(toy, manifest, claim) == [f"src/toy/math.py {named}"]


def test_many_changed_definitions_are_counted(toy: Toy, claim: Claim) -> None:
    toy.write("src/toy/math.py", "".join(f"def f{i}(): return {i}\n" for i in range(9)))
    manifest = build_manifest(*claim, tree(toy))
    toy.write("src/toy/math.py", "".join(f"def f{i}(): return {i + 1}\n" for i in range(9)))
    assert changes(toy, manifest, claim) == ["src/toy/math.py changed: f0, f1, f2 and 6 more"]


def test_definitions_are_no_part_of_the_fingerprint(toy: Toy, claim: Claim) -> None:
    manifest = build_manifest(*claim, tree(toy))
    bare = Manifest(tuple(replace(entry, definitions="") for entry in manifest.entries))
    assert bare != manifest
    assert bare.fingerprint == manifest.fingerprint
    toy.edit("src/toy/math.py", "a + b", "a - b")
    assert changes(toy, bare, claim) == ["src/toy/math.py changed"]


@pytest.mark.parametrize(
    ("covers", "counts"),
    [
        (("toy.math",), False),
        (("pv_harness.judge",), True),
        (("toy.math", "pv_harness.judge"), True),
        (("toy.math", "pv_harness_of_another"), False),
    ],
)
def test_the_judge_counts_only_where_a_claim_covers_it(
    toy: Toy, claim: Claim, covers: tuple[str, ...], *, counts: bool
) -> None:
    judge = toy.write("src/pv_harness/judge.py", "X = 1\n")
    toy.write("src/pv_harness_of_another.py", "")
    toy.edit("src/toy/math.py", '"""Arithmetic."""', "import pv_harness.judge")
    falsifier, checks = claim
    falsifier = replace(falsifier, covers=covers)
    for observed in ((), (judge,)):
        manifest = build_manifest(falsifier, checks, tree(toy), observed=observed)
        found = "src/pv_harness/judge.py" in {entry.name for entry in manifest.entries}
        assert found == counts
