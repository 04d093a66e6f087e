"""Where a flag stands: each surface is found, and its absence too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pv_falsifiers import surfaces


if TYPE_CHECKING:
    from pathlib import Path

HELP = """options:
  --init PATH     where from
  --long PATH
                  a word
  --bare PATH
  --on            no value
"""


def test_the_parser_lists_its_own_flags_and_no_other() -> None:
    flags = surfaces.pretrain_flags()
    assert {"--init", "--dataset"} <= flags
    assert "--vocab-size" not in flags


@pytest.mark.parametrize(
    ("flag", "described"),
    [("--init", True), ("--long", True), ("--bare", False), ("--on", False), ("--no", False)],
)
def test_a_flag_is_described_by_its_value_and_a_word(flag: str, *, described: bool) -> None:
    assert surfaces.describes(HELP, flag) is described


def test_flags_are_read_from_commands_in_the_guide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text(
        "--not-a-command\n```\napr pretrain --init x \\\n  --lr 1\n```\n", encoding="utf-8"
    )
    (tmp_path / "docs" / "a.md").write_text(
        "Use `apr pretrain --seed 1` or `apr inspect --json`.", encoding="utf-8"
    )
    monkeypatch.setattr(surfaces, "ROOT", tmp_path)
    assert surfaces.documented_flags() == {"--init", "--lr", "--seed"}


def test_only_tests_that_start_a_process_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tests = tmp_path / "tests" / "trainer"
    tests.mkdir(parents=True)
    body = 'def test_it():\n    run("--init")\ndef make():\n    run("--init")\n'
    (tests / "test_a.py").write_text(f"import subprocess\n{body}", encoding="utf-8")
    (tests / "test_b.py").write_text(body, encoding="utf-8")
    monkeypatch.setattr(surfaces, "ROOT", tmp_path)
    assert surfaces.tests_that_pass("--init") == ["test_a.py::test_it"]
