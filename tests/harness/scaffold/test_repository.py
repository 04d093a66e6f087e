"""What `pv init` would make of a folder, and what it leaves alone."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

import pytest

from pv_harness.errors import UsageError
from pv_harness.project import load_project
from pv_harness.scaffold.changes import Action, Change, write_changes
from pv_harness.scaffold.repository import plan_repository, survey_repository


if TYPE_CHECKING:
    from pathlib import Path


def plan(root: Path, name: str | None = None) -> dict[str, Change]:
    return {c.name: c for c in plan_repository(survey_repository(root, name))}


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(text.encode())


def test_an_empty_folder_gets_everything(tmp_path: Path) -> None:
    changes = plan(tmp_path / "my-loop")
    assert {change.action for change in changes.values()} == {Action.CREATE}
    assert list(changes) == [
        "pyproject.toml",
        "contracts/my-loop-v1.yaml",
        "contracts/contract-v1.schema.json",
        "checks/test_my_loop_v1.py",
        "src/my_loop/__init__.py",
        "src/my_loop/fit.py",
        "src/my_loop/cli.py",
        "src/my_loop/__main__.py",
        "pv-policy.yaml",
        ".github/workflows/pv.yml",
        ".gitignore",
    ]
    assert not (tmp_path / "my-loop").exists()


def test_what_was_made_is_not_made_again(tmp_path: Path) -> None:
    found = survey_repository(tmp_path)
    write_changes(found.root, plan_repository(found))
    again = plan(tmp_path)
    assert {change.action for change in again.values()} == {Action.KEEP}
    assert again["contracts"].note == "has contracts, so that no example is needed"


def test_no_placeholder_is_left(tmp_path: Path) -> None:
    for folder in ("empty", "package"):
        write(tmp_path, "package/pkg/__init__.py", "import math\n")
        for change in plan(tmp_path / folder).values():
            assert not re.search("@[A-Z]+@", change.text), change.name


def test_a_package_that_is_there_is_what_the_claim_is_about(tmp_path: Path) -> None:
    write(tmp_path, "pyproject.toml", '[project]\nname = "Nano.GPT"\n')
    write(tmp_path, "src/nano/model.py", "import torch\nclass GPT: ...\n")
    write(tmp_path, "src/nano/__init__.py", '"""Nano."""\n')
    changes = plan(tmp_path)
    contract = changes["contracts/nano-gpt-v1.yaml"].text
    assert "covers: [nano.model]" in contract
    assert 'find: "import torch"' in contract
    assert "file: src/nano/model.py" in contract
    assert "import nano.model" in changes["checks/test_nano_gpt_v1.py"].text
    assert not any(name.startswith("src/") for name in changes)


def test_a_folder_of_programs_gets_a_package_beside_them(tmp_path: Path) -> None:
    write(tmp_path, "train.py", "for step in range(10):\n    print(step)\n")
    changes = plan(tmp_path, "loop")
    assert "loop/fit.py" in changes
    assert 'source_roots = ["."]' in changes["pyproject.toml"].text


def test_folders_that_are_configured_are_used(tmp_path: Path) -> None:
    table = '[tool.pv]\ncontracts = ["claims"]\nchecks = ["quality"]\nsource_roots = ["lib"]\n'
    write(tmp_path, "pyproject.toml", table + 'policy = "ci/gate.yaml"\nreports = "out"\n')
    changes = plan(tmp_path, "loop")
    names = {name for name, change in changes.items() if change.action is Action.CREATE}
    assert {"claims/loop-v1.yaml", "quality/test_loop_v1.py", "lib/loop/fit.py"} <= names
    assert "ci/gate.yaml" in names
    assert changes["pyproject.toml"].action is Action.KEEP
    assert changes[".gitignore"].text == "out/\n*.key.pem\n"
    assert "run: pv validate --format github\n" in changes[".github/workflows/pv.yml"].text


@pytest.mark.parametrize(
    ("before", "gap"),
    [
        ('[project]\nname = "x"\n', "\n"),
        ('[project]\nname = "x"', "\n\n"),
        ('[project]\r\nname = "x"\r\n', "\r\n"),
        ("", ""),
        ("# only a comment\n[tool.ruff]\n", "\n"),
    ],
)
def test_the_table_goes_behind_what_is_there(tmp_path: Path, before: str, gap: str) -> None:
    write(tmp_path, "pyproject.toml", before)
    change = plan(tmp_path)["pyproject.toml"]
    assert change.action is Action.EXTEND
    assert change.text.startswith(f"{before}{gap}[tool.pv]")
    newline = "\r\n" if "\r\n" in before else "\n"
    assert change.text.count("\n") == change.text.count(newline)
    old, new = tomllib.loads(before), tomllib.loads(change.text)
    new["tool"].pop("pv")
    assert new == {"tool": {}, **old}


def test_the_table_that_is_written_says_what_was_so_before(tmp_path: Path) -> None:
    write(tmp_path, "src/pkg/__init__.py", "import math\n")
    before = load_project(tmp_path)
    write_changes(tmp_path, plan(tmp_path).values())
    assert load_project(tmp_path) == before


def test_a_table_that_can_not_be_added_is_left_to_the_author(tmp_path: Path) -> None:
    write(tmp_path, "pyproject.toml", "tool = {ruff = {}}\n")
    message = "[tool.pv] can't be put at its end; add the table by hand"
    with pytest.raises(UsageError, match=re.escape(message)):
        plan(tmp_path)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, "reports/\n*.key.pem\n"),
        ("*.pyc\n", "*.pyc\nreports/\n*.key.pem\n"),
        ("*.pyc", "*.pyc\nreports/\n*.key.pem\n"),
        ("/reports\n", "/reports\n*.key.pem\n"),
        ("reports/\n*.key.pem\n", None),
    ],
)
def test_reports_are_ignored_once(
    tmp_path: Path, before: str | None, after: str | None
) -> None:
    if before is not None:
        write(tmp_path, ".gitignore", before)
    change = plan(tmp_path)[".gitignore"]
    assert (change.text or None) == after


def test_a_dangling_link_is_something_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "pv-policy.yaml").symlink_to("nowhere")
    assert plan(tmp_path)["pv-policy.yaml"].action is Action.KEEP


def test_the_subject_is_installed_where_pip_can(tmp_path: Path) -> None:
    workflow = ".github/workflows/pv.yml"
    install = "- run: python -m pip install --editable ."
    assert install not in plan(tmp_path)[workflow].text
    write(tmp_path, "pyproject.toml", '[project]\nname = "x"\n')
    assert install in plan(tmp_path)[workflow].text


def test_a_contract_file_that_is_configured_and_absent_is_named(tmp_path: Path) -> None:
    write(tmp_path, "pyproject.toml", '[tool.pv]\ncontracts = ["claims.yaml"]\n')
    message = "make it with `pv new FALSIFY-LOOP-001 --contract claims.yaml --covers MODULE`"
    with pytest.raises(UsageError, match=re.escape(message)):
        plan(tmp_path, "loop")


@pytest.mark.parametrize(
    ("name", "message"), [("--", "--name '--': holds no letter or digit"), ("", "--name ''")]
)
def test_a_name_of_no_letters_is_refused(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        survey_repository(tmp_path, name)


def test_a_file_is_no_repository(tmp_path: Path) -> None:
    write(tmp_path, "file", "")
    with pytest.raises(UsageError, match="is a file; give the folder of a repository"):
        survey_repository(tmp_path / "file")
