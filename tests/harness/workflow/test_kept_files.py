from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.harness.validating.conftest import EXAMPLE
from tests.harness.validating.test_plain_files import copy_of, stand_in

from pv_harness.project import Project, load_project
from pv_harness.validating.plain_files import read_plain_files
from pv_harness.validating.report import Report, render_report
from pv_harness.validating.validation import validate
from pv_harness.workflow import recalled_answers
from pv_harness.workflow.kept_files import keep_files
from pv_harness.workflow.validate import find_ground_around


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pv_harness.contracts.file_search import FoundFile
    from pv_harness.validating.plain_files import PlainFile
    from pv_harness.validating.rules.world import World
    from pv_harness.workflow.kept_answers import Ground

LATER_NS = 3_600_000_000_000


class Validator:
    """Validates one project again and again, and knows what was read anew."""

    def __init__(self, root: Path, caches: Path) -> None:
        self.root = root
        self.caches = caches
        self.read: list[str] = []

    def __call__(self, *, started_ns: int | None = None) -> Report:
        """The report by what is kept, checked against the report by nothing of it."""
        project = load_project(self.root)
        when = time.time_ns() + LATER_NS if started_ns is None else started_ns
        self.read.clear()
        reading = keep_files(self._count, self.caches, self._ground(project), when)
        paths = [str(self.root / "contracts")]
        report = validate(paths, project, read_plain=reading)
        assert render_report(report, 0) == render_report(validate(paths, project), 0)
        return report

    def _count(self, files: Sequence[FoundFile], world: World) -> dict[str, PlainFile]:
        self.read += [Path(file.path).name for file in files]
        return read_plain_files(files, world)

    def _ground(self, project: Project) -> Callable[[Iterable[str]], Ground]:
        return lambda planted: find_ground_around(project, project.root, planted)


@pytest.fixture
def validator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Validator:
    root = tmp_path / "project"
    shutil.copytree(EXAMPLE, root)
    text = (root / "contracts/base.yaml").read_text()
    for number in range(3):
        (root / f"contracts/copy-{number}.yaml").write_text(copy_of(text, number))
    stand_in(monkeypatch)
    package = tmp_path / "package"
    package.mkdir()
    monkeypatch.setattr(recalled_answers, "_PACKAGE", str(package))
    return Validator(root, tmp_path / "caches")


def test_a_file_that_has_not_changed_is_not_read_again(validator: Validator) -> None:
    validator()
    assert len(validator.read) == 4
    validator()
    assert validator.read == []
    (validator.root / "contracts/copy-1.yaml").touch()
    validator()
    assert validator.read == ["copy-1.yaml"]


def test_a_file_that_changed_shortly_before_is_read_again(validator: Validator) -> None:
    validator(started_ns=time.time_ns())
    validator()
    assert len(validator.read) == 4


def swap(validator: Validator) -> None:
    """Two files with each other's names, sizes and times."""
    one, two = (validator.root / f"contracts/copy-{number}.yaml" for number in (1, 2))
    facts = one.stat()
    aside = one.with_suffix(".aside")
    one.rename(aside)
    two.rename(one)
    aside.rename(two)
    for file in (one, two):
        os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def edit(name: str, old: str, new: str) -> Callable[[Validator], None]:
    def change(validator: Validator) -> None:
        file = validator.root / name
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    return change


CHANGES: dict[str, Callable[[Validator], object]] = {
    "two files swapped": swap,
    "an ID that another has": edit("contracts/copy-1.yaml", "COPY1-001", "COPY2-001"),
    "a mistake": edit("contracts/copy-1.yaml", "  rule:", "  ruel:"),
    "a check less": lambda v: (v.root / "checks/sums.py").unlink(),
    "a check for another": edit("checks/sums.py", "BASE-001", "COPY1-001"),
    "a planted change that no longer fits": edit("src/subject/core.py", "+ right", "+  right"),
    "a subject less": lambda v: (v.root / "src/subject/core.py").unlink(),
    "another source root": lambda v: (v.root / "src").rename(v.root / "lib"),
    "a setting": lambda v: (v.root / "pyproject.toml").write_text(
        '[tool.pv]\nchecks = ["x"]\n'
    ),
    "a file less": lambda v: (v.root / "contracts/copy-1.yaml").unlink(),
    "a folder in place of a file": lambda v: (v.root / "contracts/copy-1.yaml").rename(
        v.root / "contracts/copy-1.yaml.d"
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_nothing_that_a_file_rests_on_changes_unnoticed(
    validator: Validator, change: Callable[[Validator], object]
) -> None:
    validator()
    change(validator)
    validator()
    validator()


def test_entries_that_are_damaged_or_of_another_make_are_none(validator: Validator) -> None:
    validator()
    (entry,) = validator.caches.glob("files-*.marshal")
    data = entry.read_bytes()
    for damaged in (b"", data[:-9], data.replace(b"COPY1", b"COPY9"), b"[]"):
        entry.write_bytes(damaged)
        validator()
        assert len(validator.read) == 4
