"""`pv diff` through the real command line, on a repository with a history."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pv_harness.evidence.store import append_statement, read_statements
from pv_harness.fingerprint.manifest import Entry, EntryKind, Manifest


if TYPE_CHECKING:
    from tests.harness.conftest import Toy

ID = "FALSIFY-TOY-001"


def git(toy: Toy, *words: str) -> None:
    author = ("-c", "user.name=n", "-c", "user.email=e@example.org")
    subprocess.run(["git", *author, *words], cwd=toy.root, check=True, capture_output=True)


def commit(toy: Toy) -> None:
    git(toy, "add", "-A", "--", ":!reports")
    git(toy, "commit", "-qm", "c")


@pytest.fixture
def history(proven: Toy) -> Toy:
    """A repository that is at its ceiling and committed; its evidence is not."""
    git(proven, "init", "-q", "-b", "main")
    commit(proven)
    return proven


def loosen(toy: Toy) -> None:
    toy.edit("contracts/toy-v1.yaml", "sum: {eq: 5}", "sum: {ge: 5}")


def documents(toy: Toy, *args: str) -> dict[str, Any]:
    done = toy.pv("diff", *args, "--format", "json")
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_an_unchanged_tree_does_not_differ_from_its_commit(history: Toy) -> None:
    done = history.pv("diff", "HEAD", "--fail-on", "any")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "HEAD → this tree\n\n1 falsifier before, 1 now · no difference\n"


def test_a_loosened_bound_is_called_so(history: Toy) -> None:
    loosen(history)
    done = history.pv("diff", "main", "--fail-on", "loosened", "--fail-on", "regression")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "pv: --fail-on loosened: 1 found",
        "pv: --fail-on regression: 1 found",
    ]
    lines = done.stdout.splitlines()
    assert lines[:12] == [
        "main → this tree",
        "",
        "loosened 1  asks for less: something passes that was refuted before",
        f"  {ID}",
        "    bound sum: = 5 → ≥ 5",
        "",
        "versions too low 1  for what changed",
        "  toy-v1",
        f"    1.0.0, should be 2.0.0 (major: {ID}: bound sum loosened)",
        "",
        "newly stale 1  held, and has to be run again",
        f"  {ID}",
    ]
    assert lines[12].startswith("    INTEGRATION/INTEGRATION → STALE(was INTEGRATION, because")
    assert lines[-1] == (
        "1 falsifier before, 1 now · 1 regression · 1 loosened · 1 version too low"
    )
    assert history.pv("diff", "main").returncode == 0


def test_a_rewritten_equation_shows(history: Toy) -> None:
    equation = "equations: {sum: {formula: a + b}}\nfalsifiers:\n"
    history.edit("contracts/toy-v1.yaml", "falsifiers:\n", equation)
    done = history.pv("diff", "HEAD", "--fail-on", "any")
    assert done.returncode == 1
    assert "    equation sum formula: + a + b\n" in done.stdout


def test_the_evidence_decides_how_a_revision_stands(history: Toy) -> None:
    history.edit("src/toy/math.py", "def add(a, b)", "def add(a, b=0)")
    commit(history)
    found = documents(history, "HEAD~1", "HEAD")
    (move,) = found["moves"]
    assert move["course"] == "newly stale"
    assert move["old"] == "INTEGRATION/INTEGRATION"
    assert move["new"].startswith("STALE(was INTEGRATION, because src/toy/math.py changed")
    back = documents(history, "HEAD", "HEAD~1")
    assert [move["course"] for move in back["moves"]] == ["promoted"]


def test_each_thing_to_fail_on_is_found_alone(history: Toy) -> None:
    history.edit("contracts/toy-v1.yaml", "rule: add adds", "rule: add sums up")
    history.edit("contracts/toy-v1.yaml", "version: 1.0.0", "version: 1.0.1")
    codes = {
        name: history.pv("diff", "HEAD", "--fail-on", name).returncode
        for name in ("loosened", "version", "any", "regression")
    }
    # The claim has another text, so that its evidence is of another claim.
    assert codes == {"loosened": 0, "version": 0, "any": 1, "regression": 1}
    history.edit("contracts/toy-v1.yaml", "version: 1.0.1", "version: 1.0.0")
    assert history.pv("diff", "HEAD", "--fail-on", "version").returncode == 1


def test_a_removed_falsifier_counts_as_regression_and_as_loosened(history: Toy) -> None:
    history.edit("contracts/toy-v1.yaml", "id: FALSIFY-TOY-001", "id: FALSIFY-TOY-002")
    history.edit("checks/test_toy.py", "FALSIFY-TOY-001", "FALSIFY-TOY-002")
    for name in ("loosened", "regression"):
        done = history.pv("diff", "HEAD", "--fail-on", name)
        assert done.returncode == 1
        assert f"removed 1  claimed no longer\n  {ID}" in done.stdout


def test_a_scoreboard_file_stands_for_a_revision(history: Toy) -> None:
    board = history.pv("scoreboard", "--format", "json").stdout
    history.write("old.json", board)
    history.write("plain", board)
    assert documents(history, "old.json")["moves"] == []
    assert documents(history, "plain", "old.json")["changes"] == []
    loosen(history)
    found = documents(history, "old.json", ".")
    assert [change["effect"] for change in found["changes"]] == ["loosened"]
    assert found["old"] == {"name": "old.json", "falsifiers": 1}
    assert found["new"] == {"name": "this tree", "falsifiers": 1}


def test_markdown_shows_text_as_text(history: Toy) -> None:
    loosen(history)
    title = '"<script>alert(1)</script> | `x`"'
    history.edit("contracts/toy-v1.yaml", "title: the toy adds", f"title: {title}")
    done = history.pv("diff", "HEAD", "--format", "markdown")
    assert done.returncode == 0
    assert done.stdout.startswith("# HEAD → this tree\n")
    assert "<script>" not in done.stdout
    assert "<del>= 5</del> <ins>≥ 5</ins>" in done.stdout


def test_inputs_that_git_does_not_hold_are_those_of_the_project(toy: Toy) -> None:
    make = "import json; print(json.dumps({'parts': {'text': '.cache/text'}}))"
    toy.edit(
        "pyproject.toml",
        "[tool.pytest",
        f'[tool.pv.inputs]\ntext = ["python", "-c", "{make}"]\n[tool.pytest',
    )
    toy.edit("contracts/toy-v1.yaml", "  covers:", "  inputs: [text]\n  covers:")
    toy.write(".cache/text", "5")
    assert toy.pv("run", "--prove").returncode == 0
    git(toy, "init", "-q", "-b", "main")
    toy.write(".gitignore", ".cache/\n")
    commit(toy)
    assert documents(toy, "HEAD")["moves"] == []
    toy.write(".cache/text", "6")
    assert documents(toy, "HEAD")["moves"] == []  # both sides read the bytes that are there now


def test_no_evidence_brings_a_source_of_today_into_an_older_revision(toy: Toy) -> None:
    """Evidence may be by anybody: what it calls an input must not change an older tree."""
    make = "import json; print(json.dumps({'parts': {'text': '.cache/text'}}))"
    toy.edit(
        "pyproject.toml",
        "[tool.pytest",
        f'[tool.pv.inputs]\ntext = ["python", "-c", "{make}"]\n[tool.pytest',
    )
    toy.edit("contracts/toy-v1.yaml", "  covers:", "  inputs: [text]\n  covers:")
    fallback = "try:\n    from toy._fast import add\nexcept ImportError:\n"
    toy.write("src/toy/math.py", f"{fallback}    def add(a, b):\n        return a + b\n")
    toy.write(".cache/text", "5")
    toy.write(".gitignore", ".cache/\n")
    assert toy.pv("run", "--prove").returncode == 0
    git(toy, "init", "-q", "-b", "main")
    commit(toy)

    folder = toy.root / "reports" / "evidence"
    statement = next(s for s in read_statements(folder) if s.runs)
    parts = (f"text.more={name}" for name in ("src/toy/_fast.py", ".cache"))
    named = (Entry(EntryKind.INPUT, part, "0" * 64) for part in (*parts, "other.x=Makefile"))
    forged = Manifest((*statement.runs[0].manifest.entries, *named))
    run = replace(statement.runs[0], manifest=forged)
    append_statement(folder, replace(statement, runs=(run,), patches=()))
    toy.write("src/toy/_fast.py", "def add(a, b):\n    return a + b\n")
    toy.write("Makefile", "")
    git(toy, "add", "src")
    git(toy, "commit", "-qm", "fast")
    (move,) = documents(toy, "HEAD~1")["moves"]
    assert move["old"] == "INTEGRATION/INTEGRATION"
    assert move["new"].startswith("STALE(")


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("nowhere", "nowhere: neither a git revision nor a file; git says: fatal: "),
        ("missing.json", "missing.json: can't be read: no such file or directory"),
        ("broken.json", "broken.json: is not JSON: "),
        ("deep.json", "deep.json: is not JSON: nested too deeply"),
        ("list.json", "list.json: should be the JSON object of a scoreboard"),
        (
            "old.json",
            "old.json: its format is 'pv-scoreboard/1', it should be 'pv-scoreboard/2'",
        ),
        ("bytes.json", "bytes.json: is not JSON: "),
        ("pipe.json", "pipe.json: can't be read: is a named pipe, it should be a regular file"),
        ("folder.json", "folder.json: can't be read: is a directory"),
        ("HEAD~7", "HEAD~7: neither a git revision nor a file; git says: fatal: "),
    ],
)
def test_what_can_not_be_compared_is_a_usage_error(
    history: Toy, reference: str, message: str
) -> None:
    history.write("broken.json", "{")
    history.write("deep.json", "[" * 200_000)
    history.write("list.json", "[]")
    history.write("old.json", '{"format": "pv-scoreboard/1"}')
    (history.root / "bytes.json").write_bytes(b"\xff\xfe\x00")
    os.mkfifo(history.root / "pipe.json")
    (history.root / "folder.json").mkdir()
    done = history.pv("diff", reference)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_project_without_a_repository_is_a_usage_error(proven: Toy) -> None:
    done = proven.pv("diff", "HEAD")
    assert done.returncode == 2
    assert "not a git repository" in done.stderr


def test_a_revision_with_invalid_contracts_is_named(history: Toy) -> None:
    history.edit("contracts/toy-v1.yaml", "prediction:", "predicton:")
    commit(history)
    history.edit("contracts/toy-v1.yaml", "predicton:", "prediction:")
    done = history.pv("diff", "HEAD")
    assert done.returncode == 2
    assert "HEAD: the contracts of this revision can't be judged:\n" in done.stderr
    assert "contracts/toy-v1.yaml:8:3: PV011" in done.stderr
    assert "pv-diff-" not in done.stderr


def test_since_a_revision_from_before_pv_everything_was_added(proven: Toy) -> None:
    git(proven, "init", "-q", "-b", "main")
    git(proven, "add", "src")
    git(proven, "commit", "-qm", "before pv")
    done = proven.pv("diff", "HEAD", "--fail-on", "regression")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"added 1  new falsifiers\n  {ID}\n" in done.stdout
    assert done.stdout.endswith("0 falsifiers before, 1 now · 1 added\n")


def test_a_revision_with_a_broken_configuration_is_named_and_not_our_folder(
    history: Toy,
) -> None:
    history.edit("pyproject.toml", 'checks = ["checks"]', 'checks = "checks"')
    commit(history)
    history.edit("pyproject.toml", 'checks = "checks"', 'checks = ["checks"]')
    done = history.pv("diff", "HEAD")
    assert done.returncode == 2
    assert "of this revision can't be judged:\npyproject.toml: [tool.pv] checks" in done.stderr


def test_boards_without_a_falsifier_are_nothing_to_compare(history: Toy) -> None:
    empty = {"format": "pv-scoreboard/2", "contracts": [], "falsifiers": []}
    history.write("empty.json", json.dumps(empty))
    done = history.pv("diff", "empty.json", "empty.json")
    assert done.returncode == 2
    assert "neither side has a falsifier" in done.stderr


def test_altered_evidence_is_no_comparison(history: Toy) -> None:
    file = history.evidence()[0]
    file.write_bytes(file.read_bytes().replace(b"payloadType", b"payloadtype"))
    assert history.pv("diff", "HEAD").returncode == 4


def test_nothing_is_left_in_the_temporary_folder(
    history: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = history.root / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    assert history.pv("diff", "HEAD").returncode == 0
    assert list(folder.iterdir()) == []
