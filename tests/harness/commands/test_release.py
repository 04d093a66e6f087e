"""`pv release` through the real command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest


if TYPE_CHECKING:
    from tests.harness.conftest import Toy

RELEASE = """\
apiVersion: pv/v1
kind: release
id: release-v1
version: 1.0.0
metadata: {title: The toy is out}
requires:
- {falsifier: FALSIFY-TOY-001, level: INTEGRATION}
steps:
- {id: add, title: sums are right, falsifiers: [FALSIFY-TOY-001], command: pv run --prove}
- {id: publish, title: it is out, falsifiers: [toy-v1], command: make out, needs: [add]}
"""


def with_release(toy: Toy, old: str = "", new: str = "") -> Toy:
    toy.write("contracts/release-v1.yaml", RELEASE.replace(old, new) if old else RELEASE)
    return toy


def test_a_release_of_which_all_is_shown_is_satisfied(proven: Toy) -> None:
    done = with_release(proven).pv("release")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(
        "1 of 1 requirements met (100 %) · 2 of 2 steps done\n"
        "next: nothing, all steps are done\n"
    )


def test_what_was_never_measured_is_unknown_and_its_step_is_next(toy: Toy) -> None:
    done = with_release(toy).pv("release")
    assert done.returncode == 3
    assert "  next     add      sums are right\n" in done.stdout
    assert "  blocked  publish  it is out\n           ↳ needs add\n" in done.stdout
    assert done.stdout.endswith("next: add, sums are right: pv run --prove\n")


def test_what_is_not_written_yet_is_named_and_in_the_denominator(proven: Toy) -> None:
    with_release(proven, "requires:\n", "requires:\n- {falsifier: LATER-001, level: PARTIAL}\n")
    done = proven.pv("release")
    assert done.returncode == 3
    assert "no contract declares it yet (1): LATER-001" in done.stdout
    assert "1 of 2 requirements met (50 %) · 1 of them not written yet" in done.stdout


def test_a_level_that_is_not_reached_is_denied(proven: Toy) -> None:
    done = with_release(proven, "level: INTEGRATION", "level: DISCHARGED").pv("release")
    assert done.returncode == 1
    assert "INTEGRATION is below DISCHARGED: its ceiling is INTEGRATION" in done.stdout


def test_altered_evidence_is_exit_4(proven: Toy) -> None:
    file = with_release(proven).evidence()[0]
    file.write_bytes(file.read_bytes()[:-2] + b" \n")
    assert proven.pv("release").returncode == 4


def test_the_formats_say_the_same(proven: Toy) -> None:
    with_release(proven)
    document = json.loads(proven.pv("release", "--format", "json").stdout)
    assert document["counts"] == {"met": 1, "required": 1, "percent": 100, "not_written": 0}
    shown = proven.pv("release", "--format", "markdown").stdout
    assert shown.startswith("# The toy is out\n\nrelease-v1 1.0.0: 1 of 1 requirements met")
    assert "| add: sums are right | done |" in shown


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "needs: [add]",
            "needs: [ad]",
            "PV071 the step 'publish' needs 'ad', which is no step; did",
        ),
        ("make out, needs: [add]", "m, needs: [publish]", "PV072 steps wait for each other"),
        ("id: publish", "id: add", "PV070 the step 'add' is given twice; first at line 9"),
        ("level: INTEGRATION", "level: 90 %", "PV010 requires[0].level is '90 %'"),
        ("metadata", "percent: 90\nmetadata", "5:1: PV011 percent is an unknown key"),
    ],
)
def test_an_invalid_release_is_exit_2_for_itself_and_for_validate(
    proven: Toy, old: str, new: str, problem: str
) -> None:
    with_release(proven, old, new)
    for args in (["release"], ["validate", "contracts"]):
        done = proven.pv(*args)
        assert done.returncode == 2
        assert f"{problem}" in done.stdout + done.stderr
    # An invalid file among the contracts means that nothing is judged by them.
    assert proven.pv("gate").returncode == 2


def test_validate_counts_a_release_apart_and_not_as_a_contract(toy: Toy) -> None:
    done = with_release(toy).pv("validate", "contracts")
    assert done.returncode == 0
    assert "2 files: 1 native, 0 foreign, 1 release · 1 falsifier" in done.stdout
    assert toy.pv("validate", "contracts/release-v1.yaml").returncode == 0


def test_a_file_can_be_given_and_has_to_be_where_there_are_two(proven: Toy) -> None:
    none = proven.pv("release")
    assert none.returncode == 2
    assert "contracts: no file of `kind: release` there; give a FILE" in none.stderr
    with_release(proven)
    proven.write("contracts/release-v2.yaml", RELEASE.replace("release-v1", "release-v2"))
    both = proven.pv("release")
    assert both.returncode == 2
    assert "2 files of `kind: release`; give one of contracts/release-v1.yaml" in both.stderr
    assert proven.pv("release", "contracts/release-v2.yaml").returncode == 0
    gone = proven.pv("release", "contracts/release-v3.yaml")
    assert (gone.returncode, "PV001" in gone.stderr) == (2, True)
