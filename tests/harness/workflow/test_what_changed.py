from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest

from pv_harness.board.scoreboard import derive_scoreboard
from pv_harness.contracts.bindings import Check
from pv_harness.contracts.contract import Contract
from pv_harness.contracts.reading import read_falsifier
from pv_harness.documents.loading import load
from pv_harness.evidence.records import RunRecord, Verdict
from pv_harness.fingerprint.building import build_manifest
from pv_harness.fingerprint.sources import SourceTree
from pv_harness.measuring.environment import describe_environment
from pv_harness.workflow.what_changed import describe_changes


if TYPE_CHECKING:
    from tests.harness.conftest import Toy

CONTRACT = "contracts/toy-v1.yaml"
CHECK = Check("FALSIFY-TOY-001", "checks/test_toy.py", 5, "t", "checks/test_toy.py::t")


def git(toy: Toy, *words: str) -> None:
    identity = (
        "-c",
        "user.name=n",
        "-c",
        "user.email=e@x.invalid",
        "-c",
        "commit.gpgsign=false",
    )
    subprocess.run(["git", *identity, *words], cwd=toy.root, check=True, capture_output=True)


def commit(toy: Toy) -> None:
    git(toy, "init", "-q", ".")
    git(toy, "add", "-A")
    git(toy, "commit", "-q", "-m", "measured")


def contract_of(toy: Toy) -> Contract:
    value = load((toy.root / CONTRACT).read_bytes(), CONTRACT).value
    falsifiers = tuple(map(read_falsifier, value["falsifiers"]))
    return Contract("toy-v1", "1.0.0", "t", PurePosixPath(CONTRACT), falsifiers)


def measure(toy: Toy) -> RunRecord:
    """A record of the tree as it is; nothing is run."""
    (falsifier,) = contract_of(toy).falsifiers
    manifest = build_manifest(falsifier, [CHECK], SourceTree(toy.root, [toy.root / "src"]))
    return RunRecord(falsifier.id, Verdict.PASSED, manifest, environment=describe_environment())


def changes_since(toy: Toy, record: RunRecord, *checks: Check) -> tuple[str, ...]:
    tree = SourceTree(toy.root, [toy.root / "src"])
    bound = {CHECK.falsifier_id: checks or (CHECK,)}
    (row,) = derive_scoreboard([contract_of(toy)], bound, [record], [], tree).rows
    return describe_changes(toy.root, row)


def test_nothing_changed_and_nothing_measured_are_nothing_to_tell(toy: Toy) -> None:
    commit(toy)
    assert changes_since(toy, measure(toy)) == ()
    (row,) = derive_scoreboard([contract_of(toy)], {}, [], [], SourceTree(toy.root, [])).rows
    assert describe_changes(toy.root, row) == ()


def test_the_line_is_named_with_what_stood_there(toy: Toy) -> None:
    commit(toy)
    record = measure(toy)
    toy.edit("src/toy/math.py", "    return a + b", "    # summed\n\n    return b + a")
    (told,) = changes_since(toy, record)
    assert told.startswith("src/toy/math.py changed: add; line 8 is 'return b + a', ")
    assert "was 'return a + b' in " in told


def test_a_version_some_commits_ago_is_found(toy: Toy) -> None:
    commit(toy)
    record = measure(toy)
    for count in range(3):
        toy.edit("src/toy/math.py", "a + b", f"a + b + {count} - {count}")
        git(toy, "commit", "-qam", "later")
        toy.edit("src/toy/math.py", f"a + b + {count} - {count}", "a + b")
    toy.edit("src/toy/math.py", "a + b", "b + a")
    (told,) = changes_since(toy, record)
    assert "line 6 is 'return b + a', was 'return a + b'" in told


def test_what_was_added_at_the_end_and_what_was_cut_off(toy: Toy) -> None:
    commit(toy)
    record = measure(toy)
    path = toy.root / "src/toy/math.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(f"{text}\n\nMORE = 1\n", encoding="utf-8")
    (told,) = changes_since(toy, record)
    assert "line 9 is 'MORE = 1', and was not in " in told
    path.write_text('"""Arithmetic."""\n', encoding="utf-8")
    (told,) = changes_since(toy, record)
    assert "the end is gone; was 'def add(a, b):' in " in told


def test_the_fields_of_a_claim_are_named(toy: Toy) -> None:
    commit(toy)
    record = measure(toy)
    toy.edit(CONTRACT, "sum: {eq: 5}", "sum: {le: 5}")
    toy.edit(CONTRACT, "rule: add adds", "rule: add nearly adds")
    (told,) = changes_since(toy, record)
    assert "rule is add nearly adds, was add adds; bounds is sum ≤ 5, was sum = 5 in " in told


def test_a_claim_is_compared_with_the_wording_that_was_measured(toy: Toy) -> None:
    commit(toy)
    record = measure(toy)
    for rule in ("an_older_wording", "a later wording"):
        text = (toy.root / CONTRACT).read_text(encoding="utf-8")
        start, _, rest = text.partition("  rule: ")
        toy.write(CONTRACT, f"{start}  rule: {rule}\n{rest.partition(chr(10))[2]}")
        git(toy, "commit", "-qam", "reworded")
    (told,) = changes_since(toy, record)
    assert "rule is a later wording, was add adds in " in told


@pytest.mark.parametrize(
    "before", ["falsifiers: 3", "- 1", "falsifiers: [{id: FALSIFY-TOY-001}]"]
)
def test_versions_that_were_never_valid_are_passed_over(toy: Toy, before: str) -> None:
    record = measure(toy)
    text = (toy.root / CONTRACT).read_text(encoding="utf-8")
    toy.write(CONTRACT, before)
    commit(toy)
    toy.write(CONTRACT, text.replace("eq: 5", "le: 5"))
    (told,) = changes_since(toy, record)
    parts = "rule, prediction, if_fails, bounds, levels, covers, inputs, seeds"
    assert told == f"the claim changed ({parts}, requires or counted)"


def test_other_checks_are_named(toy: Toy) -> None:
    record = measure(toy)
    more = replace(CHECK, node_id="checks/test_toy.py::test_more")
    told = changes_since(toy, record, CHECK, more)
    assert told == (
        (
            "the set of bound checks changed; bound now: "
            "checks/test_toy.py::t, checks/test_toy.py::test_more"
        ),
    )


def test_without_a_repository_or_a_commit_the_file_alone_is_named(toy: Toy) -> None:
    record = measure(toy)
    toy.edit("src/toy/math.py", "a + b", "b + a")
    assert changes_since(toy, record) == ("src/toy/math.py changed: add",)
    commit(toy)
    assert changes_since(toy, record) == ("src/toy/math.py changed: add",)


def test_without_git_the_file_alone_is_named(
    toy: Toy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    commit(toy)
    record = measure(toy)
    toy.edit("src/toy/math.py", "a + b", "b + a")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert changes_since(toy, record) == ("src/toy/math.py changed: add",)


def test_a_file_that_is_gone_is_named(toy: Toy) -> None:
    commit(toy)
    record = measure(toy)
    (toy.root / "src/toy/math.py").unlink()
    assert "src/toy/math.py is gone" in changes_since(toy, record)
