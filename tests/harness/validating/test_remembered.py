from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from tests.harness.validating.conftest import EXAMPLE

from pv_harness import user_cache
from pv_harness.errors import ContractError
from pv_harness.project import Project, load_project
from pv_harness.validating import validation
from pv_harness.validating.remembered import load_remembered
from pv_harness.workflow.declared import read_declared


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[Project]:
    """The projects that were judged for real, in order."""
    seen: list[Project] = []
    real = validation.load_judged

    def load(project: Project) -> Any:
        seen.append(project)
        return real(project)

    monkeypatch.setattr(validation, "load_judged", load)
    return seen


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def entry_in(folder: Path) -> Path:
    (entry,) = folder.glob("contracts-*.json")
    return entry


def test_the_second_answer_is_the_first_and_costs_no_judging(
    project: Project, judged: list[Project], folder: Path
) -> None:
    first = load_remembered(project, folder)
    second = load_remembered(project, folder)
    assert second == first
    assert len(judged) == 1
    assert first.contracts
    assert first.checks


def test_without_the_cache_every_answer_is_judged(
    project: Project, judged: list[Project], folder: Path
) -> None:
    load_remembered(project, None)
    load_remembered(project, None)
    assert len(judged) == 2
    assert not folder.exists()


def keep_times(file: Path, change: Callable[[], object]) -> None:
    before = file.stat()
    change()
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    "name", ["contracts/base.yaml", "checks/sums.py", "src/subject/core.py"]
)
def test_an_edit_that_keeps_size_and_time_is_seen(
    project: Project, judged: list[Project], folder: Path, name: str
) -> None:
    file = project.root / name
    text = file.read_text() + "# one\n"
    file.write_text(text)
    load_remembered(project, folder)
    keep_times(file, lambda: file.write_text(text.replace("# one", "# two")))
    load_remembered(project, folder)
    assert len(judged) == 2


@pytest.mark.parametrize("name", ["contracts/more.yaml", "checks/more.py", "src/more.py"])
def test_a_new_file_is_seen(
    project: Project, judged: list[Project], folder: Path, name: str
) -> None:
    load_remembered(project, folder)
    text = (project.root / "contracts/base.yaml").read_text() if "yaml" in name else "x = 1\n"
    for old in ("base-v1", "FALSIFY-BASE", "FALSIFY-SUM"):
        text = text.replace(old, f"MORE-{old}")
    (project.root / name).write_text(text)
    try:
        load_remembered(project, folder)
    except ContractError:
        assert "yaml" in name
    assert len(judged) == 2


@pytest.mark.parametrize("name", ["__pycache__", "deep/__pycache__", "node_modules"])
def test_a_contract_counts_wherever_it_is_found(
    project: Project, judged: list[Project], folder: Path, name: str
) -> None:
    (project.contracts[0] / name).mkdir(parents=True)
    (contract,) = (file for file in project.contracts[0].iterdir() if file.is_file())
    moved = contract.rename(project.contracts[0] / name / contract.name)
    loaded = load_remembered(project, folder)
    assert moved in loaded.digests
    moved.write_text(moved.read_text(encoding="utf-8") + "# more\n", encoding="utf-8")
    load_remembered(project, folder)
    assert len(judged) == 2


def test_a_check_counts_wherever_it_is_found(
    project: Project, judged: list[Project], folder: Path
) -> None:
    place = project.checks[0] / "__pycache__"
    place.mkdir()
    for check in [file for file in project.checks[0].iterdir() if file.suffix == ".py"]:
        check.rename(place / check.name)
    assert load_remembered(project, folder).checks
    moved = next(place.iterdir())
    moved.write_text(moved.read_text(encoding="utf-8") + "# more\n", encoding="utf-8")
    load_remembered(project, folder)
    assert len(judged) == 2


@pytest.mark.parametrize("inside", [True, False])
def test_a_contract_that_is_a_link_is_known_by_what_it_leads_to(
    project: Project,
    judged: list[Project],
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    inside: bool,
) -> None:
    (contract,) = (file for file in project.contracts[0].iterdir() if file.is_file())
    shared = (project.root if inside else tmp_path) / "shared"
    shared.mkdir()
    target = contract.rename(shared / contract.name)
    monkeypatch.setenv("PV_CACHE_DIR", str(folder))
    contract.symlink_to(target)
    declared = read_declared(project)
    assert len(declared.configuration) == len(declared.contracts)
    load_remembered(project, folder)
    target.write_text(target.read_text(encoding="utf-8") + "# more\n", encoding="utf-8")
    judged.clear()
    load_remembered(project, folder)
    assert len(judged) == 1


def test_other_settings_are_another_question(
    project: Project, judged: list[Project], folder: Path
) -> None:
    load_remembered(project, folder)
    file = project.root / "pyproject.toml"
    file.write_text(
        file.read_text().replace("[tool.pv.inputs]", '[tool.pv.inputs]\nx = ["true"]')
    )
    load_remembered(load_project(project.root), folder)
    assert len(judged) == 2


def test_another_pv_is_another_question(
    project: Project, judged: list[Project], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_remembered(project, folder)
    monkeypatch.setattr(user_cache, "__version__", "99.0")
    load_remembered(project, folder)
    assert len(judged) == 2


def test_an_invalid_contract_is_judged_every_time(
    project: Project, judged: list[Project], folder: Path
) -> None:
    file = project.root / "contracts/base.yaml"
    file.write_text(file.read_text().replace("rule:", "rulle:", 1))
    for _ in range(2):
        with pytest.raises(ContractError, match="PV011"):
            load_remembered(project, folder)
    assert len(judged) == 2
    assert not list(folder.glob("*"))


def test_a_file_that_changes_while_it_is_judged_leaves_nothing_behind(
    project: Project, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = validation.load_judged

    def load(project: Project) -> Any:
        found = real(project)
        (project.root / "src/subject/core.py").write_text("# emptied\n")
        return found

    monkeypatch.setattr(validation, "load_judged", load)
    load_remembered(project, folder)
    assert not list(folder.glob("*"))


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "[" * 50_000, '{"key": 1}', '{"targets": {"a": 1}, "key": []}'],
    ids=["empty", "cut", "list", "null", "deep", "other keys", "other types"],
)
def test_an_entry_that_is_none_is_passed_over(
    project: Project, judged: list[Project], folder: Path, text: str
) -> None:
    first = load_remembered(project, folder)
    entry_in(folder).write_text(text)
    assert load_remembered(project, folder) == first
    assert len(judged) == 2


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_a_damaged_entry_is_passed_over(
    project: Project, folder: Path, data: st.DataObject
) -> None:
    first = load_remembered(project, folder)
    entry = entry_in(folder)
    whole = bytearray(entry.read_bytes())
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    entry.write_bytes(whole)
    assert load_remembered(project, folder) == first


def test_a_folder_that_can_not_be_written_costs_the_memory_alone(
    project: Project, judged: list[Project], folder: Path
) -> None:
    folder.write_text("a file in its place\n")
    first = load_remembered(project, folder)
    assert load_remembered(project, folder) == first
    assert len(judged) == 2


def test_a_folder_that_others_can_write_to_is_not_trusted(
    project: Project, judged: list[Project], folder: Path
) -> None:
    load_remembered(project, folder)
    folder.chmod(0o777)
    load_remembered(project, folder)
    assert len(judged) == 2


def test_only_the_newest_entries_are_kept(
    project: Project, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_cache, "_MOST_ENTRIES", 2)
    for name in ("a", "b", "c"):
        root = project.root.parent / name
        shutil.copytree(EXAMPLE, root)
        load_remembered(load_project(root), folder)
    assert len(list(folder.iterdir())) == 2
