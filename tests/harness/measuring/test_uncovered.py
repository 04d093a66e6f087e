"""Which of the files that checks opened a reader should know of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pv_harness.fingerprint.manifest import Entry, EntryKind, Manifest
from pv_harness.measuring.audit import is_data
from pv_harness.measuring.record import CheckRecord, Outcome
from pv_harness.measuring.uncovered import MOST_NAMED, uncovered_files


if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = Manifest(
    (
        Entry(EntryKind.SOURCE, "src/a.py", "digest"),
        Entry(EntryKind.SOURCE, "src/kernel.cu", "digest"),
    )
)


def opened(root: Path, *names: str, by: tuple[tuple[str, str], ...] = ()) -> CheckRecord:
    for name in (*names, *(file for _, file in by)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return CheckRecord(
        "test_x",
        "A-001",
        Outcome.PASSED,
        opened=tuple(str(root / name) for name in names),
        opened_by_modules=tuple((str(root / m), str(root / f)) for m, f in by),
    )


def test_sources_inputs_and_what_the_tools_read_are_left_out(tmp_path: Path) -> None:
    record = opened(
        tmp_path,
        "expected.json",
        "src/a.py",
        "src/kernel.cu",
        "checks/conftest.py",
        "pyproject.toml",
        "inputs/model/weights.bin",
        "src/b.py",
    )
    found = uncovered_files([record], MANIFEST, tmp_path, covered=[tmp_path / "inputs"])
    assert found == ("expected.json", "src/b.py")


def test_where_python_looks_for_installed_packages_is_no_data(tmp_path: Path) -> None:
    record = opened(
        tmp_path, "src/toy.egg-info/PKG-INFO", "toy-1.dist-info/METADATA", "my.egg-info.json"
    )
    assert uncovered_files([record], MANIFEST, tmp_path) == ("my.egg-info.json",)


def test_what_a_module_reads_counts_for_those_that_rest_on_it(tmp_path: Path) -> None:
    pairs = (("src/a.py", "mine.json"), ("src/other.py", "theirs.json"))
    record = opened(tmp_path, by=pairs)
    assert uncovered_files([record], MANIFEST, tmp_path) == ("mine.json",)


def test_what_the_checks_made_themselves_is_no_input(tmp_path: Path) -> None:
    record = opened(tmp_path, "made.json")
    written_s = (tmp_path / "made.json").stat().st_mtime
    assert uncovered_files([record], MANIFEST, tmp_path, started_s=written_s - 1) == ()
    assert uncovered_files([record], MANIFEST, tmp_path, started_s=written_s + 1) == (
        "made.json",
    )
    (tmp_path / "made.json").unlink()
    assert uncovered_files([record], MANIFEST, tmp_path) == ()


def test_a_long_list_ends_with_a_count(tmp_path: Path) -> None:
    record = opened(tmp_path, *(f"data/{n:03}" for n in range(MOST_NAMED + 7)))
    found = uncovered_files([record], MANIFEST, tmp_path)
    assert len(found) == MOST_NAMED + 1
    assert found[-1] == "(and 7 more)"


@pytest.mark.parametrize(
    ("relative", "data"),
    [
        ("data/a.json", True),
        ("a.py", True),
        (".git/HEAD", False),
        ("src/__pycache__/a.cpython-311.pyc", False),
        (".venv/lib/x.txt", False),
        ("env/lib/python3/site-packages/x.txt", False),
        ("src/native.so", False),
        ("docs/.hidden", False),
    ],
)
def test_caches_and_what_is_installed_are_no_data(relative: str, data: bool) -> None:  # noqa: FBT001
    assert is_data(relative) is data
