"""What the reports of a project are called."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pv_harness.workflow.reports import page_title


if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ('[project]\nname = "tiny-lm"\n', "Scoreboard of tiny-lm"),
        ("[project]\nname = 3\n", "Scoreboard"),
        ("project = 3\n", "Scoreboard"),
        ("", "Scoreboard"),
    ],
)
def test_the_page_has_the_name_of_the_project(text: str, title: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    assert page_title(tmp_path) == title


def test_without_a_name_it_has_none(tmp_path: Path) -> None:
    assert page_title(tmp_path) == "Scoreboard"
