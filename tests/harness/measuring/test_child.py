"""Crashes, hangs and broken files in the process that runs checks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pv_harness.contracts.contract import Bound, Comparator
from pv_harness.measuring.child import Launch, Measured, run_checks
from pv_harness.measuring.plan import Plan, Target
from pv_harness.measuring.record import Outcome


if TYPE_CHECKING:
    from collections.abc import Callable

HARNESS = Path(__file__).resolve().parents[3] / "harness"
HEAD = "import os, pytest\n\npytestmark = pytest.mark.falsifies('A-001')\n\n"


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Measured]:
    """Run checks given as source text, file name -> text, and return what they left."""
    (tmp_path / "records").mkdir()
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    monkeypatch.delenv("PV_PLAN", raising=False)

    def run(
        files: dict[str, str], nodes: list[str], *, blocked: str | None = None, jobs: int = 1
    ) -> Measured:
        for name, text in files.items():
            (tmp_path / name).write_text(HEAD + text)
        target = Target("A-001", (Bound("m", Comparator.LE, 1),), blocked)
        plan = Plan(tmp_path, (HARNESS, tmp_path), tmp_path / "records", (), {"A-001": target})
        return run_checks(nodes, Launch(plan, jobs=jobs))

    return run


def outcomes(measured: Measured) -> dict[str, Outcome]:
    return {r.node: r.outcome for records in measured.records.values() for r in records}


def test_each_way_to_end_is_told_apart(measured: Callable[..., Measured]) -> None:
    text = (
        "def test_good(measure):\n    measure('m', 1)\n"
        "def test_bound(measure):\n    measure('m', 2)\n"
        "def test_assert(measure):\n    measure('m', 1)\n    assert False, 'no'\n"
        "def test_error(measure):\n    measure('m', 1)\n    raise RuntimeError('broken')\n"
        "def test_skip(measure):\n    measure('m', 1)\n    pytest.skip('later')\n"
        "@pytest.mark.xfail(strict=False)\n"
        "def test_xfail(measure):\n    measure('m', 1)\n    assert False\n"
        "@pytest.fixture\ndef bad_setup():\n    raise RuntimeError('set-up')\n"
        "def test_setup(bad_setup, measure):\n    measure('m', 1)\n"
        "@pytest.fixture\ndef bad_teardown():\n    yield\n    raise RuntimeError('teardown')\n"
        "def test_teardown(bad_teardown, measure):\n    measure('m', 1)\n"
    )
    names = ["good", "bound", "assert", "error", "skip", "xfail", "setup", "teardown"]
    found = outcomes(measured({"test_a.py": text}, [f"test_a.py::test_{n}" for n in names]))
    assert {node.rpartition("_")[2]: outcome for node, outcome in found.items()} == {
        "good": Outcome.PASSED,
        "bound": Outcome.FAILED,
        "assert": Outcome.FAILED,
        "error": Outcome.ERROR,
        "skip": Outcome.SKIPPED,
        "xfail": Outcome.SKIPPED,
        "setup": Outcome.ERROR,
        "teardown": Outcome.ERROR,
    }


def test_a_crash_costs_its_own_check_and_no_other(measured: Callable[..., Measured]) -> None:
    text = (
        "def test_before(measure):\n    measure('m', 1)\n"
        "def test_crash():\n    os.abort()\n"
        "def test_after(measure):\n    measure('m', 1)\n"
    )
    nodes = [f"test_a.py::test_{n}" for n in ("before", "crash", "after")]
    result = measured({"test_a.py": text}, nodes)
    assert set(outcomes(result)) == {nodes[0], nodes[2]}
    assert list(result.lost) == [nodes[1]]
    assert "died" in result.lost[nodes[1]].reason


def test_a_crash_of_an_xdist_worker_is_seen_too(measured: Callable[..., Measured]) -> None:
    text = "def test_crash():\n    os._exit(0)\ndef test_after(measure):\n    measure('m', 1)\n"
    nodes = ["test_a.py::test_crash", "test_a.py::test_after"]
    result = measured({"test_a.py": text}, nodes, jobs=2)
    assert list(result.lost) == [nodes[0]]
    assert outcomes(result) == {nodes[1]: Outcome.PASSED}


def test_a_file_that_can_not_be_imported_costs_its_own_checks(
    measured: Callable[..., Measured],
) -> None:
    good = "def test_good(measure):\n    measure('m', 1)\n"
    files = {"test_bad.py": "import nowhere\ndef test_x():\n    pass\n", "test_good.py": good}
    result = measured(files, ["test_bad.py::test_x", "test_good.py::test_good"])
    assert outcomes(result) == {"test_good.py::test_good": Outcome.PASSED}
    assert "nowhere" in result.lost["test_bad.py::test_x"].reason


def test_a_check_that_is_blocked_runs_nothing(measured: Callable[..., Measured]) -> None:
    text = "def test_x(measure):\n    raise RuntimeError('ran')\n"
    result = measured({"test_a.py": text}, ["test_a.py::test_x"], blocked="needs cuda")
    (record,) = result.records["test_a.py::test_x"]
    assert (record.outcome, record.reason) == (Outcome.BLOCKED, "needs cuda")


def test_parameter_sets_are_joined_to_their_function(measured: Callable[..., Measured]) -> None:
    text = (
        "@pytest.mark.parametrize('n', [0, 1, 2])\n"
        "def test_x(measure, n):\n    measure('m', n)\n"
    )
    result = measured({"test_a.py": text}, ["test_a.py::test_x"])
    records = result.records["test_a.py::test_x"]
    assert sorted(r.outcome.value for r in records) == ["failed", "passed", "passed"]


def test_a_broken_bound_stands_even_if_the_check_then_crashes(
    measured: Callable[..., Measured],
) -> None:
    text = "def test_x(measure):\n    measure('m', 2)\n    raise RuntimeError('after')\n"
    result = measured({"test_a.py": text}, ["test_a.py::test_x"])
    (record,) = result.records["test_a.py::test_x"]
    assert (record.outcome, record.broken) == (Outcome.FAILED, ("m",))


def test_a_check_that_hangs_is_killed(
    measured: Callable[..., Measured], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pv_harness.measuring.child._GRACE_S", -118.0)
    text = (
        "import threading\n"
        "def test_hang():\n    threading.Event().wait()\n"
        "def test_after(measure):\n    measure('m', 1)\n"
    )
    nodes = ["test_a.py::test_hang", "test_a.py::test_after"]
    result = measured({"test_a.py": text}, nodes)
    assert result.lost[nodes[0]].timed_out
    assert outcomes(result) == {nodes[1]: Outcome.PASSED}


def test_a_file_that_hangs_when_it_is_imported_is_given_up(
    measured: Callable[..., Measured], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pv_harness.measuring.child._GRACE_S", -117.0)
    text = "import threading\nthreading.Event().wait()\ndef test_x():\n    pass\n"
    result = measured({"test_a.py": text}, ["test_a.py::test_x"])
    assert "not collected" in result.lost["test_a.py::test_x"].reason
