"""One planted change: what a fork's checks record is what those of a process record."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest
from tests.harness.conftest import make_toy

from pv_harness.contracts.contract import Bound, Comparator, Control, Defect, Patch
from pv_harness.evidence.records import PatchOutcome
from pv_harness.measuring.guard import guarded_folder
from pv_harness.measuring.record import CheckRecord
from pv_harness.measuring.runner import measure_falsifiers
from pv_harness.measuring.workbench import Workbench
from pv_harness.project import load_project
from pv_harness.proving.planting import Planter, Task
from pv_harness.proving.prover import scratch_copies
from pv_harness.proving.templates import Templates
from pv_harness.validating.validation import load_contracts


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness.conftest import Toy

    from pv_harness.measuring.child import Measured

HARNESS = Path(__file__).resolve().parents[3] / "harness"
HEAD = """\
import os, resource, signal, sys, warnings

import pytest

PY = "python"
"""
CHECKS = {
    "environment": """
def test_x(measure, cli):
    code = "import os; print(sorted(n for n in os.environ if n[:3] != 'PV_'))"
    done = cli(PY, "-c", code, env={"MINE": "ä"})
    measure("names", done.stdout.replace("PV_", ""))
""",
    "words": """
def test_x(measure, cli):
    done = cli(PY, "-c", "import sys; print(sys.argv)", "a b", "", "--c")
    measure("words", done.stdout)
    measure("own", str(sys.argv[1:3]))
""",
    "order of what is printed": """
def test_x(measure, cli):
    code = "import os, sys; print('a'); os.write(1, b'b'); print('c'); sys.stderr.write('d')"
    done = cli(PY, "-c", code)
    measure("said", done.stdout + done.stderr)
""",
    "folder": """
def test_x(measure, cli, tmp_path):
    (tmp_path / "here").mkdir()
    code = "import os; print(os.path.basename(os.getcwd()))"
    done = cli(PY, "-c", code, cwd=tmp_path / "here")
    measure("folder", done.stdout)
    measure("own", os.path.basename(os.getcwd()))
""",
    "an entry point": """
def test_x(measure, cli):
    measure("sum", int(cli(PY, "-m", "toy", "2", "3").stdout))
""",
    "a failed assertion": """
def test_x(measure):
    measure("sum", 5)
    assert False, "as it is"
""",
    "an error": """
def test_x(measure):
    measure("sum", 5)
    {}["nowhere"]
""",
    "a skip": """
def test_x(measure):
    pytest.skip("not today")
""",
    "a warning": """
def test_x(measure):
    warnings.warn("odd")
""",
    "a file and a module": """
def test_x(measure):
    from toy.math import add
    with open("pyproject.toml") as stream:
        measure("sum", add(2, len(stream.read(3))))
""",
    # What changes its own process comes last.
    "mask and limits": """
def test_x(measure, cli, tmp_path):
    os.umask(0o027)
    code = "import os; os.umask(os.umask(0)); print(oct(os.umask(0)))"
    measure("mask", cli(PY, "-c", code).stdout)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    code = "import resource as r; print(r.getrlimit(r.RLIMIT_CORE))"
    measure("limit", cli(PY, "-c", code).stdout)
""",
    "exit codes and signals": """
def test_x(measure, cli):
    codes = ("import sys; sys.exit(3)", "import os; os.abort()", "1 / 0", "raise SystemError")
    for code in codes:
        done = cli(PY, "-c", code)
        measure("code", done.returncode)
        measure("said", done.stderr)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    code = "import signal; print(signal.getsignal(signal.SIGUSR1))"
    measure("ignored", cli(PY, "-c", code).stdout)
""",
}


@contextmanager
def planter_of(toy: Toy) -> Iterator[tuple[Planter, Path]]:
    """A planter for the toy, and an untouched copy of it; green, whatever its checks say."""
    project = load_project(toy.root)
    contracts, checks = load_contracts(project)
    bound = {"FALSIFY-TOY-001": tuple(checks)}
    bench = Workbench(project, contracts, bound)
    with scratch_copies(project, 1) as copies, guarded_folder("pv-run-") as folder:
        (run,) = measure_falsifiers(bench, [contracts[0].falsifiers[0]], copies[0])
        templates = Templates(folder, project.preload)
        try:
            yield Planter(bench, {run.falsifier_id: run}, templates, 1), copies[0]
        finally:
            templates.close()


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(HARNESS))
    monkeypatch.delenv("PV_PLAN", raising=False)


def facts(record: CheckRecord) -> CheckRecord:
    """A record without what no two runs share: times, and where in memory things are."""
    return replace(record, duration_s=0.0, reason=_plain(record.reason))


def _plain(text: str) -> str:
    return re.sub(r"0x[0-9a-f]+", "0x", text)


Records = dict[str, CheckRecord]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Records, Records]:
    """Name of a check -> its record, from forks and from processes."""
    toy = make_toy(tmp_path_factory.mktemp("planting") / "toy")
    marker = '@pytest.mark.falsifies("FALSIFY-TOY-001")'
    bodies = [
        f"\n\n{marker}{body.replace('test_x', f'test_{number:02}')}"
        for number, body in enumerate(CHECKS.values())
    ]
    toy.write("checks/test_toy.py", HEAD + "".join(bodies))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(HARNESS))
        patch.delenv("PV_PLAN", raising=False)
        with planter_of(toy) as (planter, copy):
            claim = planter.bench.contracts[0].falsifiers[0]
            fork, process = (planter._run(claim, None, copy, forked=f) for f in (True, False))
    return _by_name(fork), _by_name(process)


def _by_name(measured: Measured) -> Records:
    assert len(measured.records) == len(CHECKS), measured.output
    return dict(zip(CHECKS, (r for _, (r,) in sorted(measured.records.items())), strict=True))


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_in_a_fork_records_what_it_records_in_a_process(
    recorded: tuple[Records, Records], name: str
) -> None:
    fork, process = (facts(records[name]) for records in recorded)
    assert fork == process


def test_a_change_has_the_same_answer_either_way_and_is_taken_out_again(toy: Toy) -> None:
    def patch(replacement: str) -> Patch:
        return Patch("d", PurePosixPath("src/toy/math.py"), "return a + b", replacement)

    with planter_of(toy) as (planter, copy):
        falsifier = planter.bench.contracts[0].falsifiers[0]
        before = (copy / "src/toy/math.py").read_bytes()
        for item, outcome in (
            (Defect(patch("return a - b"), "sum"), PatchOutcome.KILLED),
            (Defect(patch("return b + a"), "sum"), PatchOutcome.SURVIVED),
            (Defect(patch("raise OSError"), "sum"), PatchOutcome.KILLED_BY_CRASH),
            (Control(patch("return b + a")), PatchOutcome.GREEN),
            (Control(patch("return b")), PatchOutcome.RED),
        ):
            fork, process = (
                planter.plant(Task(falsifier, item), copy, forked=f) for f in (True, False)
            )
            assert fork.outcome is process.outcome is outcome
            assert _plain(fork.reason) == _plain(process.reason)
            assert fork.held == process.held
            assert (copy / "src/toy/math.py").read_bytes() == before


def test_what_measures_the_expected_metric_runs_first(toy: Toy, tmp_path: Path) -> None:
    log = tmp_path / "log"
    toy.write(
        "checks/test_toy.py",
        "import pytest\n\nfrom toy.math import add\n\n\n"
        "@pytest.fixture(autouse=True)\ndef log(request):\n"
        f"    with open({str(log)!r}, 'a') as stream:\n"
        "        stream.write(request.node.name + ' ')\n\n\n"
        "@pytest.mark.falsifies('FALSIFY-TOY-001')\n"
        "def test_first(measure):\n    measure('other', 1)\n\n\n"
        "@pytest.mark.falsifies('FALSIFY-TOY-001')\n"
        "def test_second(measure):\n    measure('sum', add(2, 3))\n",
    )
    with planter_of(toy) as (planter, copy):
        claim = planter.bench.contracts[0].falsifiers[0]
        bounds = (*claim.bounds, Bound("other", Comparator.EQ, 1))
        task = Task(replace(claim, bounds=bounds), claim.defects[0])
        log.unlink()
        answer = planter.plant(task, copy, forked=True)
    assert answer.outcome is PatchOutcome.KILLED
    assert log.read_text().startswith("test_second ")


SEEING = """\
import json, os, sys
from pathlib import Path

import pytest

from toy.math import add


def see(session):
    plan = Path(os.environ["PV_PLAN"])
    files = sorted(p.name for p in plan.parent.iterdir())
    seen = [dict(os.environ), sys.argv, os.getcwd(), files, plan.read_text()]
    seen.append(repr(session.current.target))
    with open(LOG, "a") as stream:
        stream.write(json.dumps(seen) + chr(10))


@pytest.mark.falsifies("FALSIFY-TOY-001")
def test_other(measure):
    measure("other", 1)


@pytest.mark.falsifies("FALSIFY-TOY-001")
def test_sum(measure):
    see(measure.__self__)
    measure("sum", add(2, 3))
"""


def test_a_check_sees_nothing_that_tells_what_is_planted(toy: Toy, tmp_path: Path) -> None:
    log = tmp_path / "log"
    toy.write("checks/test_toy.py", SEEING.replace("LOG", repr(str(log))))
    with planter_of(toy) as (planter, copy):
        claim = planter.bench.contracts[0].falsifiers[0]
        unplanted = json.loads(log.read_text())
        log.unlink()
        for item in claim.plants:
            for forked in (True, False):
                planter.plant(Task(claim, item), copy, forked=forked)
    lines = [
        json.dumps(
            json.loads(re.sub(r"records-\w+|pv-run-\w+|group-\d+", "", line)), sort_keys=True
        )
        for line in log.read_text().splitlines()
    ]
    assert len(lines) == 6
    assert len(set(lines)) == 1
    variables = json.loads(lines[0])[0]
    assert variables.keys() ^ unplanted[0].keys() <= {"OMP_NUM_THREADS"}
    assert json.loads(lines[0])[2] == unplanted[2]
