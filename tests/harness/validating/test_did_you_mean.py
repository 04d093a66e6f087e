"""Unknown keys, IDs, levels and metrics are answered with the name that was probably meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pv_harness.project import load_project
from pv_harness.validating.validation import validate


if TYPE_CHECKING:
    from tests.harness.conftest import Toy

CONTRACT, CHECK = "contracts/toy-v1.yaml", "checks/test_toy.py"
OTHER = "apiVersion: pv/v1\nid: other-v1\nmetadata: {title: another, with no claim yet}\n"


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        (
            CONTRACT,
            "    INTEGRATION:",
            "    integration:",
            (
                "PV011 FALSIFY-TOY-001: levels.integration is an unknown key; "
                "did you mean 'INTEGRATION'?"
            ),
        ),
        (
            CONTRACT,
            "  if_fails:",
            "  If-Fails:",
            "PV011 FALSIFY-TOY-001: If-Fails is an unknown key; did you mean 'if_fails'?",
        ),
        (
            CONTRACT,
            "{title: the toy adds}",
            "{title: the toy adds, depends_on: [other-v2]}",
            (
                "PV024 depends_on names 'other-v2'; no contract of the project has that id; "
                "did you mean 'other-v1'?"
            ),
        ),
        (
            CHECK,
            "FALSIFY-TOY-001",
            "FALSIFY-TOY-01",
            (
                "PV031 test_two_and_three_make_five is bound to 'FALSIFY-TOY-01'; "
                "no contract declares it; did you mean 'FALSIFY-TOY-001'?"
            ),
        ),
        (
            CONTRACT,
            "toy.cli:main",
            "toy.cli:mian",
            (
                "PV036 FALSIFY-TOY-001: reached 'toy.cli:mian'; src/toy/cli.py "
                "has no top-level function 'mian'; did you mean 'main'?"
            ),
        ),
        (
            CONTRACT,
            '"a - b", expect: sum}',
            '"a - b", expect: sums}',
            (
                "PV055 FALSIFY-TOY-001: minus expects 'sums' to break; bounds has sum; "
                "did you mean 'sum'?"
            ),
        ),
        (
            CONTRACT,
            "  bounds:",
            "  inputs: [Numbers]\n  bounds:",
            (
                "PV042 FALSIFY-TOY-001: input 'Numbers' is not declared in [tool.pv.inputs]; "
                "declared: numbers; did you mean 'numbers'?"
            ),
        ),
        (
            CONTRACT,
            "    PARTIAL: {}",
            "    PARTIAL: {inputs: [number]}\n  inputs: [numbers]",
            (
                "PV043 FALSIFY-TOY-001: level PARTIAL asks for input 'number'; "
                "the falsifier's inputs lack it; did you mean 'numbers'?"
            ),
        ),
    ],
)
def test_a_misspelt_name(toy: Toy, file: str, old: str, new: str, expected: str) -> None:
    settings = '[tool.pv.inputs]\nnumbers = ["echo"]\n[tool.pytest'
    toy.edit("pyproject.toml", "[tool.pytest", settings)
    if "inputs: [numbers]" in new:
        toy.edit(file, '    INTEGRATION: {reached: ["toy.cli:main"]}\n', "")
    toy.edit(file, old, new)
    toy.write("contracts/other-v1.yaml", OTHER)
    report = validate([str(toy.root / "contracts")], load_project(toy.root))
    assert expected in [f"{p.code} {p.message}" for p in report.problems]


def test_many_misspelt_names_are_told_without_guessing(toy: Toy) -> None:
    names = ", ".join(f"other-v{n}" for n in range(2, 40))
    toy.write("contracts/other-v1.yaml", OTHER)
    toy.edit(CONTRACT, "{title: the toy adds}", f"{{title: t, depends_on: [{names}]}}")
    report = validate([str(toy.root / "contracts")], load_project(toy.root))
    found = [p.message for p in report.problems if p.code == "PV024"]
    assert len(found) == 38
    assert ["did you mean" in message for message in found] == [True] * 20 + [False] * 18
