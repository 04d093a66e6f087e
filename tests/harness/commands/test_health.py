"""`pv health` through the real command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest


if TYPE_CHECKING:
    from tests.harness.conftest import Toy

ID = "FALSIFY-TOY-001"
SECOND = """\
- id: FALSIFY-TOY-002
  rule: r
  prediction: p
  if_fails: f
  covers: [toy.math]
  bounds: {sum: {eq: 5}}
  levels: {PARTIAL: {}}
  defects:
  - {id: minus, file: src/toy/math.py, find: "a + b", replace: "a - b", expect: sum}
  - {id: off-by-one, file: src/toy/math.py, find: "a + b", replace: "a + b + 1", expect: sum}
"""


def test_a_proven_project_has_nothing_to_look_at(proven: Toy) -> None:
    done = proven.pv("health", "--strict")
    assert (done.returncode, done.stderr) == (0, "")
    last = " ".join(done.stdout.splitlines()[-2:])
    assert "0 of 1 falsifier with something to look at · 0 findings, 0 pieces" in last
    assert "from 1 run and 3 planted changes" in last
    assert f"  {ID}  " in done.stdout


def test_strict_denies_what_is_more_than_advice(proven: Toy) -> None:
    proven.edit("contracts/toy-v1.yaml", "  controls:", "  # controls:")
    proven.edit("contracts/toy-v1.yaml", "  - {id: swapped", "  # - {id: swapped")
    advice = proven.pv("health", "--strict")
    assert advice.returncode == 0
    assert "no control: 1 of 1 (advice)" in advice.stdout
    contract = proven.root / "contracts/toy-v1.yaml"
    contract.write_text(contract.read_text() + SECOND)
    found = proven.pv("health")
    assert (found.returncode, "never ran: 1 of 2" in found.stdout) == (0, True)
    assert proven.pv("health", "--strict").returncode == 1


def test_json_is_for_programs(proven: Toy) -> None:
    done = proven.pv("health", ID, "--format", "json", "--slowest", "1")
    document = json.loads(done.stdout)
    assert (done.returncode, document["format"]) == (0, "pv-health/1")
    assert [timing["falsifier"] for timing in document["slowest"]] == [ID]


def test_old_evidence_is_a_concern_from_the_age_that_is_asked_for(proven: Toy) -> None:
    assert "old evidence" not in proven.pv("health", "--older-than", "1").stdout
    done = proven.pv("health", "--older-than", "0")
    assert (done.returncode, "0 is not at least 1" in done.stderr) == (2, True)


@pytest.mark.parametrize("form", ["text", "json"])
def test_without_evidence_there_is_nothing_to_look_at(toy: Toy, form: str) -> None:
    done = toy.pv("health", "--format", form)
    assert done.returncode == 2
    assert "no evidence about any of 1 falsifier; `pv run --prove` makes some" in done.stderr


def test_a_name_that_means_nothing_is_a_usage_error(proven: Toy) -> None:
    done = proven.pv("health", "FALSIFY-TOY-01")
    assert (done.returncode, "did you mean" in done.stderr) == (2, True)


def test_altered_evidence_says_nothing_about_health(proven: Toy) -> None:
    file = proven.evidence()[0]
    file.write_bytes(file.read_bytes().replace(b"payloadType", b"payloadtype"))
    assert proven.pv("health").returncode == 4


@pytest.mark.parametrize("columns", [80, 140])
def test_it_fits_its_terminal(proven: Toy, columns: int) -> None:
    done = proven.python("-m", "pv_harness", "health", columns=columns)
    assert max(map(len, done.stdout.splitlines())) <= columns
