"""What changed since the last release, on the page that a run writes."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from pv_harness.board.html.comparison import NotCompared, Since
from pv_harness.project import load_project
from pv_harness.workflow.declared import read_board, read_declared
from pv_harness.workflow.since_release import since_last_release


if TYPE_CHECKING:
    from pathlib import Path

WHO = ("-c", "user.name=t", "-c", "user.email=t@example.org")
CONTRACT = "contracts/toy-v1.yaml"
BOUND = "bounds: {sum: {eq: 5}}"


def git(root: Path, *words: str) -> None:
    subprocess.run(["git", *WHO, *words], cwd=root, check=True, capture_output=True)


def release(root: Path, name: str, *also: str) -> None:
    """Commit everything but what is derived, and tag it."""
    if not (root / ".git").exists():
        git(root, "init", "-q")
        (root / ".gitignore").write_text("reports/*\n", encoding="utf-8")
    git(root, "add", ".")
    for path in also:
        git(root, "add", "-f", path)
    git(root, "commit", "-q", "--allow-empty", "-m", name)
    git(root, "tag", name)


def compared(root: Path, **options: Any) -> Since | NotCompared:
    project = load_project(root)
    return since_last_release(project, read_board(read_declared(project)), **options)


def changes_of(found: Since | NotCompared) -> list[str]:
    assert isinstance(found, Since), found
    told = [f"{c.effect.value} {c.subject} {c.difference}" for c in found.comparison.changes]
    return told + [f"{m.course.value} {m.falsifier}" for m in found.comparison.moves]


def test_a_run_says_on_its_page_that_there_is_no_release(proven: Any) -> None:
    release(proven.root, "latest")
    done = proven.pv("run")
    assert done.returncode == 0, done.stderr
    page = (proven.root / "reports/index.html").read_text(encoding="utf-8")
    assert "What changed since the last release" in page
    assert "There is no release yet: no tag is called after a version" in page


def test_a_run_outside_of_git_says_that_none_is_known(proven: Any) -> None:
    done = proven.pv("run")
    assert done.returncode == 0, done.stderr
    page = (proven.root / "reports/index.html").read_text(encoding="utf-8")
    assert "No release is known: no git repository" in page


def test_a_run_shows_what_was_loosened_since_the_release(proven: Any) -> None:
    release(proven.root, "v1.0.0")
    proven.edit(CONTRACT, BOUND, "bounds: {sum: {ge: 5}}")
    proven.pv("run", "--prove")
    page = (proven.root / "reports/index.html").read_text(encoding="utf-8")
    assert "What changed since v1.0.0" in page
    assert "1 loosened" in page
    assert "Claims alone are compared, since it holds no scoreboard." in page
    assert "pv diff v1.0.0" in page


def test_a_page_that_is_asked_for_has_it_too(proven: Any) -> None:
    release(proven.root, "v1.0.0")
    proven.edit(CONTRACT, BOUND, "bounds: {sum: {ge: 5}}")
    whole = proven.pv("scoreboard", "--format", "html")
    assert "What changed since v1.0.0" in whole.stdout
    part = proven.pv("scoreboard", "FALSIFY-TOY-001", "--format", "html")
    assert "What changed since" not in part.stdout, "the others would seem to be removed"


def test_nothing_but_the_tree_changed(proven: Any) -> None:
    release(proven.root, "v1.0.0")
    proven.write("README.md", "new")
    release(proven.root, "later")
    found = compared(proven.root)
    assert isinstance(found, Since)
    assert found.name == "v1.0.0"
    assert found.comparison.is_empty
    assert found.unknown == "it holds no scoreboard"


def test_a_scoreboard_in_the_release_tells_how_each_stood(proven: Any) -> None:
    release(proven.root, "v1.0.0", "reports/scoreboard.json")
    proven.edit("src/toy/math.py", "a + b", "a - b")
    found = compared(proven.root)
    assert changes_of(found) == ["newly stale FALSIFY-TOY-001"]
    assert isinstance(found, Since)
    assert found.unknown == ""


def test_the_claims_are_those_of_the_release_whatever_its_scoreboard_says(proven: Any) -> None:
    proven.edit(CONTRACT, BOUND, "bounds: {sum: {eq: 5, unit: apples}}")
    release(proven.root, "v1.0.0", "reports/scoreboard.json")
    proven.edit(CONTRACT, "{eq: 5, unit: apples}", "{ge: 5, unit: apples}")
    assert "loosened FALSIFY-TOY-001 bound sum: = 5 apples → ≥ 5 apples" in changes_of(
        compared(proven.root)
    )


def test_a_contract_that_is_new_or_gone_is_told(proven: Any) -> None:
    release(proven.root, "v1.0.0")
    text = (proven.root / CONTRACT).read_text(encoding="utf-8")
    (proven.root / CONTRACT).unlink()
    proven.write(
        "contracts/new-v1.yaml", text.replace("TOY-001", "NEW-001").replace("toy-v1", "new-v1")
    )
    proven.edit("checks/test_toy.py", "TOY-001", "NEW-001")
    assert changes_of(compared(proven.root)) == [
        "removed FALSIFY-TOY-001 falsifier removed: add adds",
        "added FALSIFY-NEW-001 falsifier added: add adds",
    ]


def test_from_before_there_was_a_contract_all_is_new(proven: Any) -> None:
    text = (proven.root / CONTRACT).read_text(encoding="utf-8")
    (proven.root / CONTRACT).unlink()
    release(proven.root, "v1.0.0")
    proven.write(CONTRACT, text)
    release(proven.root, "later")
    assert changes_of(compared(proven.root)) == [
        "added FALSIFY-TOY-001 falsifier added: add adds"
    ]


@pytest.mark.parametrize(
    "broken",
    [
        "apiVersion: pv/v1\nfalsifiers: 5\n",
        "apiVersion: pv/v1\nid: x\nversion: 1.0.0\nmetadata: {title: x}\nfalsifiers: [{}]\n",
    ],
)
def test_a_contract_that_can_not_be_read_is_no_error(proven: Any, broken: str) -> None:
    text = (proven.root / CONTRACT).read_text(encoding="utf-8")
    proven.write(CONTRACT, broken)
    release(proven.root, "v1.0.0")
    proven.write(CONTRACT, text)
    done = proven.pv("run")
    assert done.returncode == 0, done.stderr
    page = (proven.root / "reports/index.html").read_text(encoding="utf-8")
    assert "The contracts of v1.0.0 can" in page


@pytest.mark.parametrize(
    "broken", ["[1, 2", "{}", '{"format": "pv-scoreboard/2"}', "[" * 99_999]
)
def test_a_scoreboard_that_can_not_be_read_is_as_none(proven: Any, broken: str) -> None:
    proven.write("reports/scoreboard.json", broken)
    release(proven.root, "v1.0.0", "reports/scoreboard.json")
    proven.edit(CONTRACT, "add adds", "add adds two numbers")
    found = compared(proven.root)
    assert isinstance(found, Since)
    assert found.unknown == "its scoreboard can't be read"
    assert len(changes_of(found)) == 1


@pytest.mark.parametrize(
    "other", ["- not\n- a mapping\n", "kind: release\n", "5", "{", "a: \x01"]
)
def test_other_files_beside_the_contracts_are_passed_over(proven: Any, other: str) -> None:
    proven.write("contracts/other.yaml", other)
    release(proven.root, "v1.0.0")
    (proven.root / "contracts/other.yaml").unlink()
    found = compared(proven.root)
    assert isinstance(found, Since)
    assert found.comparison.is_empty


def test_a_large_scoreboard_is_left_to_pv_diff(
    proven: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pv_harness.workflow.since_release.MAX_BOARD_BYTES", 100)
    release(proven.root, "v1.0.0", "reports/scoreboard.json")
    release(proven.root, "later")
    found = compared(proven.root)
    assert isinstance(found, Since)
    assert found.unknown == "its scoreboard is too large for a run"


def test_more_than_a_run_should_read_is_left_to_pv_diff(proven: Any) -> None:
    release(proven.root, "v1.0.0")
    proven.edit(CONTRACT, BOUND, "bounds: {sum: {ge: 5}}")
    found = compared(proven.root, max_bytes=100)
    assert found == NotCompared(
        "The contracts have changed too much since v1.0.0 to tell it in a run.", "v1.0.0"
    )


def test_a_project_below_the_root_of_its_repository(proven: Any, tmp_path: Path) -> None:
    proven.root.rename(tmp_path / "inner")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "inner")
    git(tmp_path, "commit", "-q", "-m", "x")
    git(tmp_path, "tag", "v1.0.0")
    contract = tmp_path / "inner" / CONTRACT
    contract.write_text(contract.read_text("utf-8").replace("{eq: 5}", "{le: 5}"), "utf-8")
    assert any("loosened" in told for told in changes_of(compared(tmp_path / "inner")))


def test_a_name_in_the_release_is_only_a_name(proven: Any) -> None:
    release(proven.root, "v1.0.0")
    git(proven.root, "tag", "$(id)/`x`;v2.0.0")
    proven.edit(CONTRACT, "add adds", "add adds two numbers")
    page = proven.pv("scoreboard", "--format", "html").stdout
    assert "pv diff v1.0.0" in page or "pv diff &#x27;$(id)/`x`;v2.0.0&#x27;" in page
