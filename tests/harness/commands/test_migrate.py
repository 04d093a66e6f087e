"""`pv migrate FILE`: the real command line, from a foreign file to a valid contract."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests.harness.validating.foreign.dialects import DIALECTS, KERNEL, TRAINER


if TYPE_CHECKING:
    from tests.harness.conftest import Toy

SMALL = """\
metadata: {version: 1.0.0, status: ACTIVE}
falsification_tests:
- id: FALSIFY-HALF-001
  rule: a half is half
  prediction: 2 * half(x) = x
  if_fails: halves are wrong
"""
NATIVE = """\
# From halves-v1.yaml, by `pv migrate`.
# TODO marks what a person has to say.
apiVersion: pv/v1
id: halves-v1
version: 1.0.0
metadata:
  # TODO: metadata.title; the file has none
  title: "TODO: halves-v1"

falsifiers:
- id: FALSIFY-HALF-001
  rule: a half is half
  prediction: 2 * half(x) = x
  if_fails: halves are wrong
  covers: [TODO]   # TODO: the modules that the claim is about
  bounds: {counterexamples: {eq: 0}}   # TODO: metrics and their bounds
  levels:
    PARTIAL: {}
  # TODO: two planted defects at least, one of them subtle; then remove
  # `counted: false`, which keeps this claim out of every count.
  counted: false
  defects: []
"""


def test_the_native_form_goes_to_standard_output_and_what_is_left_to_the_other(
    toy: Toy,
) -> None:
    toy.write("vendor/halves-v1.yaml", SMALL)
    before = sorted(toy.root.rglob("*"))
    done = toy.pv("migrate", "vendor/halves-v1.yaml")
    assert done.returncode == 0
    assert done.stdout == NATIVE.replace(
        "prediction: 2 * half(x) = x", 'prediction: "2 * half(x) = x"'
    )
    assert done.stderr == (
        "vendor/halves-v1.yaml: save this as halves-v1.yaml\n"
        "\n"
        "left out, since only evidence can say it:\n"
        "  vendor/halves-v1.yaml:1  metadata.status: the typed status 'ACTIVE'\n"
        "\n"
        "left to do, 2 in all:\n"
        "  halves-v1.yaml:7   metadata.title: the file has none\n"
        "  halves-v1.yaml:11  FALSIFY-HALF-001: covers, bounds, a check, two planted defects\n"
    )
    assert sorted(toy.root.rglob("*")) == before


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_what_is_written_validates_beside_the_other_contracts(toy: Toy, name: str) -> None:
    toy.write("vendor/foreign.yaml", DIALECTS[name])
    done = toy.pv("migrate", "vendor/foreign.yaml", "--output", "contracts/new-v1.yaml")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("vendor/foreign.yaml -> contracts/new-v1.yaml\n")
    validated = toy.pv("validate", "contracts")
    assert validated.returncode == 0
    assert "2 files: 2 native, 0 foreign" in validated.stdout
    assert " 0 errors, " in validated.stdout
    assert toy.pv("list").returncode == 0


def test_a_file_that_is_there_is_replaced_only_by_force(toy: Toy) -> None:
    toy.write("vendor/foreign.yaml", KERNEL)
    there = toy.write("contracts/new-v1.yaml", "precious")
    command = ("migrate", "vendor/foreign.yaml", "--output", "contracts/new-v1.yaml")
    done = toy.pv(*command)
    assert (done.returncode, there.read_text()) == (2, "precious")
    assert done.stderr == "pv: contracts/new-v1.yaml: is there already; --force replaces it\n"
    assert toy.pv(*command, "--force").returncode == 0
    assert there.read_text().startswith("# From foreign.yaml, by `pv migrate`.\n")
    assert toy.pv(*command, "--force").returncode == 0  # its own IDs are no collision


def test_a_dangling_link_is_there_too(toy: Toy) -> None:
    toy.write("vendor/foreign.yaml", KERNEL)
    (toy.root / "contracts/new-v1.yaml").symlink_to("nowhere.yaml")
    done = toy.pv("migrate", "vendor/foreign.yaml", "--output", "contracts/new-v1.yaml")
    assert done.returncode == 2
    assert "is there already" in done.stderr


def test_covers_are_written_and_have_to_exist(toy: Toy) -> None:
    toy.write("vendor/foreign.yaml", KERNEL)
    done = toy.pv("migrate", "vendor/foreign.yaml", "--covers", "toy.math", "--covers", "toy")
    assert done.returncode == 0
    assert done.stdout.count("covers: [toy.math, toy]\n") == 2
    assert "FALSIFY-HV-001: bounds, a check," in done.stderr
    done = toy.pv("migrate", "vendor/foreign.yaml", "--covers", "toy.maths")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("pv: the native form would not be valid here: foreign.yaml:")
    assert "PV035 FALSIFY-HV-001: covers 'toy.maths'; no such module below src" in done.stderr


def test_an_id_of_the_project_is_not_given_a_second_meaning(toy: Toy) -> None:
    toy.write("vendor/foreign.yaml", KERNEL.replace("FALSIFY-HV-001", "FALSIFY-TOY-001"))
    done = toy.pv("migrate", "vendor/foreign.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert "PV021 'FALSIFY-TOY-001' is declared twice; first at contracts/toy-v1.yaml" in (
        done.stderr
    )


def test_a_contract_of_the_project_can_be_depended_on(toy: Toy) -> None:
    toy.write("vendor/foreign.yaml", KERNEL.replace("doubling-kernel-v1", "toy-v1"))
    done = toy.pv("migrate", "vendor/foreign.yaml")
    assert "  depends_on:\n  - toy-v1\n" in done.stdout
    assert "depends_on" not in done.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SMALL.replace("metadata", "apiVersion: pv/v1\nmetadata", 1), "has an apiVersion"),
        ("name: build\njobs: {}\n", "no key of a contract in any known dialect"),
        ("- 1\n", "the file is a list of 1; a contract is a mapping"),
        ("a: [", "PV004 not YAML"),
        ("", "PV008 the file is empty"),
    ],
)
def test_what_is_no_foreign_contract_is_refused(toy: Toy, text: str, message: str) -> None:
    toy.write("vendor/foreign.yaml", text)
    done = toy.pv("migrate", "vendor/foreign.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("absent.yaml",), "absent.yaml:1:1: PV001 the file can't be read: no such file"),
        (("vendor",), "vendor:1:1: PV001 the file can't be read: is a directory"),
        (("vendor/pipe",), "PV001 the file can't be read: is a named pipe"),
        (("vendor/f.yaml", "--force"), "--force replaces a file; say which with --output FILE"),
        (
            ("vendor/f.yaml", "--output", "contracts/New_V1.yaml"),
            (
                "--output 'contracts/New_V1.yaml': a contract is called by its ID, lower-case "
                "words joined by hyphens; call it new-v1.yaml"
            ),
        ),
        (("vendor/f.yaml", "--output", "new.txt"), "--output 'new.txt': a contract is a .yaml"),
        (
            ("vendor/f.yaml", "--output", "gone/new.yaml"),
            "gone/new.yaml: its folder does not exist; make it first",
        ),
        ((), "the following arguments are required: FILE"),
    ],
)
def test_every_wrong_command_line_says_what_is_wrong(
    toy: Toy, options: tuple[str, ...], message: str
) -> None:
    toy.write("vendor/f.yaml", TRAINER)
    os.mkfifo(toy.root / "vendor/pipe")
    done = toy.pv("migrate", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_version_is_migrated_as_it_is_written(toy: Toy) -> None:
    toy.write("vendor/f.yaml", TRAINER.replace("version: 1.2.0", "version: 1.10"))
    done = toy.pv("migrate", "vendor/f.yaml")
    assert "\nversion: 1.10.0\n" in done.stdout


def test_a_folder_that_can_not_be_written_is_no_verdict(toy: Toy) -> None:
    toy.write("vendor/f.yaml", TRAINER)
    # Where nobody can make a file, root included.
    done = toy.pv("migrate", "vendor/f.yaml", "--output", "/proc/f-v1.yaml")
    assert done.returncode == 4
    assert done.stderr.startswith("pv: /proc/f-v1.yaml: can't be written: ")


def test_foreign_files_are_judged_with_the_evidence_of_the_project(proven: Toy) -> None:
    text = SMALL.replace("FALSIFY-HALF-001", "FALSIFY-TOY-001")
    proven.write("vendor/halves-v1.yaml", text)
    done = proven.pv("validate", "vendor")
    assert done.returncode == 0
    assert "PV088" not in done.stdout
    assert "PV084 warning: 'FALSIFY-TOY-001' is declared twice" in done.stdout
    assert "1 typed status, 0 without evidence" in done.stdout
    proven.write("vendor/halves-v1.yaml", SMALL)
    assert (
        "PV088 warning: metadata.status types 'ACTIVE'"
        in proven.pv("validate", "vendor").stdout
    )
