"""One run over a project: which worker sees which GPU, and what a changed tree does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pv_harness.evidence.records import Verdict
from pv_harness.measuring import runner
from pv_harness.measuring.runner import Attempts, measure_falsifiers
from pv_harness.measuring.workbench import Workbench
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
    for module in ("runner", "plan", "round", "collecting", "workbench"):
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


WAITING = """\
import pathlib

import pytest

GO = pathlib.Path(__file__).with_name("go")


@pytest.mark.falsifies("FALSIFY-TOY-001")
def test_quick(measure):
    measure("device", "{first}")


@pytest.mark.falsifies("FALSIFY-TOY-002")
@pytest.mark.parametrize("n", [1, 2])
def test_slow(measure, n):
    while n == 2 and not GO.exists():
        pass
    measure("device", "cpu")
"""


@pytest.fixture
def waiting(toy: Toy) -> Toy:
    """Two claims; the check of the second one waits for a file, with one of its parameters."""
    contract = (toy.root / "contracts/toy-v1.yaml").read_text()
    claims = [CLAIM.format(number=number, more="timeout_s: 60") for number in (1, 2)]
    head = contract[: contract.index("- id")]
    toy.write("contracts/toy-v1.yaml", head + "".join(claims))
    toy.write("checks/test_toy.py", WAITING.format(first="cpu"))
    return toy


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_is_complete_is_given_out_while_the_others_run(waiting: Toy, jobs: int) -> None:
    declared = read_declared(load_project(waiting.root))
    bench = Workbench(declared.project, declared.contracts, declared.checks)
    given: list[str] = []

    def results(records: tuple[RunRecord, ...]) -> None:
        given.extend(record.falsifier_id for record in records)
        if given == ["FALSIFY-TOY-001"]:
            waiting.write("checks/go", "")

    records = measure_falsifiers(
        bench,
        declared.contracts[0].falsifiers,
        waiting.root,
        jobs=jobs,
        listener=runner.Listener(wants_results=lambda: True, results=results),
    )
    assert given == ["FALSIFY-TOY-001", "FALSIFY-TOY-002"]
    assert [r.falsifier_id for r in records] == given
    assert {r.verdict for r in records} == {Verdict.PASSED}
    assert len(records[1].checks) == 2


def test_what_was_given_out_stands_when_the_sources_change_afterwards(waiting: Toy) -> None:
    declared = read_declared(load_project(waiting.root))
    bench = Workbench(declared.project, declared.contracts, declared.checks)
    given: list[str] = []

    def results(records: tuple[RunRecord, ...]) -> None:
        given.extend(record.verdict.value for record in records)
        if len(given) == 1 and not (waiting.root / "checks/go").exists():
            waiting.edit("src/toy/math.py", "a + b", "a - b")
            waiting.write("checks/go", "")

    measure_falsifiers(
        bench,
        declared.contracts[0].falsifiers,
        waiting.root,
        listener=runner.Listener(wants_results=lambda: True, results=results),
    )
    assert given == ["PASSED", "ERROR"]


def test_an_interrupt_gives_out_what_is_complete_and_blocked_and_nothing_else(
    waiting: Toy,
) -> None:
    contract = (waiting.root / "contracts/toy-v1.yaml").read_text()
    blocked = CLAIM.format(number=3, more="requires: cuda")
    waiting.write("contracts/toy-v1.yaml", contract + blocked)
    check = '@pytest.mark.falsifies("FALSIFY-TOY-003")\ndef test_gpu():\n    pass\n'
    waiting.write("checks/test_gpu.py", f"import pytest\n\n\n{check}")
    declared = read_declared(load_project(waiting.root))
    bench = Workbench(declared.project, declared.contracts, declared.checks)
    assert interrupted(bench, declared.contracts[0].falsifiers) == [
        ("FALSIFY-TOY-001", Verdict.PASSED),
        ("FALSIFY-TOY-003", Verdict.BLOCKED),
    ]


def test_an_interrupt_drops_nothing_red(waiting: Toy) -> None:
    text = (waiting.root / "checks/test_toy.py").read_text()
    text = text.replace("TOY-002", "TOY-001").replace('"cpu"', '"nothing"', 1)
    waiting.write("checks/test_toy.py", text)
    declared = read_declared(load_project(waiting.root))
    bench = Workbench(declared.project, declared.contracts, declared.checks)
    assert interrupted(bench, declared.contracts[0].falsifiers) == [
        ("FALSIFY-TOY-001", Verdict.FAILED)
    ]


def interrupted(bench: Workbench, falsifiers: Sequence[Falsifier]) -> list[tuple[str, Verdict]]:
    """What is given out when an interrupt comes while the slow check waits."""
    given: list[tuple[str, Verdict]] = []

    def running(nodes: frozenset[str]) -> None:
        if "checks/test_toy.py::test_slow[2]" in nodes:
            raise KeyboardInterrupt

    def results(records: tuple[RunRecord, ...]) -> None:
        given.extend((record.falsifier_id, record.verdict) for record in records)

    listener = runner.Listener(running=running, results=results)
    with pytest.raises(KeyboardInterrupt):
        measure_falsifiers(bench, falsifiers, bench.project.root, listener=listener)
    return given
