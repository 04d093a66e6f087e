"""Configuration that decides how checks run: by what it says, and named when it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pv_harness.contracts.bindings import find_checks
from pv_harness.fingerprint.building import build_manifest, digest_path
from pv_harness.fingerprint.changes import find_changes
from pv_harness.fingerprint.manifest import (
    Entry,
    EntryKind,
    Manifest,
    mark_unasked,
    unasked_inputs,
)
from pv_harness.fingerprint.sources import SourceTree
from pv_harness.project import load_project
from pv_harness.validating.validation import load_contracts


if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness.conftest import Toy

    from pv_harness.contracts.bindings import Check
    from pv_harness.contracts.contract import Falsifier

    Claim = tuple[Falsifier, tuple[Check, ...]]

TOML = '[tool.pytest.ini_options]\npythonpath = ["alt"]\n'
COMMAND = '[tool.pv.inputs]\nheights = ["python", "tools/make.py", "/dev/null", "../x"]\n'


def claim_of(toy: Toy) -> Claim:
    project = load_project(toy.root)
    contracts, _ = load_contracts(project)
    return contracts[0].falsifiers[0], find_checks(project)


def tree(toy: Toy) -> SourceTree:
    return SourceTree(toy.root, [toy.root / "src"])


def changes(toy: Toy, manifest: Manifest) -> list[str]:
    return [str(change) for change in find_changes(manifest, *claim_of(toy), tree(toy))]


@pytest.mark.parametrize(
    ("file", "text", "same", "other"),
    [
        ("pytest.ini", "[pytest]\naddopts = -x\n", "# c\n[pytest]\naddopts=-x\n", "[pytest]\n"),
        ("checks/.pytest.ini", "[pytest]\na = 1\n", "[pytest]\n\na = 1\n", "[pytest]\na = 2\n"),
        ("tox.ini", "[pytest]\na = 1\n", "[pytest]\na = 1\n[tox]\nb = 1\n", "[tox]\na = 1\n"),
        ("setup.cfg", "[tool:pytest]\na = 1\n", "[x]\n[tool:pytest]\na=1\n", "[tool:pytest]\n"),
        ("pytest.toml", "[pytest]\na = 1\n", "[pytest] # c\na = 1\n", "[pytest]\na = 2\n"),
        ("checks/pyproject.toml", TOML, f"# c\n{TOML}[tool.x]\na = 1\n", "[tool.x]\n"),
        ("pytest.ini", "no ini", "no ini", "no ini either"),
        ("pytest.toml", "no toml", "no toml", "no toml either"),
    ],
)
def test_what_configures_pytest_counts_by_what_it_says(
    toy: Toy, file: str, text: str, same: str, other: str
) -> None:
    toy.write(file, text)
    manifest = build_manifest(*claim_of(toy), tree(toy))
    toy.write(file, same)
    assert changes(toy, manifest) == []
    toy.write(file, other)
    assert changes(toy, manifest) == [f"the configuration of pytest changed: {file}"]
    (toy.root / file).unlink()
    assert changes(toy, manifest) == [f"the configuration of pytest changed: {file}"]


def test_configuration_that_appears_is_a_change_and_what_lies_elsewhere_is_not(
    toy: Toy,
) -> None:
    manifest = build_manifest(*claim_of(toy), tree(toy))
    toy.write("src/pytest.ini", "[pytest]\n")
    (toy.root.parent / "pytest.ini").write_text("[pytest]\n")
    toy.write("tox.ini", "[tox]\n")
    assert changes(toy, manifest) == []
    toy.write("checks/pytest.ini", "[pytest]\n")
    assert changes(toy, manifest) == ["the configuration of pytest changed: checks/pytest.ini"]


def test_evidence_from_before_configuration_counted_says_nothing_about_it(toy: Toy) -> None:
    manifest = build_manifest(*claim_of(toy), tree(toy))
    older = Manifest(tuple(e for e in manifest.entries if e.kind is not EntryKind.SETTING))
    toy.write("pytest.ini", "[pytest]\n")
    assert changes(toy, older) == []


def test_a_setting_that_the_claim_does_not_rest_on_is_told(toy: Toy) -> None:
    entry = Entry(EntryKind.SETTING, "input weights", "0" * 64)
    manifest = build_manifest(*claim_of(toy), tree(toy))
    more = Manifest((*manifest.entries, entry))
    assert changes(toy, more) == ["what makes input weights is nothing that the claim rests on"]


def test_the_command_of_an_input_counts_and_what_it_names(toy: Toy) -> None:
    toy.edit("contracts/toy-v1.yaml", "[toy.math]", "[toy.math]\n  inputs: [heights]")
    text = (toy.root / "pyproject.toml").read_text()
    toy.write("pyproject.toml", text + COMMAND)
    toy.write("tools/make.py", "print(1)\n")
    toy.write("../x", "1\n")
    manifest = build_manifest(*claim_of(toy), tree(toy))
    toy.write("../x", "2\n")
    assert changes(toy, manifest) == []
    toy.write("tools/make.py", "print(2)\n")
    assert changes(toy, manifest) == ["what makes input heights changed: tools/make.py"]
    toy.write("tools/make.py", "print(1)\n")
    toy.write("pyproject.toml", text + COMMAND.replace("python", "python3"))
    assert changes(toy, manifest) == ["what makes input heights changed: its command"]
    claim = claim_of(toy)
    toy.write("pyproject.toml", text)
    assert [str(change) for change in find_changes(manifest, *claim, tree(toy))] == [
        "what makes input heights changed: its command, tools/make.py"
    ]


def test_an_input_counts_through_links_to_folders_and_a_circle_of_them_ends(
    tmp_path: Path,
) -> None:
    folder, shards = tmp_path / "input", tmp_path / "shards"
    folder.mkdir()
    shards.mkdir()
    (shards / "a").write_text("1")
    (folder / "linked").symlink_to(shards)
    (shards / "back").symlink_to(folder)
    before = digest_path(folder)
    assert digest_path(folder) == before
    (shards / "a").write_text("2")
    assert digest_path(folder) != before


@pytest.mark.parametrize("statement", ["import helper", "from helper import X"])
def test_a_module_below_the_root_and_no_source_root_counts(toy: Toy, statement: str) -> None:
    toy.write("helper.py", "from tools.inner import X\n")
    toy.write("tools/__init__.py", "")
    toy.write("tools/inner.py", "from . import more\nX = 1\n")
    toy.write("tools/more.py", "")
    toy.edit("checks/test_toy.py", "import pytest\n", f"import pytest\n{statement}\n")
    manifest = build_manifest(*claim_of(toy), tree(toy))
    names = {e.name for e in manifest.entries if e.kind is EntryKind.SOURCE}
    assert {"helper.py", "tools/__init__.py", "tools/inner.py", "tools/more.py"} <= names
    assert changes(toy, manifest) == []
    toy.write("tools/inner.py", "from . import more\nX = 2\n")
    assert changes(toy, manifest) == ["tools/inner.py changed: module level"]


def test_a_module_that_appears_below_the_root_joins_the_sources(toy: Toy) -> None:
    toy.edit(
        "checks/test_toy.py",
        "import pytest\n",
        "import pytest\ntry:\n    import helper\nexcept ImportError:\n    pass\n",
    )
    manifest = build_manifest(*claim_of(toy), tree(toy))
    assert changes(toy, manifest) == []
    toy.write("helper.py", "X = 1\n")
    assert changes(toy, manifest) == ["helper.py joined the sources"]


def test_bytecode_counts_where_it_stands_in_the_place_of_its_source(toy: Toy) -> None:
    package = toy.root / "src/toy"
    (package / "math.pyc").write_bytes(b"beside its source, never read")
    (package / "alone.pyc").write_bytes(b"\0one")
    manifest = build_manifest(*claim_of(toy), tree(toy))
    names = {e.name for e in manifest.entries if e.name.endswith(".pyc")}
    assert names == {"src/toy/alone.pyc"}
    (package / "alone.pyc").write_bytes(b"\0two")
    assert changes(toy, manifest) == ["src/toy/alone.pyc changed"]


@pytest.mark.parametrize("name", ["src/sitecustomize.py", "usercustomize.py"])
def test_what_python_imports_at_every_start_counts(toy: Toy, name: str) -> None:
    manifest = build_manifest(*claim_of(toy), tree(toy))
    toy.write(name, "X = 1\n")
    assert changes(toy, manifest) == [f"{name} joined the sources"]
    manifest = build_manifest(*claim_of(toy), tree(toy))
    toy.write(name, "X = 2\n")
    assert changes(toy, manifest) == [f"{name} changed: module level"]


def test_that_nothing_read_an_input_is_noted_and_is_no_part_of_the_fingerprint(
    toy: Toy, tmp_path: Path
) -> None:
    inputs = {name: {"file": tmp_path / "toy/pyproject.toml"} for name in ("read", "not")}
    manifest = build_manifest(*claim_of(toy), tree(toy), inputs=inputs)
    marked = mark_unasked(manifest, {"not"})
    assert unasked_inputs(manifest) == frozenset()
    assert unasked_inputs(marked) == {"not"}
    assert marked.fingerprint == manifest.fingerprint
