"""Whether evidence could be stored is known before it is made."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pv_harness.errors import InfrastructureError
from pv_harness.project import load_project
from pv_harness.workflow.storing import refuse_unwritable_store


if TYPE_CHECKING:
    from pathlib import Path


def test_a_store_that_is_there_or_can_be_made_is_fine_and_nothing_is_written(
    tmp_path: Path,
) -> None:
    refuse_unwritable_store(load_project(tmp_path))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "reports/evidence").mkdir(parents=True)
    refuse_unwritable_store(load_project(tmp_path))


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "reports").touch()
    message = (
        "^reports: is no folder, so that no evidence can be stored in reports/evidence; not"
    )
    with pytest.raises(InfrastructureError, match=message):
        refuse_unwritable_store(load_project(tmp_path))


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (
            "reports/evidence",
            "^reports/evidence: may not be written, so that no evidence can be ",
        ),
        (
            "reports",
            "^reports: may not be written, so that no evidence can be stored in reports/",
        ),
    ],
)
def test_a_folder_without_permission_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: str, message: str
) -> None:
    (tmp_path / made).mkdir(parents=True)
    # Root may write everywhere, so that permissions of the folder would say nothing.
    monkeypatch.setattr(os, "access", lambda path, _mode: path != tmp_path / made)
    with pytest.raises(InfrastructureError, match=message):
        refuse_unwritable_store(load_project(tmp_path))
