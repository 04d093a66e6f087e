from __future__ import annotations

import io
import os
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from pv_harness import cli
from pv_harness.user_cache import find_cache_folder
from pv_harness.validating import validation
from pv_harness.workflow import recalled_answers
from pv_harness.workflow.kept_answers import Answer, Folder, Ground, keep_answer
from pv_harness.workflow.recalled_answers import (
    find_caches,
    recall_answer,
    request_of,
    seal_entry,
)


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.harness.conftest import Toy

    from pv_harness.validating.report import Report

ANSWER = Answer("1 file: fine\n", 0)
LATER_NS = 3_600_000_000_000


@pytest.fixture
def caches(tmp_path: Path) -> Path:
    return tmp_path / "caches"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for name in ("a.yaml", "b.yaml", "below/c.yaml", "note.txt", ".hidden/d.yaml"):
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{name}\n")
    return root


def ground(tree: Path) -> Ground:
    folders = (Folder(str(tree), (".yaml",)),)
    return Ground(folders, (str(tree / "note.txt"), str(tree / "absent.toml")))


def keep(
    caches: Path, tree: Path, *, started_ns: int | None = None, by_content: bool = False
) -> bool:
    when = time.time_ns() + LATER_NS if started_ns is None else started_ns
    return keep_answer(
        caches, "request", ground(tree), ANSWER, started_ns=when, by_content=by_content
    )


def test_an_answer_is_given_again_while_nothing_changes(caches: Path, tree: Path) -> None:
    assert recall_answer(str(caches), "request") is None
    assert keep(caches, tree)
    assert recall_answer(str(caches), "request") == ANSWER
    assert recall_answer(str(caches), "another request") is None


def overwrite_in_place(tree: Path) -> None:
    """The same size and the same time, so that only the time that nobody can set differs."""
    file = tree / "a.yaml"
    facts = file.stat()
    with file.open("r+") as stream:
        stream.write("A")
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def replace_by_a_twin(tree: Path) -> None:
    facts = (tree / "a.yaml").stat()
    twin = tree / "twin.txt"
    twin.write_text("A.yaml\n")
    os.utime(twin, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    twin.replace(tree / "a.yaml")


def link_elsewhere(tree: Path) -> None:
    (tree / "a.yaml").unlink()
    (tree / "a.yaml").symlink_to(tree / "b.yaml")


def make_a_folder_of_it(tree: Path) -> None:
    (tree / "note.txt").unlink()
    (tree / "note.txt").mkdir()


CHANGES: dict[str, Callable[[Path], object]] = {
    "other bytes, size and time as before": overwrite_in_place,
    "another file in its place": replace_by_a_twin,
    "a link in its place": link_elsewhere,
    "a file below": lambda tree: (tree / "below/c.yaml").write_text("other\n"),
    "a file more": lambda tree: (tree / "below/e.yaml").touch(),
    "a file less": lambda tree: (tree / "b.yaml").unlink(),
    "another name": lambda tree: (tree / "b.yaml").rename(tree / "z.yaml"),
    "a file that is named": lambda tree: (tree / "note.txt").write_text("other\n"),
    "a file that was absent": lambda tree: (tree / "absent.toml").touch(),
    "a folder in place of a file": make_a_folder_of_it,
    "a mode": lambda tree: (tree / "a.yaml").chmod(0o600),
    "no folder": lambda tree: tree.rename(tree.with_name("moved")),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_nothing_that_an_answer_rests_on_changes_unnoticed(
    caches: Path, tree: Path, change: Callable[[Path], object]
) -> None:
    assert keep(caches, tree)
    change(tree)
    assert recall_answer(str(caches), "request") is None


@pytest.mark.parametrize("name", ["other.txt", ".hidden/d.yaml", "below/other.txt"])
def test_what_no_answer_rests_on_may_change(caches: Path, tree: Path, name: str) -> None:
    assert keep(caches, tree)
    (tree / name).write_text("other\n")
    assert recall_answer(str(caches), "request") == ANSWER


def test_a_file_that_changed_shortly_before_is_no_ground(caches: Path, tree: Path) -> None:
    assert not keep(caches, tree, started_ns=time.time_ns())
    assert recall_answer(str(caches), "request") is None


def test_so_is_one_that_changed_meanwhile_or_in_the_future(caches: Path, tree: Path) -> None:
    os.utime(tree / "a.yaml", ns=(0, time.time_ns() + 2 * LATER_NS))
    assert not keep(caches, tree)


def test_a_file_that_came_and_went_meanwhile_leaves_its_folder_changed(
    caches: Path, tree: Path
) -> None:
    os.utime(tree / "below", ns=(0, time.time_ns() + 2 * LATER_NS))
    assert not keep(caches, tree)


def test_an_answer_by_content_stands_when_only_times_change(caches: Path, tree: Path) -> None:
    assert keep(caches, tree, by_content=True)
    os.utime(tree / "a.yaml")
    assert recall_answer(str(caches), "request") == ANSWER
    overwrite_in_place(tree)
    assert recall_answer(str(caches), "request") is None


def entry_of(caches: Path) -> Path:
    (entry,) = caches.glob("answers-*.marshal")
    return entry


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda _: b"",
    "half of it": lambda data: data[: len(data) // 2],
    "one letter": lambda data: data.replace(b"fine", b"evil"),
    "no digest": lambda data: data.partition(b"\n")[2],
    "bytes of no text": lambda data: b"\xff" + data,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_answer_is_none(
    caches: Path, tree: Path, damage: Callable[[bytes], bytes]
) -> None:
    assert keep(caches, tree)
    entry = entry_of(caches)
    entry.write_bytes(damage(entry.read_bytes()))
    assert recall_answer(str(caches), "request") is None


def test_another_pv_gives_other_answers(
    caches: Path, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "rule.py").write_text("one\n")
    monkeypatch.setattr(recalled_answers, "_PACKAGE", str(package))
    assert keep(caches, tree)
    assert recall_answer(str(caches), "request") == ANSWER
    (package / "rule.py").write_text("two\n")
    assert recall_answer(str(caches), "request") is None


def test_an_entry_that_another_python_wrote_is_none(
    caches: Path, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert keep(caches, tree)
    monkeypatch.setattr(sys, "version", "3.99")
    assert recall_answer(str(caches), "request") is None


def test_an_entry_that_others_can_write_to_is_none(caches: Path, tree: Path) -> None:
    assert keep(caches, tree)
    entry_of(caches).chmod(0o666)
    assert recall_answer(str(caches), "request") is None


def test_an_entry_that_is_no_regular_file_is_none(caches: Path, tree: Path) -> None:
    assert keep(caches, tree)
    entry = entry_of(caches)
    entry.unlink()
    os.mkfifo(entry)
    assert recall_answer(str(caches), "request") is None


def test_an_entry_of_another_shape_is_none(caches: Path, tree: Path) -> None:
    assert keep(caches, tree)
    for value in (None, 1, "text", (), ("request", 1, 2, 3, 4, 5), {"request": 1}):
        entry_of(caches).write_bytes(seal_entry(value))
        assert recall_answer(str(caches), "request") is None


def test_a_folder_that_others_can_write_to_keeps_nothing(caches: Path, tree: Path) -> None:
    caches.mkdir()
    caches.chmod(0o777)
    keep(caches, tree)
    assert recall_answer(str(caches), "request") is None


def test_folders_that_lead_to_each_other_are_looked_into_once(caches: Path, tree: Path) -> None:
    (tree / "below/again").symlink_to(tree)
    assert keep(caches, tree)
    assert recall_answer(str(caches), "request") == ANSWER


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Time enough since the last change, a cache of this test's own, and a pv that is still."""
    now_ns = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now_ns() + LATER_NS)
    monkeypatch.setenv("PV_CACHE_DIR", str(tmp_path / "caches"))
    package = tmp_path / "package"
    package.mkdir()
    monkeypatch.setattr(recalled_answers, "_PACKAGE", str(package))


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A word for each time that somebody judged."""
    seen: list[str] = []
    real = validation._judge

    def judge(*args: Any, **named: Any) -> Report:
        seen.append("judged")
        return real(*args, **named)

    monkeypatch.setattr(validation, "_judge", judge)
    return seen


@pytest.mark.usefixtures("clock")
def test_pv_validate_judges_once_and_says_it_twice(
    toy: Toy, judged: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["validate", "--root", str(toy.root), str(toy.root / "contracts")]
    assert cli.main(arguments) == 0
    first = capsys.readouterr().out
    assert cli.main(arguments) == 0
    assert capsys.readouterr().out == first
    assert judged == ["judged"]


EDITS: dict[str, Callable[[Toy], object]] = {
    "a contract": lambda toy: toy.edit("contracts/toy-v1.yaml", "add adds", "it adds"),
    "a new contract": lambda toy: toy.write("contracts/x.yaml", "["),
    "a check": lambda toy: toy.edit("checks/test_toy.py", "TOY-001", "TOY-002"),
    "a new check": lambda toy: toy.write("checks/test_more.py", "def (falsifies"),
    "the subject": lambda toy: toy.edit("src/toy/math.py", "a + b", "b + a"),
    "a module less": lambda toy: (toy.root / "src/toy/math.py").unlink(),
    "the configuration": lambda toy: toy.edit("pyproject.toml", '"src"', '"lib"'),
    "evidence": lambda toy: toy.write("reports/evidence/x.intoto.jsonl", "{"),
}


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_pv_validate_judges_again_whatever_was_edited(
    toy: Toy, capsys: pytest.CaptureFixture[str], edit: Callable[[Toy], object]
) -> None:
    arguments = ["validate", "--root", str(toy.root), str(toy.root / "contracts")]
    cli.main(arguments)
    capsys.readouterr()
    edit(toy)
    answers = []
    for extra in ([], ["--no-cache"]):
        code = cli.main([*arguments, *extra])
        answers.append((code, *capsys.readouterr()))
    assert answers[0] == answers[1]


FOREIGN = """\
metadata: {version: 1.0.0, depends_on: [specs/other-v1]}
falsification_tests:
- id: F-1
  prediction: x == 1
  test: "pytest tests/test_named.py::test_it"
"""
FOREIGN_EDITS: dict[str, Callable[[Toy], object]] = {
    "the file itself": lambda toy: toy.edit("contracts/strange.yaml", "x == 1", "fine"),
    "the test that it names": lambda toy: toy.edit("tests/test_named.py", "test_it", "test_x"),
    "another file of that name, nearer by": lambda toy: toy.write(
        "contracts/tests/test_named.py", "def test_other(): 0"
    ),
    "no test": lambda toy: (toy.root / "tests/test_named.py").unlink(),
    "a folder in place of the test": lambda toy: (toy.root / "tests").rename(toy.root / "t"),
    "the contract that it builds on": lambda toy: toy.write("specs/other-v1.yml", "a: b"),
    "a repository nearer by": lambda toy: (toy.root / "contracts/.git").mkdir(),
}


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("edit", FOREIGN_EDITS.values(), ids=FOREIGN_EDITS)
def test_so_it_does_with_what_foreign_files_name(
    toy: Toy,
    judged: list[str],
    capsys: pytest.CaptureFixture[str],
    edit: Callable[[Toy], object],
) -> None:
    toy.write("contracts/strange.yaml", FOREIGN)
    toy.write("tests/test_named.py", "def test_it(): 0")
    arguments = ["validate", "--root", str(toy.root), str(toy.root / "contracts")]
    first = cli.main(arguments), *capsys.readouterr()
    assert (cli.main(arguments), *capsys.readouterr()) == first
    assert judged == ["judged"]
    edit(toy)
    answers = []
    for extra in ([], ["--no-cache"]):
        code = cli.main([*arguments, *extra])
        answers.append((code, *capsys.readouterr()))
    assert answers[0] == answers[1] != first


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("option", ["--no-cache", "--explain"])
def test_some_answers_are_not_kept(
    toy: Toy, judged: list[str], option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["validate", "--root", str(toy.root), str(toy.root / "contracts"), option]
    assert (cli.main(arguments), cli.main(arguments)) == (0, 0)
    assert len(judged) == 2
    assert capsys.readouterr().out.count("1 file: 1 native") == 2


@pytest.mark.usefixtures("clock")
def test_hash_knows_a_file_by_its_bytes(
    toy: Toy, judged: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["validate", "--root", str(toy.root), str(toy.root / "contracts"), "--hash"]
    cli.main(arguments)
    os.utime(toy.root / "contracts/toy-v1.yaml")
    cli.main(arguments)
    assert len(judged) == 1
    toy.edit("contracts/toy-v1.yaml", "  rule: add", "  ruel: add")
    assert cli.main(arguments) == 2
    assert "did you mean 'rule'?" in capsys.readouterr().out


@pytest.mark.usefixtures("clock")
def test_answers_in_other_formats_are_other_answers(
    toy: Toy, judged: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["validate", "--root", str(toy.root), str(toy.root / "contracts")]
    cli.main(arguments)
    cli.main([*arguments, "--format", "json"])
    assert len(judged) == 2
    assert '"format": "pv-problems/1"' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--jobs", "0"], "pv: --jobs is 0; it should be at least 1\n"),
        (
            ["--hash", "--no-cache"],
            "pv: --hash says how to know what is kept; --no-cache keeps nothing\n",
        ),
    ],
)
def test_options_that_make_no_sense_are_refused(
    toy: Toy, options: list[str], message: str
) -> None:
    done = toy.pv("validate", "contracts", *options)
    assert (done.returncode, done.stderr) == (2, message)


@pytest.mark.parametrize(
    "options", [["--jobs", "1"], ["--jobs", "3"], ["--no-cache"], ["--hash"]]
)
def test_every_way_says_the_same(toy: Toy, options: list[str]) -> None:
    expected = toy.pv("validate", "contracts")
    done = toy.pv("validate", "contracts", *options)
    assert expected.returncode == 0
    assert (done.stdout, done.stderr) == (expected.stdout, expected.stderr)


def test_what_an_answer_depends_on_beside_files_is_in_the_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def request(words: tuple[str, ...] = ("validate",), fast: str | None = None) -> str | None:
        return request_of(words, {} if fast is None else {"PV_FAST": fast})

    first = request()
    assert request() == first
    others = [request(("validate", "--hash")), request(fast="0")]
    monkeypatch.setattr(time, "time", lambda: 4_000_000_000.0)
    others.append(request())
    monkeypatch.chdir(tmp_path)
    others.append(request())
    assert len({first, *others}) == 5


def test_a_folder_that_is_gone_has_no_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tmp_path.rmdir()
    assert request_of(["validate"], {}) is None


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"PV_CACHE_DIR": "", "HOME": "/h"},
        {"PV_CACHE_DIR": "/c", "XDG_CACHE_HOME": "/x"},
        {"XDG_CACHE_HOME": "/x", "HOME": "/h"},
        {"HOME": "/h"},
    ],
)
def test_both_ways_to_the_cache_folder_lead_to_one(environment: dict[str, str]) -> None:
    expected = find_cache_folder(environment)
    assert find_caches(environment) == (None if expected is None else str(expected))


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_an_answer_is_given_again_in_any_encoding(
    toy: Toy, judged: list[str], monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    arguments = ["validate", "--root", str(toy.root), str(toy.root / "contracts")]
    printed = []
    for _ in range(2):
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", stream)
            assert cli.main(arguments) == 0
        stream.flush()
        printed.append(stream.buffer.getvalue())
    assert judged == ["judged"]
    assert printed[0] == printed[1]
    assert b"1 native" in printed[0]
