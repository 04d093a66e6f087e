"""Crashes, hangs and broken files in the process that runs checks."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pytest

from pv_harness.contracts.contract import Bound, Comparator, SeedRule, Seeds
from pv_harness.errors import InfrastructureError
from pv_harness.measuring.child import Measured, run_checks
from pv_harness.measuring.launch import Launch
from pv_harness.measuring.plan import Plan, Target
from pv_harness.measuring.record import Outcome
from pv_harness.measuring.running_checks import Shown, read_shown


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pv_harness.measuring.launch import RunningProcess
    from pv_harness.measuring.record import CheckRecord

HARNESS = Path(__file__).resolve().parents[3] / "harness"
TARGET = Target("A-001", (Bound("m", Comparator.LE, 1),))
HEAD = "import os, pytest\n\npytestmark = pytest.mark.falsifies('A-001')\n\n"


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Measured]:
    """Run checks given as source text, file name -> text, and return what they left."""
    (tmp_path / "records").mkdir()
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    monkeypatch.delenv("PV_PLAN", raising=False)

    def run(
        files: dict[str, str],
        nodes: list[str],
        *,
        target: Target = TARGET,
        jobs: int = 1,
        limits: dict[str, float] | None = None,
        **changes: Any,
    ) -> Measured:
        for name, text in files.items():
            (tmp_path / name).write_text(HEAD + text)
        records = tmp_path / "records"
        plan = Plan(tmp_path, (HARNESS, tmp_path), records, (), {"A-001": target})
        plan = replace(plan, **changes)
        return run_checks(nodes, Launch(plan, jobs=jobs, timeouts_s=limits or {}))

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
    assert result.lost[nodes[1]].reason.startswith("its process died (killed by SIGABRT):\n")


@pytest.mark.parametrize(
    ("jobs", "end", "how"),
    [
        (1, "os._exit(3)", "exit code 3"),
        (1, "os.kill(os.getpid(), 9)", "killed by SIGKILL, perhaps out of memory"),
        (2, "os.kill(os.getpid(), 11)", "killed by SIGSEGV"),
    ],
)
def test_a_death_is_told_with_the_exit_code_or_the_signal(
    measured: Callable[..., Measured], jobs: int, end: str, how: str
) -> None:
    text = f"def test_crash():\n    {end}\ndef test_after(measure):\n    measure('m', 1)\n"
    nodes = ["test_a.py::test_crash", "test_a.py::test_after"]
    result = measured({"test_a.py": text}, nodes, jobs=jobs)
    assert result.lost[nodes[0]].reason.startswith(f"its process died ({how}):\n")
    assert outcomes(result) == {nodes[1]: Outcome.PASSED}


def test_a_death_that_nobody_saw_is_told_without_a_code(tmp_path: Path) -> None:
    class Orphan(subprocess.Popen[bytes]):
        """A fork whose template has died: its exit code is made up."""

        lost = True

    def start(
        args: Sequence[str], cwd: Path, environment: Mapping[str, str], output: IO[bytes]
    ) -> RunningProcess:
        words = [sys.executable, "-m", "pytest", *args]
        return Orphan(
            words, cwd=cwd, env=environment, stdout=output, stderr=output, process_group=0
        )

    (tmp_path / "records").mkdir()
    (tmp_path / "test_a.py").write_text(f"{HEAD}def test_crash():\n    os._exit(3)\n")
    roots = (HARNESS, tmp_path)
    plan = Plan(tmp_path, roots, tmp_path / "records", (), {"A-001": TARGET})
    result = run_checks(["test_a.py::test_crash"], Launch(plan, starter=start))
    assert result.lost["test_a.py::test_crash"].reason.startswith("its process died:\n")


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
    target = replace(TARGET, blocked="needs cuda")
    result = measured({"test_a.py": text}, ["test_a.py::test_x"], target=target)
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
    monkeypatch.setattr("pv_harness.measuring.watch._GRACE_S", -118.0)
    text = (
        "import threading\n"
        "def test_hang():\n    threading.Event().wait()\n"
        "def test_after(measure):\n    measure('m', 1)\n"
    )
    nodes = ["test_a.py::test_hang", "test_a.py::test_after"]
    result = measured({"test_a.py": text}, nodes)
    assert result.lost[nodes[0]].timed_out
    assert outcomes(result) == {nodes[1]: Outcome.PASSED}


def test_a_hang_costs_its_own_check_and_not_the_one_beside_it(
    measured: Callable[..., Measured], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("pv_harness.measuring.watch._GRACE_S", 0.0)
    # The one beside it runs until it has been started a second time.
    beside = (
        "import pathlib, threading\n"
        f"RAN = pathlib.Path({str(tmp_path)!r}) / 'ran'\n"
        "def test_beside(measure):\n"
        "    measure('m', 1)\n"
        "    if not RAN.exists():\n"
        "        RAN.touch()\n"
        "        threading.Event().wait()\n"
    )
    hang = "import threading\ndef test_hang():\n    threading.Event().wait()\n"
    nodes = ["test_hang.py::test_hang", "test_beside.py::test_beside"]
    limits = {nodes[0]: 2.0, nodes[1]: 100.0}
    files = {"test_hang.py": hang, "test_beside.py": beside}
    result = measured(files, nodes, jobs=2, limits=limits)
    assert {node: lost.timed_out for node, lost in result.lost.items()} == {nodes[0]: True}
    assert result.lost[nodes[0]].reason == "did not end within 2 s and was killed"
    assert outcomes(result) == {nodes[1]: Outcome.PASSED}


def test_the_mark_of_a_crashed_worker_is_not_taken_for_a_hang(
    measured: Callable[..., Measured], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pv_harness.measuring.watch._GRACE_S", 0.0)
    crash = "def test_crash():\n    os._exit(0)\n"
    slow = (
        "import threading\n"
        "def test_slow(measure):\n    measure('m', 1)\n    threading.Event().wait(2.5)\n"
    )
    nodes = ["test_crash.py::test_crash", "test_slow.py::test_slow"]
    limits = {nodes[0]: 1.0, nodes[1]: 100.0}
    files = {"test_crash.py": crash, "test_slow.py": slow}
    result = measured(files, nodes, jobs=2, limits=limits)
    assert not result.lost[nodes[0]].timed_out
    assert "its process died" in result.lost[nodes[0]].reason
    assert outcomes(result) == {nodes[1]: Outcome.PASSED}


def test_a_process_that_hangs_after_its_last_check_is_ended(
    measured: Callable[..., Measured], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pv_harness.measuring.watch._GRACE_S", 0.0)
    text = (
        "import threading\n"
        "threading.Thread(target=threading.Event().wait).start()\n"
        "def test_x(measure):\n    measure('m', 1)\n"
    )
    node = "test_a.py::test_x"
    result = measured({"test_a.py": text}, [node], limits={node: 3.0})
    assert (outcomes(result), result.lost) == ({node: Outcome.PASSED}, {})


def test_a_command_that_takes_too_long_is_told_from_one_that_breaks(
    measured: Callable[..., Measured],
) -> None:
    text = (
        "WAIT = ('python', '-c', 'import threading; threading.Event().wait()')\n"
        "def test_late(cli):\n    cli(*WAIT, timeout_s=0.3)\n"
        "def test_wrapped(cli):\n"
        "    try:\n"
        "        cli(*WAIT, timeout_s=0.3)\n"
        "    except Exception as error:\n"
        "        raise ValueError('no answer') from error\n"
        "def test_broken(cli):\n    cli('no-such-program')\n"
    )
    nodes = [f"test_a.py::test_{n}" for n in ("late", "wrapped", "broken")]
    result = measured({"test_a.py": text}, nodes)
    records = [r for node in nodes for r in result.records[node]]
    assert [r.outcome for r in records] == [Outcome.ERROR] * 3
    assert [r.timed_out for r in records] == [True, True, False]


def test_a_check_that_is_a_coroutine_was_not_run_and_refutes_nothing(
    measured: Callable[..., Measured],
) -> None:
    text = "async def test_x(measure):\n    measure('m', 2)\n"
    result = measured({"test_a.py": text}, ["test_a.py::test_x"])
    (record,) = result.records["test_a.py::test_x"]
    assert record.outcome is Outcome.ERROR
    assert "async def functions are not natively supported" in record.reason


def test_workers_get_a_device_each_and_share_the_cores(
    measured: Callable[..., Measured], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("pv_harness.measuring.launch.available_cores", lambda: 6)
    # Each waits for the other, so that they run in different workers.
    text = (
        "import pathlib\n"
        "HERE = pathlib.Path(__file__)\n"
        "def test_x(measure):\n"
        "    HERE.with_suffix('.started').touch()\n"
        "    while len(list(HERE.parent.glob('*.started'))) < 2:\n"
        "        pass\n"
        "    measure('device', os.environ['CUDA_VISIBLE_DEVICES'])\n"
        "    measure('threads', os.environ['OMP_NUM_THREADS'])\n"
    )
    nodes = ["test_a.py::test_x", "test_b.py::test_x"]
    devices = ("GPU-aaaa", "GPU-bbbb")
    files = {"test_a.py": text, "test_b.py": text}
    result = measured(files, nodes, jobs=2, devices=devices)
    seen = [m for node in nodes for r in result.records[node] for m in r.measurements]
    assert sorted(m.value for m in seen if m.metric == "device") == ["GPU-aaaa", "GPU-bbbb"]
    assert {m.value for m in seen if m.metric == "threads"} == {"3"}


SEEDED = replace(TARGET, seeds=Seeds((3, 5)))


def test_a_check_that_asks_for_the_seed_runs_once_with_each(
    measured: Callable[..., Measured],
) -> None:
    text = (
        "@pytest.fixture(scope='module')\n"
        "def trained(seed):\n    return seed / 10\n"
        "def test_x(measure, trained):\n    measure('m', trained)\n"
    )
    result = measured({"test_a.py": text}, ["test_a.py::test_x"], target=SEEDED)
    found = [
        (r.node, m.seed, m.value)
        for r in result.records["test_a.py::test_x"]
        for m in r.measurements
    ]
    assert sorted(found) == [
        ("test_a.py::test_x[seed3]", 3, 0.3),
        ("test_a.py::test_x[seed5]", 5, 0.5),
    ]


def test_a_check_that_never_asks_for_the_seed_is_an_error(
    measured: Callable[..., Measured],
) -> None:
    text = "def test_x(measure):\n    measure('m', 1)\n"
    result = measured({"test_a.py": text}, ["test_a.py::test_x"], target=SEEDED)
    (record,) = result.records["test_a.py::test_x"]
    assert record.outcome is Outcome.ERROR
    assert "the check does not ask for the fixture `seed`" in record.reason


def test_a_seed_that_no_contract_lists_is_an_error(measured: Callable[..., Measured]) -> None:
    text = "def test_x(measure, seed):\n    measure('m', 1)\n"
    result = measured({"test_a.py": text}, ["test_a.py::test_x"])
    (record,) = result.records["test_a.py::test_x"]
    assert record.outcome is Outcome.ERROR
    assert "[A-001] asks for `seed`, and its contract lists no `seeds`" in record.reason


def test_one_value_of_a_t_test_is_not_judged_by_the_check_itself(
    measured: Callable[..., Measured],
) -> None:
    target = replace(TARGET, seeds=Seeds((3, 5, 7), SeedRule.T_TEST, 0.95))
    text = "def test_x(measure, seed):\n    measure('m', seed)\n"
    result = measured({"test_a.py": text}, ["test_a.py::test_x"], target=target)
    assert set(outcomes(result).values()) == {Outcome.PASSED}


def test_a_curve_is_kept_with_the_record(measured: Callable[..., Measured]) -> None:
    text = (
        "def test_x(measure, record_series):\n"
        "    record_series('loss', range(5000), [1 / (i + 1) for i in range(5000)],\n"
        "                  x_unit='step', unit='nats')\n"
        "    measure('m', 1)\n"
    )
    result = measured({"test_a.py": text}, ["test_a.py::test_x"])
    ((curve,),) = (r.series for r in result.records["test_a.py::test_x"])
    assert (curve.name, curve.x_unit, curve.unit) == ("loss", "step", "nats")
    assert curve.node == "test_a.py::test_x"
    assert len(curve.x) <= 1000
    assert (curve.x[0], curve.x[-1]) == (0, 4999)


def test_the_plugin_is_there_even_where_pytest_loads_none_by_itself(
    measured: Callable[..., Measured], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    text = "def test_x(measure):\n    measure('m', 1)\n"
    result = measured({"test_a.py": text}, ["test_a.py::test_x"], jobs=2)
    assert outcomes(result) == {"test_a.py::test_x": Outcome.PASSED}


def test_files_that_a_check_reads_are_recorded(
    measured: Callable[..., Measured], tmp_path: Path
) -> None:
    for name in ("at_import", "in_body", "in_command", "in_fork", "written"):
        (tmp_path / name).write_text("1")
    text = (
        "import pathlib\n"
        "HERE = pathlib.Path(__file__).parent\n"
        "AT_IMPORT = (HERE / 'at_import').read_text()\n"
        "def test_x(measure, cli):\n"
        "    os.chdir(HERE)\n"
        "    open('in_body').close()\n"
        "    open('written', 'w').close()\n"
        "    cli('python', '-c', \"open('in_command')\", cwd=HERE)\n"
        "    if not (pid := os.fork()):\n"
        "        open('in_fork').close()\n"
        "        os._exit(0)\n"
        "    os.waitpid(pid, 0)\n"
        "    measure('m', 1)\n"
        "def test_y(measure):\n    measure('m', 1)\n"
    )
    nodes = ["test_a.py::test_x", "test_a.py::test_y"]
    result = measured({"test_a.py": text}, nodes)
    (first,), (second,) = (result.records[node] for node in nodes)
    here = f"{tmp_path}/"
    assert [f.removeprefix(here) for f in first.opened] == ["in_body", "in_command", "in_fork"]
    assert second.opened == ()
    pair = (f"{here}test_a.py", f"{here}at_import")
    assert pair in first.opened_by_modules
    assert pair in second.opened_by_modules


def test_a_record_on_disk_says_everything(
    measured: Callable[..., Measured], tmp_path: Path
) -> None:
    measured(
        {"test_a.py": "def test_x(measure):\n    measure('m', 1)\n"}, ["test_a.py::test_x"]
    )
    (file,) = (tmp_path / "records").glob("check-*.json")
    data = json.loads(file.read_text())
    assert data["timed_out"] is False
    assert data["opened"] == []


def test_a_file_that_hangs_when_it_is_imported_is_given_up(
    measured: Callable[..., Measured], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pv_harness.measuring.watch._GRACE_S", -117.0)
    text = "import threading\nthreading.Event().wait()\ndef test_x():\n    pass\n"
    result = measured({"test_a.py": text}, ["test_a.py::test_x"])
    assert "not collected" in result.lost["test_a.py::test_x"].reason


@pytest.mark.parametrize("phase", ["setup", "call", "teardown"])
def test_a_check_that_was_interrupted_is_no_pass(
    measured: Callable[..., Measured], phase: str
) -> None:
    text = (
        f"STOP = {phase!r}\n"
        "def stop(phase):\n"
        "    if phase == STOP:\n"
        "        raise KeyboardInterrupt\n"
        "@pytest.fixture\n"
        "def around():\n"
        "    stop('setup')\n"
        "    yield\n"
        "    stop('teardown')\n"
        "def test_x(around, measure):\n"
        "    measure('m', 1)\n"
        "    stop('call')\n"
        "def test_after(measure):\n"
        "    measure('m', 1)\n"
    )
    nodes = ["test_a.py::test_x", "test_a.py::test_after"]
    result = measured({"test_a.py": text}, nodes)
    assert outcomes(result) == {nodes[0]: Outcome.ERROR, nodes[1]: Outcome.PASSED}
    assert result.records[nodes[0]][0].reason == "the check was interrupted"


AGAIN = """
import pathlib

COUNT = pathlib.Path(__file__).parent / "count"

@pytest.mark.parametrize("n", [1, 2])
def test_x(measure, request, n):
    if n == 1 and not COUNT.exists():
        COUNT.touch()
        request.session.shouldstop = "before the second parameter set"
        measure("m", {first})
    else:
        measure("m", {then} if n == 1 else 1)
"""


@pytest.mark.parametrize(("first", "then"), [(1, 2), (2, 1)])
def test_what_was_once_red_stays_so_where_a_check_is_measured_again_for_its_other_parameters(
    measured: Callable[..., Measured], first: int, then: int
) -> None:
    text = AGAIN.format(first=first, then=then)
    result = measured({"test_a.py": text}, ["test_a.py::test_x"])
    assert not result.lost
    assert outcomes(result) == {
        "test_a.py::test_x[1]": Outcome.FAILED,
        "test_a.py::test_x[2]": Outcome.PASSED,
    }


def test_a_note_that_can_not_be_read_keeps_a_check_from_passing_and_refutes_nothing(
    measured: Callable[..., Measured],
) -> None:
    text = (
        "import pathlib\n"
        "@pytest.mark.parametrize('n', [1, 2])\n"
        "def test_x(measure, cli, n):\n"
        "    cli('python', '-c', '')\n"
        "    for file in pathlib.Path(__file__).parent.glob('records/child-*.jsonl'):\n"
        "        file.write_bytes(file.read_bytes() + b'{\"modules\": [')\n"
        "    measure('m', n)\n"
        "def test_after(measure):\n"
        "    measure('m', 1)\n"
    )
    nodes = ["test_a.py::test_x", "test_a.py::test_after"]
    result = measured({"test_a.py": text}, nodes)
    assert outcomes(result) == {
        "test_a.py::test_x[1]": Outcome.ERROR,
        "test_a.py::test_x[2]": Outcome.FAILED,
        "test_a.py::test_after": Outcome.PASSED,
    }
    reasons = [r.reason for r in result.records[nodes[0]] if r.outcome is Outcome.ERROR]
    assert re.fullmatch(
        r"a process that the check started has left a note that can't be read, so that what it "
        r"did is not known: line \d of child-\w+-\d+\.jsonl: it breaks off",
        reasons[0],
    )


@pytest.mark.parametrize(
    "way",
    [
        "exec(compile(open(path).read(), path, 'exec'))\n",
        "runpy.run_path(path)\n",
        "import late\n    del sys.modules['late']\n",
    ],
)
def test_a_module_that_is_gone_again_when_the_check_ends_was_executed_all_the_same(
    measured: Callable[..., Measured], way: str
) -> None:
    text = (
        "import pathlib, runpy, sys\n"
        "def test_x(measure):\n"
        "    path = str(pathlib.Path(__file__).with_name('late.py'))\n"
        f"    {way}"
        "    measure('m', 1)\n"
    )
    result = measured({"test_a.py": text, "late.py": ""}, ["test_a.py::test_x"])
    (record,) = result.records["test_a.py::test_x"]
    assert record.outcome is Outcome.PASSED, record.reason
    assert "late.py" in {Path(module).name for module in record.modules}


def test_an_assertion_that_fails_in_a_thread_keeps_a_check_from_passing(
    measured: Callable[..., Measured],
) -> None:
    text = (
        "import threading\n"
        "def refute():\n    assert False, 'in a thread'\n"
        "def test_x(measure):\n    measure('m', 1)\n"
        "    thread = threading.Thread(target=refute)\n    thread.start()\n    thread.join()\n"
    )
    result = measured({"test_a.py": text}, ["test_a.py::test_x"])
    assert outcomes(result) == {"test_a.py::test_x": Outcome.ERROR}
    assert "in a thread" in result.records["test_a.py::test_x"][0].reason


@pytest.mark.parametrize(
    ("child", "said"),
    [
        ("measure('m', 9)\n", "measured 'm'"),
        ("assert False\n", "went on as a second pytest"),
        ("return\n", "went on as a second pytest"),
    ],
)
def test_what_a_fork_says_as_if_it_were_the_check_is_not_lost_without_a_word(
    measured: Callable[..., Measured], child: str, said: str
) -> None:
    text = (
        "def test_x(measure):\n"
        "    pid = os.fork()\n"
        f"    if not pid:\n        {child}"
        "    os.waitpid(pid, 0)\n"
        "    measure('m', 1)\n"
        "def test_after(measure):\n    measure('m', 1)\n"
    )
    nodes = ["test_a.py::test_x", "test_a.py::test_after"]
    result = measured({"test_a.py": text}, nodes)
    assert outcomes(result) == {nodes[0]: Outcome.ERROR, nodes[1]: Outcome.PASSED}
    assert result.records[nodes[0]][0].reason == (
        f"a process that the check forked {said}, which is lost; a fork has to hand its "
        "results to the check, and to end with os._exit"
    )


def test_a_refutation_stands_whatever_a_fork_did(measured: Callable[..., Measured]) -> None:
    text = (
        "def test_x(measure):\n"
        "    pid = os.fork()\n"
        "    if not pid:\n        measure('m', 0)\n"
        "    os.waitpid(pid, 0)\n"
        "    measure('m', 9)\n"
    )
    result = measured({"test_a.py": text}, ["test_a.py::test_x"])
    assert outcomes(result) == {"test_a.py::test_x": Outcome.FAILED}


def test_a_check_that_leaves_the_rest_to_its_fork_left_no_record(
    measured: Callable[..., Measured],
) -> None:
    text = "def test_x(measure):\n    measure('m', 1)\n    if os.fork():\n        os._exit(0)\n"
    result = measured({"test_a.py": text}, ["test_a.py::test_x"])
    assert not result.records
    assert result.lost["test_a.py::test_x"].reason.startswith("its process died")


@pytest.mark.parametrize("hook", ["tryfirst=True", "wrapper=True, tryfirst=True"])
def test_a_parameter_set_that_a_hook_of_the_project_leaves_out_is_missed(
    measured: Callable[..., Measured], hook: str
) -> None:
    end = "    return (yield)\n" if "wrapper" in hook else ""
    conftest = (
        f"@pytest.hookimpl({hook})\n"
        f"def pytest_collection_modifyitems(items):\n    items[:] = items[:1]\n{end}"
    )
    text = (
        "@pytest.mark.parametrize('n', [1, 5])\ndef test_x(measure, n):\n    measure('m', n)\n"
    )
    result = measured({"conftest.py": conftest, "test_a.py": text}, ["test_a.py::test_x"])
    assert outcomes(result) == {"test_a.py::test_x[1]": Outcome.PASSED}
    reason = result.lost["test_a.py::test_x"].reason
    assert reason == "some of its parameter sets were collected and never run"


def test_a_record_of_a_check_that_has_not_started_is_believed_of_nobody(
    measured: Callable[..., Measured],
) -> None:
    conftest = (
        "from pathlib import Path\n"
        "from pv_harness.measuring.record import CheckRecord, Outcome, write_record\n"
        "record = CheckRecord('test_a.py::test_x', 'A-001', Outcome.PASSED)\n"
        "write_record(Path(os.environ['PV_PLAN']).parent, record)\n"
        "os._exit(0)\n"
    )
    text = "def test_x(measure):\n    measure('m', 1)\n"
    with pytest.raises(
        InfrastructureError,
        match=r"is not the record of a check that has started \(test_a.py::test_x\); something",
    ):
        measured({"conftest.py": conftest, "test_a.py": text}, ["test_a.py::test_x"])


def test_a_check_that_has_shown_enough_is_ended_from_outside(tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_a.py").write_text(
        f"{HEAD}import time\n"
        "def test_x(measure):\n    measure('other', 9)\n    measure('m', 9)\n"
        "    time.sleep(60)\n"
        "def test_y(measure):\n    measure('m', 1)\n"
    )
    plan = Plan(tmp_path, (HARNESS, tmp_path), tmp_path / "records", (), {"A-001": TARGET})

    def enough(record: CheckRecord) -> bool:
        return any(m.metric == "m" and m.value == 9 for m in record.measurements)

    nodes = ["test_a.py::test_x", "test_a.py::test_y"]
    began = time.monotonic()
    result = run_checks(nodes, Launch(plan, enough=enough))
    assert time.monotonic() - began < 50
    assert outcomes(result) == {"test_a.py::test_x": Outcome.FAILED}
    (record,) = result.records["test_a.py::test_x"]
    assert [(m.metric, m.value) for m in record.measurements] == [("other", 9), ("m", 9)]
    assert record.falsifier_id == "A-001"
    assert not result.lost


@pytest.mark.parametrize("text", ["{", "[]\n1\n", '{"node": "n"}\n[]\n', "{}\nnull\n"])
def test_what_is_no_list_of_measurements_is_not_believed(tmp_path: Path, text: str) -> None:
    Shown(tmp_path, "n", "A-001").close()
    assert read_shown(tmp_path, "n") is None
    assert read_shown(tmp_path, "another") is None
    (file,) = tmp_path.iterdir()
    file.write_text(text)
    if text == "{":
        assert read_shown(tmp_path, "n") is None, "it is still being written"
        return
    with pytest.raises(InfrastructureError, match="is not a list of measurements"):
        read_shown(tmp_path, "n")


def test_what_asks_for_an_input_is_known_also_where_a_fixture_does(
    measured: Callable[..., Measured], tmp_path: Path
) -> None:
    text = (
        "@pytest.fixture(scope='module')\ndef inner(inputs):\n    return inputs('a')\n"
        "@pytest.fixture(scope='module')\ndef outer(inner):\n    return inner\n"
        "def test_first(measure, outer):\n    measure('m', 1)\n"
        "def test_second(measure, inner):\n    measure('m', 1)\n"
        "def test_itself(measure, inputs):\n    inputs('b')\n    measure('m', 1)\n"
        "def test_no(measure, inputs):\n    measure('m', 1)\n"
    )
    parts = {"file": tmp_path}
    nodes = [f"test_a.py::test_{name}" for name in ("first", "second", "itself", "no")]
    result = measured({"test_a.py": text}, nodes, inputs={"a": parts, "b": parts})
    asked = {n.rpartition("_")[2]: r.inputs for n, (r,) in result.records.items()}
    assert asked == {"first": ("a",), "second": ("a",), "itself": ("b",), "no": ()}


def test_a_module_below_the_root_and_no_source_root_is_seen(
    measured: Callable[..., Measured], tmp_path: Path
) -> None:
    for name in ("tools", ".hidden", "venv"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "judge.py").write_text("X = 1\n")
    text = (
        "import importlib.util, pathlib\n"
        "def load(folder):\n"
        "    path = pathlib.Path(__file__).parent / folder / 'judge.py'\n"
        "    spec = importlib.util.spec_from_file_location('judge', path)\n"
        "    spec.loader.exec_module(importlib.util.module_from_spec(spec))\n"
        "def test_x(measure):\n"
        "    for folder in ('tools', '.hidden', 'venv'):\n        load(folder)\n"
        "    measure('m', 1)\n"
    )
    result = measured({"test_a.py": text}, ["test_a.py::test_x"], source_roots=(HARNESS,))
    (record,) = result.records["test_a.py::test_x"]
    below = [Path(name) for name in record.modules if name.startswith(str(tmp_path))]
    names = {path.relative_to(tmp_path).as_posix() for path in below}
    assert names == {"test_a.py", "tools/judge.py"}
