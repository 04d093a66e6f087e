"""`pv schema` through the real command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pv_harness


if TYPE_CHECKING:
    from tests.harness.conftest import Toy

FOLDER = Path(pv_harness.__file__).parent / "schema"


def test_without_a_name_all_that_are_shipped_are_listed(toy: Toy) -> None:
    done = toy.pv("schema")
    assert (done.returncode, done.stderr) == (0, "")
    listed = [line.split("  ")[0].rstrip() for line in done.stdout.splitlines()]
    assert sorted(listed) == sorted(file.stem for file in FOLDER.glob("*.json"))
    assert "contract-v1" in listed


@pytest.mark.parametrize("name", ["contract", "contract-v1"])
def test_a_schema_is_printed_as_it_is_shipped(toy: Toy, name: str) -> None:
    done = toy.pv("schema", name)
    assert done.returncode == 0
    assert done.stdout == (FOLDER / "contract-v1.json").read_text(encoding="utf-8")
    assert json.loads(done.stdout)["title"] == "pv contract, version 1"


def test_an_unknown_name_is_a_usage_error(toy: Toy) -> None:
    done = toy.pv("schema", "contrct")
    assert (done.returncode, done.stdout) == (2, "")
    assert "'contrct' is no schema of this pv; did you mean contract?" in done.stderr


def test_it_needs_no_project(toy: Toy) -> None:
    (toy.root / "pyproject.toml").write_text("[tool.pv\n")
    assert toy.pv("schema", "contract").returncode == 0
