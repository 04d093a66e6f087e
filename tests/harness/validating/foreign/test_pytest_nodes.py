from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pv_harness.validating.foreign.lookups import Lookups
from pv_harness.validating.foreign.pytest_nodes import PytestNodes


if TYPE_CHECKING:
    from pathlib import Path

SOURCE = """\
import sys

def test_plain(): ...

if sys.platform:
    async def test_sometimes(): ...

class TestHalves:
    def test_method(self): ...

    class TestInner:
        def test_deep(self): ...

def helper():
    def test_nested(): ...

class TestThirds(TestHalves, object):
    def test_own(self): ...

class TestRound(TestRound): ...
"""

BORROWED = """\
from shared import TestCases, test_sums as test_totals
import shared.cases

test_made = shared.make()

class TestMore(shared.Cases): ...
class TestEvenMore(TestMore): ...
"""


@pytest.fixture
def contract(tmp_path: Path) -> Path:
    """A contract two folders below the root of a repository with tests."""
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_x.py").write_text(SOURCE)
    (tmp_path / "tests/broken.py").write_text("def (")
    (tmp_path / "tests/borrowed.py").write_text(BORROWED)
    (tmp_path / "tests/star.py").write_text("from shared import *")
    (tmp_path / "contracts/deep").mkdir(parents=True)
    (tmp_path / "contracts/deep/beside.py").write_text("def test_beside(): ...")
    return tmp_path / "contracts/deep/x.yaml"


@pytest.mark.parametrize(
    "node",
    [
        "tests/test_x.py::test_plain",
        "tests/test_x.py::test_plain[a::b]",
        "tests/test_x.py::test_sometimes",
        "tests/test_x.py::TestHalves",
        "tests/test_x.py::TestHalves::test_method",
        "tests/test_x.py::TestHalves::TestInner::test_deep",
        "beside.py::test_beside",
        "tests/test_x.py::TestThirds::test_own",
        "tests/test_x.py::TestThirds::test_method",
        "tests/borrowed.py::test_totals",
        "tests/borrowed.py::test_made",
        "tests/borrowed.py::TestCases",
        "tests/borrowed.py::TestCases::test_any",
        "tests/borrowed.py::TestMore::test_any",
        "tests/borrowed.py::TestEvenMore::test_any",
        "tests/star.py::test_any",
        "tests/star.py::TestAny::test_any",
    ],
)
def test_what_is_there_has_no_fault(contract: Path, node: str) -> None:
    if "[" in node:
        node = node.partition("[")[0] + "[a]"
    assert PytestNodes(Lookups()).fault(node, contract) == ""


@pytest.mark.parametrize(
    ("node", "fault"),
    [
        ("tests/test_x.py::test_absent", "'tests/test_x.py' defines no 'test_absent'"),
        ("tests/test_x.py::test_method", "'tests/test_x.py' defines no 'test_method'"),
        ("tests/test_x.py::test_nested", "'tests/test_x.py' defines no 'test_nested'"),
        (
            "tests/test_x.py::TestThirds::test_deep",
            "'tests/test_x.py' defines no 'TestThirds::test_deep'",
        ),
        ("tests/test_x.py::TestRound::t", "'tests/test_x.py' defines no 'TestRound::t'"),
        ("tests/borrowed.py::test_sums", "'tests/borrowed.py' defines no 'test_sums'"),
        (
            "tests/borrowed.py::TestSeveral::test_any",
            "'tests/borrowed.py' defines no 'TestSeveral::test_any'",
        ),
        (
            "tests/test_x.py::TestHalves::test_plain",
            "'tests/test_x.py' defines no 'TestHalves::test_plain'",
        ),
        ("test_x.py::test_plain", "the repository of the contract has no file 'test_x.py'"),
        ("../test_x.py::test_plain", "'../test_x.py' lies outside the repository"),
        ("/etc/x.py::test_plain", "'/etc/x.py' lies outside the repository"),
        ("tests/broken.py::test_plain", "'tests/broken.py' is not Python"),
    ],
)
def test_what_is_not_there_is_named(contract: Path, node: str, fault: str) -> None:
    assert PytestNodes(Lookups()).fault(node, contract).startswith(fault)


def test_a_test_file_that_can_not_be_read_is_a_fault(contract: Path) -> None:
    file = contract.parent / "huge.py"
    with file.open("wb") as stream:
        stream.truncate(5 << 20)
    fault = PytestNodes(Lookups()).fault("huge.py::test_x", contract)
    assert fault.startswith("'huge.py' can't be read: is larger than")


def test_nothing_above_the_repository_is_looked_at(contract: Path) -> None:
    root = contract.parents[2]
    folders = (contract.parent, contract.parents[1], root)
    assert Lookups().repository_folders(contract) == folders
    (root / "pyproject.toml").unlink()
    (contract.parent / ".git").mkdir()
    assert Lookups().repository_folders(contract) == (contract.parent,)
    fault = PytestNodes(Lookups()).fault("tests/test_x.py::test_plain", contract)
    assert "has no file" in fault
