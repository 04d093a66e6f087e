"""A small project whose contract has no problem, and copies of it to spoil."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pv_harness.project import Project, load_project


EXAMPLE = Path(__file__).parent / "project"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root = tmp_path / "project"
    shutil.copytree(EXAMPLE, root)
    return load_project(root)
