"""`pv new ID`: the real command line, from an entry that is red to one that is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest


if TYPE_CHECKING:
    from tests.harness.conftest import Toy

NEW = "FALSIFY-TOY-002"


def test_a_new_falsifier_is_valid_and_red(toy: Toy) -> None:
    done = toy.pv("new", NEW)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "extended  contracts/toy-v1.yaml           declares FALSIFY-TOY-002\n"
        "created   checks/test_falsify_toy_002.py  its check, which fails until it is written\n"
        "\n"
        "next:\n"
        "  contracts/toy-v1.yaml:20          say what must hold, and plant defects\n"
        "  checks/test_falsify_toy_002.py:7  measure it\n"
        "  pv run FALSIFY-TOY-002            red until then\n"
    )
    validated = toy.pv("validate", "contracts")
    assert validated.returncode == 0
    assert "2 falsifiers, 2 bound to 2 checks" in validated.stdout
    assert (
        "contracts/toy-v1.yaml:21:9: PV015 warning: FALSIFY-TOY-002: rule, prediction, "
        "if_fails still to be written: TODO; say what must hold\n" in validated.stdout
    )
    run = toy.pv("run", NEW)
    assert run.returncode == 1
    assert "not written yet: measure what the contract bounds" in run.stdout


def test_a_check_that_only_measures_is_still_no_pass(toy: Toy) -> None:
    toy.pv("new", NEW)
    toy.edit(
        "checks/test_falsify_toy_002.py",
        'pytest.fail("not written yet: measure what the contract bounds")',
        'measure("counterexamples", 0)',
    )
    assert toy.pv("run", "--prove", NEW).returncode == 2  # nothing counted was judged


def test_once_it_is_written_it_counts(toy: Toy) -> None:
    toy.pv("new", NEW)
    toy.edit(
        "checks/test_falsify_toy_002.py",
        '    pytest.fail("not written yet: measure what the contract bounds")',
        "    from toy.math import add\n"
        '    measure("counterexamples", sum(add(n, 0) != n for n in range(9)))',
    )
    contract = "contracts/toy-v1.yaml"
    toy.edit(contract, "  counted: false\n", "")
    toy.edit(
        contract,
        "  defects: []\n",
        "  defects:\n"
        "  - {id: one-more, file: src/toy/math.py, find: a + b, replace: a + b + 1, "
        "expect: counterexamples}\n"
        "  - {id: never-odd, file: src/toy/math.py, find: a + b, replace: (a + b) // 2 * 2, "
        "expect: counterexamples}\n",
    )
    done = toy.pv("run", "--prove", NEW)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_evidence_of_other_claims_stays_fresh(proven: Toy) -> None:
    proven.pv("new", NEW)
    assert proven.pv("gate", "FALSIFY-TOY-001").returncode == 0


def test_a_dry_run_changes_nothing(toy: Toy) -> None:
    before = {p: p.read_bytes() for p in toy.root.rglob("*") if p.is_file()}
    done = toy.pv("new", NEW, "--dry-run")
    assert done.returncode == 0
    assert done.stdout.splitlines()[0].startswith("would extend  contracts/toy-v1.yaml")
    assert "next:" not in done.stdout
    assert {p: p.read_bytes() for p in toy.root.rglob("*") if p.is_file()} == before


def test_a_contract_of_its_own(toy: Toy) -> None:
    words = ("--contract", "contracts/data-v1.yaml", "--covers", "toy.cli")
    done = toy.pv("new", "FALSIFY-DATA-001", *words, "--covers", "toy.math")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("created   contracts/data-v1.yaml")
    assert toy.pv("validate", "contracts").returncode == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("FALSIFY-DATA-001",),
            "contracts/toy-v1.yaml say, or a new one, contracts/data-v1.yaml",
        ),
        (("no-id",), "'no-id' is no ID"),
        (("FALSIFY-TOY-001",), "take FALSIFY-TOY-002"),
        ((NEW, "--covers", "toy.maths"), "did you mean toy.math?"),
        ((NEW, "--contract", "x.yaml"), "lies outside the folders of contracts"),
        ((), "the following arguments are required: ID"),
    ],
)
def test_what_can_not_be_added_is_a_usage_error(
    toy: Toy, words: tuple[str, ...], message: str
) -> None:
    done = toy.pv("new", *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_invalid_contracts_come_first(toy: Toy) -> None:
    toy.edit("contracts/toy-v1.yaml", "prediction:", "predicton:")
    done = toy.pv("new", NEW)
    assert done.returncode == 2
    assert "did you mean 'prediction'" in done.stderr
    assert not (toy.root / "checks/test_falsify_toy_002.py").exists()
