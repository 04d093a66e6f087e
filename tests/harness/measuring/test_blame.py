"""An assertion refutes if it is the check's; the subject's own shows that something broke."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.evidence.store import read_statements


if TYPE_CHECKING:
    from tests.harness.conftest import Toy

SUBJECT = """\
def add(a, b):
    return a + b


def refuse(a):
    assert isinstance(a, str), "bad input"


def call(function):
    function()
"""
HELPER = """\
def hold(value, least=9):
    assert value >= least, "too little"
"""
HEAD = """\
import sys

import pytest

import toy.math


def fail_here():
    assert False, "no"


def installed():
    sys.path.insert(0, ".venv/lib/site-packages")
    import theirs

    return theirs.hold
"""
CHECK = """

@pytest.mark.falsifies("FALSIFY-TOY-{number:03}")
def test_{number}(measure, hold_in_conftest):
    measure("sum", {value})
    {body}
"""
FIXTURE = "@pytest.fixture\ndef hold_in_conftest():\n    return hold\n"
BLAMED = "src/toy/math.py:6: an assertion of the subject, not of the check, failed: "
CASES = [
    ("toy.math.refuse(5)", 5, "ERROR", f"{BLAMED}AssertionError: bad input"),
    (
        "toy.math.call(lambda: toy.math.refuse(5))",
        5,
        "ERROR",
        f"{BLAMED}AssertionError: bad input",
    ),
    (
        "assert toy.math.add(2, 2) == 5",
        5,
        "FAILED",
        "AssertionError: assert toy.math.add(2, 2) == 5",
    ),
    ("toy.math.call(fail_here)", 5, "FAILED", "AssertionError: no"),
    (
        "from shared.helper import hold; hold(1)",
        5,
        "FAILED",
        "AssertionError: too little",
    ),
    ("hold_in_conftest(1)", 5, "FAILED", "AssertionError: too little"),
    ("installed()(1)", 5, "FAILED", "AssertionError: too little"),
    ("pytest.fail('no')", 5, "FAILED", "Failed: no"),
    (
        "with pytest.raises(ValueError): toy.math.add(1, 2)",
        5,
        "FAILED",
        "Failed: DID NOT RAISE ValueError",
    ),
    # A broken bound refutes, whoever asserts afterwards.
    ("toy.math.refuse(5)", 6, "FAILED", "[FALSIFY-TOY-010] sum is 6, but must be = 5"),
]


def test_an_assertion_refutes_unless_it_is_the_subject_s_own(toy: Toy) -> None:
    toy.edit("pyproject.toml", '["src"]', '["src", "."]')
    toy.write("src/toy/math.py", SUBJECT)
    toy.write("checks/shared/helper.py", HELPER)
    toy.write(".venv/lib/site-packages/theirs.py", HELPER)
    toy.write("conftest.py", f"import pytest\n\n\n{HELPER}\n\n{FIXTURE}")
    contract = (toy.root / "contracts/toy-v1.yaml").read_text()
    head, claim = contract.split("falsifiers:\n")
    claims, checks = [head, "falsifiers:\n"], [HEAD]
    for number, (body, value, _, _) in enumerate(CASES, 1):
        claims.append(claim.replace("TOY-001", f"TOY-{number:03}"))
        checks.append(CHECK.format(number=number, value=value, body=body))
    toy.write("contracts/toy-v1.yaml", "".join(claims))
    toy.write("checks/test_toy.py", "".join(checks))
    done = toy.pv("run")
    (statement,) = read_statements(toy.root / "reports" / "evidence")
    found = {r.falsifier_id: (r.verdict.value, r.reason.split("\n")[0]) for r in statement.runs}
    assert list(found.values()) == [(verdict, said) for _, _, verdict, said in CASES]
    assert BLAMED in " ".join(done.stdout.split())
