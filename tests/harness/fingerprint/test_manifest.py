from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pv_harness.contracts.bindings import find_checks
from pv_harness.contracts.validation import load_contracts
from pv_harness.fingerprint.manifest import (
    EntryKind,
    Manifest,
    build_manifest,
    find_changes,
    input_digests,
)
from pv_harness.fingerprint.sources import SourceTree
from pv_harness.project import load_project


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
    assert changes(toy, manifest, claim) == ["checks/conftest.py changed"]


def test_an_observed_module_counts(toy: Toy, claim: Claim) -> None:
    manifest = build_manifest(*claim, tree(toy), observed=[toy.root / "src/toy/cli.py"])
    toy.edit("src/toy/cli.py", "argv[2]", "argv[-1]")
    assert changes(toy, manifest, claim) == ["src/toy/cli.py changed"]


def test_a_file_that_is_gone_is_named(toy: Toy, claim: Claim) -> None:
    manifest = build_manifest(*claim, tree(toy))
    (toy.root / "src/toy/math.py").unlink()
    assert "src/toy/math.py is gone" in changes(toy, manifest, claim)


def test_a_file_that_joins_the_imports_is_named(toy: Toy, claim: Claim) -> None:
    manifest = build_manifest(*claim, tree(toy))
    toy.write("src/toy/extra.py", "Y = 1\n")
    toy.edit("src/toy/math.py", '"""Arithmetic."""', "from toy import extra")
    assert changes(toy, manifest, claim) == [
        "src/toy/math.py changed",
        "src/toy/extra.py joined the sources",
    ]


def test_an_input_is_known_by_its_bytes(toy: Toy, claim: Claim, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.bin").write_bytes(b"1")
    parts = {"pair": {"data": tmp_path / "data"}}
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
