from __future__ import annotations

import json
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from tests.harness.conftest import Toy

PLACE = "contracts/toy-v1.yaml"


def spoil(toy: Toy) -> None:
    toy.edit(PLACE, '"a + b + 1"', '"a + b"')


def test_problems_as_json(toy: Toy) -> None:
    spoil(toy)
    done = toy.pv("validate", "contracts", "--format", "json")
    assert (done.returncode, done.stderr) == (2, "")
    read = json.loads(done.stdout)
    assert read["counts"]["errors"] == len(read["problems"]) == 1
    (problem,) = read["problems"]
    assert (problem["path"], problem["line"], problem["code"]) == (PLACE, 17, "PV053")
    assert problem["remedy"]


def test_problems_as_sarif(toy: Toy) -> None:
    spoil(toy)
    done = toy.pv("validate", "contracts", "--format", "sarif")
    assert done.returncode == 2
    (run,) = json.loads(done.stdout)["runs"]
    (result,) = run["results"]
    assert result["ruleId"] == "PV053"
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == PLACE
    assert place["region"]["startLine"] == 17


def test_problems_as_annotations(toy: Toy) -> None:
    spoil(toy)
    done = toy.pv("validate", "contracts", "--format", "github")
    assert done.returncode == 2
    first, last = done.stdout.splitlines()
    assert first.startswith(f"::error file={PLACE},line=17,col=")
    assert ",title=PV053::" in first
    assert last.startswith("1 file: 1 native")


def test_a_sound_project_has_no_problem_in_any_format(toy: Toy) -> None:
    for name in ("text", "json", "sarif", "github"):
        done = toy.pv("validate", "contracts", "--format", name)
        assert (done.returncode, done.stderr) == (0, ""), name
    assert toy.pv("validate", "contracts", "--format", "xml").returncode == 2
