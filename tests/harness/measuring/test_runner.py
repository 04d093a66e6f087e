"""One run over a project: which worker sees which GPU, and what a changed tree does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pv_harness.evidence.records import Verdict
from pv_harness.measuring import runner
from pv_harness.measuring.runner import Attempts, Workbench, measure_falsifiers
from pv_harness.project import load_project
from pv_harness.workflow.declared import read_declared


if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.harness.conftest import Toy

    from pv_harness.contracts.contract import Falsifier
    from pv_harness.evidence.records import RunRecord

CLAIM = """\
- id: FALSIFY-TOY-{number:03}
  rule: a rule
  prediction: a prediction
  if_fails: a consequence
  counted: false
  covers: [toy.math]
  {more}
  bounds: {{device: {{ne: nothing}}}}
  levels: {{PARTIAL: {{}}}}
  defects: []
"""
CHECK = """\
import os
import pathlib

import pytest

HERE = pathlib.Path(__file__).parent


@pytest.mark.falsifies("FALSIFY-TOY-{number:03}")
def test_device(measure):
    # Both run at once, so that no worker runs both.
    (HERE / "{name}.started").touch()
    while len(list(HERE.glob("{group}-*.started"))) < 2:
        pass
    measure("device", os.environ.get("CUDA_VISIBLE_DEVICES", "unset"))
"""


@pytest.fixture
def four(toy: Toy) -> Toy:
    """Two claims about a GPU, and two that are not."""
    contract = (toy.root / "contracts/toy-v1.yaml").read_text()
    head = contract[: contract.index("- id")]
    claims = ""
    for number in range(1, 5):
        group = "gpu" if number <= 2 else "cpu"
        more = "requires: cuda" if group == "gpu" else "timeout_s: 60"
        claims += CLAIM.format(number=number, more=more)
        name = f"{group}-{number}"
        text = CHECK.format(number=number, name=name, group=group)
        toy.write(f"checks/test_{number}.py", text)
    (toy.root / "checks/test_toy.py").unlink()
    toy.write("contracts/toy-v1.yaml", head + claims)
    return toy


def measure(toy: Toy, jobs: int) -> tuple[RunRecord, ...]:
    declared = read_declared(load_project(toy.root))
    bench = Workbench(declared.project, declared.contracts, declared.checks)
    falsifiers = [f for c in declared.contracts for f in c.falsifiers]
    return measure_falsifiers(bench, falsifiers, toy.root, jobs=jobs)


def test_claims_about_a_gpu_get_one_each_and_the_others_see_none(
    four: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-aaaa,GPU-bbbb,GPU-cccc")
    monkeypatch.setattr(runner, "count_gpus", lambda: 3)
    for module in ("runner", "plan"):
        name = f"pv_harness.measuring.{module}.find_devices"
        monkeypatch.setattr(name, lambda: frozenset({"cpu", "cuda"}), raising=False)
    records = {r.falsifier_id: r for r in measure(four, jobs=2)}
    assert {r.verdict for r in records.values()} == {Verdict.PASSED}
    seen = {name: record.measurements[0].value for name, record in records.items()}
    assert {seen["FALSIFY-TOY-001"], seen["FALSIFY-TOY-002"]} == {"GPU-aaaa", "GPU-bbbb"}
    assert seen["FALSIFY-TOY-003"] == seen["FALSIFY-TOY-004"] == ""


def test_every_attempt_is_told_with_what_it_will_measure(toy: Toy) -> None:
    toy.write(
        "checks/test_toy.py",
        "import pytest\n\n\n@pytest.mark.falsifies('FALSIFY-TOY-001')\n"
        "def test_x(measure):\n    measure('sum', 4)\n",
    )
    declared = read_declared(load_project(toy.root))
    bench = Workbench(declared.project, declared.contracts, declared.checks)
    told: list[tuple[int, int]] = []

    def attempt(number: int, pending: Sequence[Falsifier]) -> None:
        told.append((number, len(pending)))

    records = measure_falsifiers(
        bench,
        declared.contracts[0].falsifiers,
        toy.root,
        attempts=Attempts(repeat=2, retries=1),
        listener=runner.Listener(attempt=attempt),
    )
    assert told == [(1, 1), (2, 1), (3, 1)]
    assert [(r.attempt, r.verdict) for r in records] == [(n, Verdict.FAILED) for n in (1, 2, 3)]
