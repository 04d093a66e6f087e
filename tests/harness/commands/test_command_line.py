"""What all verbs have in common, through the real command line: usage, help, exit codes."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pv_harness.cli import make_parser
from pv_harness.commands import VERBS


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness.conftest import Toy

ROOT = Path(__file__).resolve().parents[3]
ID = "FALSIFY-TOY-001"
WAIVER = """\
apiVersion: pv/v1
kind: policy
policies:
  merge:
    require:
    - {pattern: "*", level: ceiling}
waivers:
- id: WAIVE-001
  falsifier: FALSIFY-TOY-001
  reason: a
  owner: the owner
  issue: '#5'
  created: 2026-01-01
"""


def assert_refused(done: subprocess.CompletedProcess[str], code: int, text: str) -> None:
    assert done.returncode == code, done.stdout + done.stderr
    assert text in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def empty(toy: Toy, tmp_path: Path) -> Toy:
    """A folder that knows nothing of pv."""
    (tmp_path / "empty").mkdir()
    return type(toy)(tmp_path / "empty")


def in_folder(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pv_harness", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "harness")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_a_verb_the_verbs_are_listed(empty: Toy) -> None:
    done = empty.pv()
    assert_refused(done, 2, "pv: name a VERB")
    assert done.stdout == ""
    assert all(f"\n    {verb}" in done.stderr for verb in VERBS)


@pytest.mark.parametrize(
    "words",
    [("run",), ("scoreboard",), ("list",), ("gate",), ("validate",), ("explain", "X")],
)
def test_where_there_is_no_project_the_way_to_one_is_named(
    empty: Toy, words: tuple[str, ...]
) -> None:
    assert_refused(empty.pv(*words), 2, "contracts: no contract to judge; `pv init` makes a")
    assert list(empty.root.iterdir()) == []


def test_checks_without_any_contract_are_told_the_same(toy: Toy) -> None:
    (toy.root / "contracts/toy-v1.yaml").unlink()
    assert_refused(toy.pv("list"), 2, "pv: contracts: no contract to judge; `pv init` makes a")


def test_validate_without_a_path_judges_contracts_and_policy_from_any_folder(
    toy: Toy,
) -> None:
    done = in_folder(toy.root / "src", "validate")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("1 file: 1 native")
    toy.write("pv-policy.yaml", WAIVER)
    done = in_folder(toy.root / "src", "validate")
    assert done.returncode == 2
    assert "pv-policy.yaml:8:3: PV012" in done.stdout
    assert "2 files: 1 native" in done.stdout


@pytest.mark.parametrize(
    ("words", "usage"),
    [
        (("prove", ID, "--format", "json"), "usage: pv prove "),
        (("scoreboard", "--out", "x"), "usage: pv scoreboard "),
        (("evidence", "list", "--frm"), "usage: pv evidence list "),
        (("evidence", "gc", "--keep", "1", "--dry"), "usage: pv evidence gc "),
    ],
)
def test_an_unknown_or_shortened_option_shows_the_usage_of_its_verb(
    toy: Toy, words: tuple[str, ...], usage: str
) -> None:
    done = toy.pv(*words)
    assert_refused(done, 2, "unrecognized arguments: --")
    assert done.stderr.startswith(usage)
    assert not (toy.root / "x").exists()


def options(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for verb in action.choices.values():
                yield from options(verb)
        else:
            yield action


@pytest.mark.parametrize("verb", VERBS)
def test_every_argument_has_a_help_text(verb: str) -> None:
    parser = make_parser([verb])
    without = [a.dest for a in options(parser) if not a.help]
    assert without == []


def test_the_help_lists_every_exit_code(empty: Toy) -> None:
    text = empty.pv("list", "--help").stdout
    assert all(f"\n  {code}  " in text for code in (0, 1, 2, 3, 4, 130, 141))


def test_a_reader_that_goes_away_ends_it_quietly(proven: Toy) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as gone:
        done = subprocess.run(
            [sys.executable, "-m", "pv_harness", "list"],
            cwd=proven.root,
            env={**os.environ, "PYTHONPATH": str(ROOT / "harness")},
            stdout=gone,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (141, "")


def test_waivers_of_an_invalid_policy_file_are_left_out_with_a_word(proven: Toy) -> None:
    proven.write("pv-policy.yaml", WAIVER)
    told = (
        "pv: no waiver is applied, since the policy file is invalid: pv-policy.yaml:8:3: PV012"
    )
    for words in (("scoreboard",), ("run",), ("explain", ID), ("run", "--dry-run")):
        done = proven.pv(*words)
        assert told in done.stderr, words
        assert done.returncode == 0
    proven.write("pv-policy.yaml", WAIVER + "  expires: 2026-02-01\n")
    assert proven.pv("scoreboard").stderr == ""
    (proven.root / "pv-policy.yaml").unlink()
    (proven.root / "pv-policy.yaml").mkdir()
    done = proven.pv("scoreboard")
    assert (
        "pv: no waiver is applied: pv-policy.yaml: can't be read: is a directory" in done.stderr
    )


def test_the_board_is_shown_although_the_report_can_not_be_written(proven: Toy) -> None:
    (proven.root / "reports" / "scoreboard.md").unlink()
    (proven.root / "reports" / "scoreboard.md" / "in-the-way").mkdir(parents=True)
    done = proven.pv("run")
    assert_refused(done, 4, "scoreboard.md: the report can't be written")
    assert "measured 0 of 1 falsifiers, 1 had fresh evidence" in done.stdout
    assert "1 of 1 at their ceiling" in done.stdout
    assert "written:" not in done.stdout


@pytest.mark.parametrize("words", [("run",), ("prove",)])
def test_a_store_that_can_not_be_written_is_noticed_before_the_measuring(
    toy: Toy, words: tuple[str, ...]
) -> None:
    toy.edit(
        "checks/test_toy.py", "    done = cli", "    open('seen', 'w').close()\n    done = cli"
    )
    toy.write("reports", "a file where a folder should be\n")
    done = toy.pv(*words)
    assert_refused(done, 4, "reports")
    assert not (toy.root / "seen").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_store_without_permission_is_noticed_before_the_measuring(proven: Toy) -> None:
    folder = proven.root / "reports" / "evidence"
    folder.chmod(0o555)
    try:
        done = proven.pv("run", "--again")
    finally:
        folder.chmod(0o755)
    assert_refused(done, 4, "reports/evidence: may not be written, so that no evidence can be")
    assert "nothing was measured" in done.stderr


@pytest.mark.parametrize(
    ("count", "named"), [(2, f"{ID} FALSIFY-TOY-002"), (4, "'FALSIFY-TOY-00*'")]
)
def test_the_remedy_of_rows_that_are_told_as_one_can_be_typed(
    toy: Toy, count: int, named: str
) -> None:
    contract = (toy.root / "contracts/toy-v1.yaml").read_text()
    entry = contract.partition("falsifiers:\n")[2]
    check = (toy.root / "checks/test_toy.py").read_text()
    for number in range(2, count + 1):
        new = f"FALSIFY-TOY-{number:03}"
        contract += entry.replace(ID, new)
        toy.write(f"checks/test_{number}.py", check.replace(ID, new))
    toy.write("contracts/toy-v1.yaml", contract)
    toy.edit("src/toy/cli.py", "print(add(", "print(1 + add(")
    done = toy.pv("run")
    assert f"→ pv explain {named}\n" in done.stdout
    words = shlex.split(named)
    assert toy.pv("explain", *words).stdout.count("sum is 6, but must be = 5") >= count


def test_a_dry_run_with_nothing_due_ends_as_the_board_does(proven: Toy) -> None:
    done = proven.pv("run", "--dry-run")
    assert done.returncode == 0
    assert "would measure 0 of 1 falsifiers, 1 had fresh evidence" in done.stdout
    assert proven.pv("run", "--dry-run", "--again").returncode == 3
    proven.edit("contracts/toy-v1.yaml", '"a + b + 1"', '"a + b + 2"')
    assert proven.pv("run", "--dry-run").returncode == 3  # measured, and not proven
