"""Foreign files get one report, whichever way it is come by and whatever lies beside them."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

import pytest
from tests.harness.validating.conftest import EXAMPLE
from tests.harness.validating.foreign.dialects import DIALECTS
from tests.harness.validating.test_plain_files import assert_equal, copy_of

from pv_harness.documents import plain_yaml
from pv_harness.documents.accelerators import find_accelerator
from pv_harness.project import Project, load_project
from pv_harness.validating import forked_reading
from pv_harness.validating.forked_reading import read_by
from pv_harness.validating.plain_files import PlainFile, read_plain_files
from pv_harness.validating.validation import validate
from pv_harness.workflow import recalled_answers
from pv_harness.workflow.kept_files import keep_files
from pv_harness.workflow.validate import find_ground_around


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pv_harness.contracts.file_search import FoundFile
    from pv_harness.validating.plain_files import PlainReading
    from pv_harness.validating.rules.world import World

LATER_NS = 3_600_000_000_000
NATIVE_COUNT = 4
SPOILED: dict[str, Callable[[str], str]] = {
    "a tab": lambda text: text.replace("\n  ", "\n\t", 1),
    "no end": lambda text: text.rstrip("\n"),
    "a key twice": lambda text: text + text.splitlines()[0] + " again\n",
    "an anchor": lambda text: text.replace(": ", ": &here ", 1),
    "our format named": lambda text: text + "# unlike pv/v1\n",
    "windows": lambda text: text.replace("\n", "\r\n"),
    "typed": lambda text: text + "status: PASSED\n",
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Every dialect, each as it is and spoiled in each way, among native contracts."""
    root = tmp_path / "project"
    shutil.copytree(EXAMPLE, root)
    contracts = root / "contracts"
    text = (contracts / "base.yaml").read_text()
    for number in range(NATIVE_COUNT - 1):
        (contracts / f"copy-{number}.yaml").write_text(copy_of(text, number))
    for name, dialect in DIALECTS.items():
        (contracts / f"{name}.yaml").write_text(dialect)
        for way, spoil in SPOILED.items():
            spoiled = spoil(dialect)
            assert spoiled != dialect
            (contracts / f"{name}-{way.replace(' ', '-')}.yaml").write_text(
                spoiled, encoding="utf-8", newline=""
            )
    return load_project(root)


def assert_one_report(project: Project, reading: PlainReading) -> None:
    paths = [str(project.root / "contracts")]
    explained = validate(paths, project)
    fast = validate(paths, project, read_plain=reading)
    assert_equal(explained, fast)
    assert (fast.foreign_found, fast.looked_for) == (
        explained.foreign_found,
        explained.looked_for,
    )
    assert fast.foreign > len(DIALECTS)
    assert len(fast.plain) == NATIVE_COUNT


def test_foreign_files_beside_plain_ones_are_judged_alike(project: Project) -> None:
    if find_accelerator("yaml_rs") is None:
        pytest.skip("yaml-rs, of the extra `fast`, is not installed")
    assert_one_report(project, read_plain_files)


def test_foreign_files_are_judged_alike_without_the_fast_package(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain_yaml, "find_accelerator", lambda _name: None)
    assert_one_report(project, read_plain_files)


@pytest.mark.parametrize("processes", [2, 3])
def test_foreign_files_are_judged_alike_by_several_processes(
    project: Project, processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares: list[int] = []

    def read(files: Sequence[FoundFile], world: World) -> dict[str, PlainFile]:
        shares.append(len(files))
        return read_plain_files(files, world)

    monkeypatch.setattr(forked_reading, "read_plain_files", read)
    assert_one_report(project, read_by(processes, least=1))
    assert len(shares) == 1  # the others were read in processes of their own


def test_foreign_files_are_judged_alike_where_plain_ones_are_remembered(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "package"
    package.mkdir()
    monkeypatch.setattr(recalled_answers, "_PACKAGE", str(package))
    asked: list[str] = []

    def read(files: Sequence[FoundFile], world: World) -> dict[str, PlainFile]:
        asked.extend(file.real.rpartition("/")[2] for file in files)
        return read_plain_files(files, world)

    keeping = keep_files(
        read,
        tmp_path / "caches",
        lambda planted: find_ground_around(project, project.root, planted),
        time.time_ns() + LATER_NS,
    )
    assert_one_report(project, keeping)
    assert "base.yaml" in asked
    asked.clear()
    assert_one_report(project, keeping)
    assert "kernel.yaml" in asked
    assert "base.yaml" not in asked
