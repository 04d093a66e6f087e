"""The documents say what is there: layout, links, commands, and nothing of a machine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pv_harness.cli import make_parser
from pv_trainer.commands.parser import make_parser as make_apr_parser


if TYPE_CHECKING:
    import argparse

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    p
    for pattern in ("*.md", "docs/**/*.md", "contracts/**/*.md", "reports/README.md")
    for p in ROOT.glob(pattern)
)
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_layout_is_that_of_the_modules() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "layout.py"), "--check"], check=False
    )
    assert done.returncode == 0, "run: python docs/layout.py"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.name)
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = [t for t in re.findall(r"\]\(([^)]+)\)", text) if "://" not in t]
    missing = [t for t in targets if not (document.parent / t.partition("#")[0]).exists()]
    assert missing == []


def test_the_readme_names_every_folder_that_holds_code() -> None:
    folders = {p.name for p in ROOT.iterdir() if p.is_dir() and not p.name.startswith(".")}
    built = {"runs", "dist", "build"}
    missing = [name for name in folders - built if f"{name}/" not in README]
    assert missing == []


@pytest.mark.parametrize(
    ("command", "parser"), [("pv", make_parser()), ("apr", make_apr_parser())]
)
def test_the_readme_names_every_verb(command: str, parser: argparse.ArgumentParser) -> None:
    action = next(a for a in parser._actions if a.choices)
    missing = [verb for verb in action.choices or () if f"{command} {verb}" not in README]
    assert missing == []


def test_the_readme_names_every_document() -> None:
    missing = [p.name for p in (ROOT / "docs").glob("*.md") if f"(docs/{p.name})" not in README]
    assert missing == []


def test_the_readme_has_the_two_commands_before_anything_else_to_type_here() -> None:
    here = README.partition("## This repository")[2]
    assert [line.split()[:2] for line in here.partition("```\n")[2].splitlines()[:2]] == [
        ["make", "run"],
        ["make", "test"],
    ]
    assert "make run" in README
    assert "make test" in README
