from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from tests.harness.conftest import Toy


def test_a_good_one_shows_claim_evidence_and_what_was_planted(proven: Toy) -> None:
    done = proven.pv("explain", "FALSIFY-TOY-001")
    assert done.returncode == 0
    for text in (
        "FALSIFY-TOY-001 INTEGRATION/INTEGRATION\n",
        "  contract        toy-v1 1.0.0, contracts/toy-v1.yaml:6\n",
        "  checks          checks/test_toy.py::test_two_and_three_make_five\n",
        "  ✓ sum 5 (= 5)\n",
        "  ✓ reached toy.cli:main in a subprocess\n",
        "  ✓ off-by-one KILLED\n",
        "  ✓ control swapped GREEN\n",
    ):
        assert text in done.stdout


def test_a_metric_that_no_bound_names_is_told_beside_the_one_that_was_meant(toy: Toy) -> None:
    toy.edit(
        "checks/test_toy.py", 'measure("sum", int(done.stdout))', 'measure("sums", 5, "m")'
    )
    done = toy.pv("run")
    assert done.returncode == 4
    told = " ".join(done.stdout.split())
    assert (
        "no check measured sum, which the contract bounds; it measured sums; did you mean sum?"
        " → pv explain FALSIFY-TOY-001" in told
    )
    explained = toy.pv("explain", "FALSIFY-TOY-001").stdout
    assert "  measured besides sums 5 m\n" in explained
    assert "correct the check, or what it needs; then pv run --prove" in explained


def test_a_value_in_another_unit_is_an_error_that_names_both(toy: Toy) -> None:
    toy.edit("contracts/toy-v1.yaml", "sum: {eq: 5}", "sum: {eq: 5, unit: nats}")
    toy.edit("checks/test_toy.py", "int(done.stdout))", 'int(done.stdout), "bits")')
    done = toy.pv("run")
    assert done.returncode == 4
    assert "    sum was measured in bits, the bound is in nats\n" in done.stdout
    assert "  measured besides sum 5 bits\n" in toy.pv("explain", "FALSIFY-TOY-001").stdout
    toy.edit("checks/test_toy.py", '"bits"', '"nats"')
    assert toy.pv("run", "--prove").returncode == 0


def test_a_check_that_can_not_be_collected_is_told_with_the_line_that_says_why(
    toy: Toy,
) -> None:
    toy.edit("checks/test_toy.py", "import pytest\n", "import nowhere\nimport pytest\n")
    done = toy.pv("run")
    assert done.returncode == 4
    told = " ".join(done.stdout.split())
    assert "by pytest: ModuleNotFoundError: No module named 'nowhere' → pv explain" in told


def test_a_stale_one_names_the_line_and_the_one_command(proven: Toy) -> None:
    for words in (
        ("init", "-q", "."),
        ("add", "-A", "src", "contracts"),
        ("-c", "user.name=n", "-c", "user.email=e@x.invalid", "commit", "-qm", "measured"),
    ):
        subprocess.run(["git", *words], cwd=proven.root, check=True, capture_output=True)
    proven.edit("src/toy/math.py", "def add(a, b)", "def add(a, b=0)")
    done = proven.python("-m", "pv_harness", "explain", "FALSIFY-TOY-001", columns=80)
    assert done.returncode == 3
    text = " ".join(done.stdout.split())
    assert "FALSIFY-TOY-001 STALE(was INTEGRATION)" in text
    assert "src/toy/math.py changed: add; line 4 is 'def add(a, b=0):'," in text
    assert "was 'def add(a, b):' in " in text
    assert text.endswith("to change that pv run --prove FALSIFY-TOY-001")
    assert all(len(line) <= 80 for line in done.stdout.splitlines())


def test_a_refuted_one_shows_what_the_check_printed(toy: Toy) -> None:
    toy.edit("src/toy/cli.py", "print(add(", "print(1 + add(")
    assert toy.pv("run").returncode == 1
    done = toy.pv("explain", "FALSIFY-TOY-001")
    assert done.returncode == 1
    assert "  ✗ sum 6 (= 5)\n" in done.stdout
    assert "why not higher  sum is 6, but must be = 5" in done.stdout
    assert "correct code, check or claim; then pv run --prove FALSIFY-TOY-001" in done.stdout


def test_a_bare_assert_is_told_with_the_command_that_failed_and_its_last_words(
    toy: Toy,
) -> None:
    toy.edit("src/toy/cli.py", "print(add(", "raise SystemExit('no such sum') or print(add(")
    toy.edit(
        "checks/test_toy.py", 'measure("sum"', 'assert done.returncode == 0\n    measure("sum"'
    )
    done = toy.pv("run")
    assert done.returncode == 1
    assert "    AssertionError: assert done.returncode == 0\n" in done.stdout
    explained = toy.pv("explain", "FALSIFY-TOY-001").stdout
    assert "    the check ran: python -m toy 2 3: exit code 1\n" in explained
    assert "      | no such sum\n" in explained


def test_a_command_that_failed_is_no_matter_where_the_check_passes(toy: Toy) -> None:
    toy.edit(
        "checks/test_toy.py", 'measure("sum"', 'cli("python", "-c", "1 / 0"); measure("sum"'
    )
    assert toy.pv("run", "--prove").returncode == 0
    assert "the check ran" not in toy.pv("explain", "FALSIFY-TOY-001").stdout


def test_several_are_explained_one_after_another(toy: Toy) -> None:
    done = toy.pv("explain", "toy-v1", "FALSIFY-*")
    assert done.returncode == 3
    assert done.stdout.count("FALSIFY-TOY-001 NOT_RUN") == 1
    assert "to change that  pv run --prove FALSIFY-TOY-001" in done.stdout


def test_an_unknown_id_and_none_at_all_end_with_2(toy: Toy) -> None:
    done = toy.pv("explain", "FALSIFY-NO-001")
    assert (done.returncode, done.stdout) == (2, "")
    assert "FALSIFY-NO-001" in done.stderr
    assert toy.pv("explain").returncode == 2


def test_altered_evidence_ends_with_4(proven: Toy) -> None:
    file = proven.evidence()[0]
    file.write_bytes(file.read_bytes()[:-20])
    done = proven.pv("explain", "FALSIFY-TOY-001")
    assert done.returncode == 4
    assert "Traceback" not in done.stderr
