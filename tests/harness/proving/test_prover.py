"""`pv prove` on checks whose faults are known: each fault has an answer of its own."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, cast

import pytest

from pv_harness.contracts.bindings import find_checks
from pv_harness.contracts.contract import (
    Bound,
    Comparator,
    Defect,
    Falsifier,
    Level,
    LevelRule,
    Patch,
)
from pv_harness.evidence.records import PatchOutcome, PatchRecord, RunRecord, Verdict
from pv_harness.fingerprint.manifest import Manifest
from pv_harness.measuring.runner import measure_falsifiers
from pv_harness.measuring.workbench import Workbench
from pv_harness.project import load_project
from pv_harness.proving.outcome import Answer
from pv_harness.proving.prover import Task, _Proof, plant_all, scratch_copies
from pv_harness.proving.scratch import VoidPatchError, apply_patch, copy_project
from pv_harness.validating.validation import load_contracts


if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness.conftest import Toy

    from pv_harness.proving.planting import Planter

HARNESS = Path(__file__).resolve().parents[3] / "harness"


@pytest.fixture
def outcome(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> Callable[..., PatchRecord]:
    """Plant one defect in the toy and return what became of it."""
    monkeypatch.setenv("PYTHONPATH", str(HARNESS))
    monkeypatch.delenv("PV_PLAN", raising=False)

    def prove(find: str, replace: str, *, check: str | None = None) -> PatchRecord:
        if check is not None:
            text = (toy.root / "checks/test_toy.py").read_text()
            body = text.partition("(measure, cli):\n")[0] + "(measure, cli):\n"
            toy.write("checks/test_toy.py", body + check)
        project = load_project(toy.root)
        contracts, _ = load_contracts(project)
        checks = {"FALSIFY-TOY-001": find_checks(project)}
        patch = Patch("d", PurePosixPath("src/toy/math.py"), find, replace)
        task = Task(contracts[0].falsifiers[0], Defect(patch, "sum"))
        bench = Workbench(project, contracts, checks)
        with scratch_copies(project, 1) as copies:
            (run,) = measure_falsifiers(bench, [task.falsifier], copies[0])
            (record,) = plant_all(bench, [task], {run.falsifier_id: run}, copies)
        return record

    return prove


def test_a_defect_that_is_noticed_is_killed(outcome: Callable[..., PatchRecord]) -> None:
    record = outcome("a + b", "a - b")
    assert record.outcome is PatchOutcome.KILLED
    assert "sum is -1, but must be = 5" in record.reason


def test_a_check_that_can_not_fail_lets_it_survive(
    outcome: Callable[..., PatchRecord],
) -> None:
    record = outcome("a + b", "a - b", check="    measure('sum', 5)\n")
    assert record.outcome is PatchOutcome.SURVIVED


def test_a_check_that_is_red_on_arrival_kills_nothing(
    outcome: Callable[..., PatchRecord],
) -> None:
    record = outcome("a + b", "a - b", check="    measure('sum', 6)\n")
    assert record.outcome is PatchOutcome.RED_ON_ARRIVAL


def test_an_anchor_that_vanished_is_void(outcome: Callable[..., PatchRecord]) -> None:
    record = outcome("a * b", "a - b")
    assert record.outcome is PatchOutcome.VOID
    assert "stands there 0 times" in record.reason


def test_a_defect_that_crashes_is_no_kill(outcome: Callable[..., PatchRecord]) -> None:
    check = "    from toy.math import add\n    measure('sum', add(2, 3))\n"
    record = outcome("return a + b", "import os; os.abort()", check=check)
    assert record.outcome is PatchOutcome.KILLED_BY_CRASH


def test_an_exception_is_no_kill(outcome: Callable[..., PatchRecord]) -> None:
    check = "    from toy.math import add\n    measure('sum', add(2, 3))\n"
    record = outcome("a + b", "a + c", check=check)
    assert record.outcome is PatchOutcome.KILLED_BY_CRASH
    assert "NameError" in record.reason


def test_red_for_another_reason_is_no_kill(outcome: Callable[..., PatchRecord]) -> None:
    check = (
        "    from toy.math import add\n"
        "    assert add(1, 1) == 2, 'another reason'\n"
        "    measure('sum', 5)\n"
    )
    record = outcome("a + b", "a - b", check=check)
    assert record.outcome is PatchOutcome.KILLED_FOR_ANOTHER_REASON
    assert "another reason" in record.reason


def test_a_skip_under_a_defect_is_no_kill(outcome: Callable[..., PatchRecord]) -> None:
    check = (
        "    from toy.math import add\n"
        "    if add(1, 1) != 2:\n        pytest.skip('odd')\n"
        "    measure('sum', 5)\n"
    )
    record = outcome("a + b", "a - b", check=check)
    assert record.outcome is PatchOutcome.SURVIVED
    assert "skipped" in record.reason


def test_the_tree_itself_is_never_touched(
    outcome: Callable[..., PatchRecord], toy: Toy
) -> None:
    root: Path = toy.root
    before = {p: p.read_bytes() for p in root.rglob("*") if p.is_file()}
    outcome("a + b", "a - b")
    assert {p: p.read_bytes() for p in root.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize(
    ("find", "replace", "message"),
    [
        ("x", "y", "stands there 2 times"),
        ("z", "y", "stands there 0 times"),
        ("a = x", "a = x", "changes nothing"),
        ("a = x", "a = (", "does not compile"),
    ],
)
def test_a_patch_that_plants_nothing_is_void(find: str, replace: str, message: str) -> None:
    with pytest.raises(VoidPatchError, match=message):
        apply_patch("a = x\nb = x\n", Patch("d", PurePosixPath("m.py"), find, replace))


def test_links_out_of_the_project_are_not_copied(toy: Toy, tmp_path: Path) -> None:
    root: Path = toy.root
    (tmp_path / "secret").write_text("s")
    (root / "link").symlink_to(tmp_path / "secret")
    copy = copy_project(load_project(root), tmp_path / "copy")
    assert (copy / "src/toy/math.py").is_file()
    assert not (copy / "link").exists()


class Scripted:
    """A planter whose forks answer by a script, and say in which order they were asked."""

    def __init__(self, run: RunRecord, answers: dict[str, Answer]) -> None:
        self.baseline = {run.falsifier_id: run}
        self.templates = self
        self._answers = answers

    def check_open(self) -> None:
        pass

    def plant(self, task: Task, _copy: Path, *, forked: bool) -> Answer:
        assert forked
        return self._answers[task.item.id]


def test_a_kill_is_told_as_soon_as_it_is_borne_out_and_not_at_the_end() -> None:
    bounds = (Bound("sum", Comparator.EQ, 5), Bound("code", Comparator.EQ, 0))
    defects = tuple(
        Defect(Patch(name, PurePosixPath("m.py"), "a", name), "sum") for name in "abc"
    )
    levels = (LevelRule(Level.PARTIAL),)
    claim = Falsifier("A-001", "r", "p", "f", ("m",), bounds, levels, defects)
    run = RunRecord("A-001", Verdict.PASSED, Manifest(()))
    killed, void = PatchOutcome.KILLED, PatchOutcome.VOID
    answers = {
        "a": Answer(killed),
        "b": Answer(void, held=frozenset({"sum"})),
        "c": Answer(killed),
    }
    told: list[str] = []
    tasks = [Task(claim, defect) for defect in defects]
    planter = cast("Planter", Scripted(run, answers))
    proof = _Proof(planter, tasks, [Path()], lambda record: told.append(record.patch_id))
    proof.prove(0)
    assert told == []
    proof.prove(1)
    assert sorted(told) == ["a", "b"]
    proof.prove(2)
    assert [record.patch_id for record in proof.records()] == ["a", "b", "c"]
