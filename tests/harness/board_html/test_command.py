"""The page as the command line makes it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Callable

    Parse = Callable[[str], Any]


def test_the_page_is_written_with_the_code_of_the_check(proven: Any, parse: Parse) -> None:
    done = proven.pv("scoreboard", "--format", "html=out/index.html")
    assert done.returncode == 0, done.stderr
    text = parse((proven.root / "out/index.html").read_text(encoding="utf-8")).text
    assert "1 of 1 falsifiers at their ceiling" in text
    assert "def test_two_and_three_make_five(measure, cli):" in text
    assert "-     return a + b" not in text, "the defect changes a part of the line"
    assert "- a + b" in text
    assert "What changed since the last release" in text
    assert "No release is known: no git repository" in text


def test_a_run_leaves_the_page_among_the_reports(proven: Any, parse: Parse) -> None:
    page = (proven.root / "reports/index.html").read_text(encoding="utf-8")
    assert "FALSIFY-TOY-001" in parse(page).text


def test_since_shows_what_changed_from_a_scoreboard(proven: Any, parse: Parse) -> None:
    proven.pv("scoreboard", "--format", "json=old.json")
    proven.edit("contracts/toy-v1.yaml", "bounds: {sum: {eq: 5}}", "bounds: {sum: {ge: 5}}")
    done = proven.pv("scoreboard", "--format", "html", "--since", "old.json")
    assert done.returncode == 3, "stale"
    text = parse(done.stdout).text
    assert "What changed since old.json" in text
    assert "loosened" in text
    assert "newly stale" in text


def test_since_takes_a_revision(proven: Any, parse: Parse) -> None:
    git = ("git", "-c", "user.name=t", "-c", "user.email=t@example.org")
    for command in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "x"), ("tag", "v1")):
        subprocess.run([*git, *command], cwd=proven.root, check=True, capture_output=True)
    done = proven.pv("scoreboard", "--format", "html", "--since", "v1")
    assert done.returncode == 0, done.stderr
    assert "Nothing: every claim and every status is as it was" in parse(done.stdout).text


def test_since_without_a_page_is_refused(toy: Any) -> None:
    done = toy.pv("scoreboard", "--since", "v1")
    assert done.returncode == 2
    assert "--since v1: only --format html shows it; pv diff prints it" in done.stderr


def test_since_something_unknown_is_refused(toy: Any) -> None:
    done = toy.pv("scoreboard", "--format", "html", "--since", "no-such")
    assert done.returncode == 2
    assert "no-such: neither a git revision nor a file" in done.stderr
