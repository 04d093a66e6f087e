"""`pv run` as people type it: what it chooses, what it says, what it stores."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pv_harness.evidence.records import Verdict
from pv_harness.evidence.store import read_statements


if TYPE_CHECKING:
    from tests.harness.conftest import Toy

    from pv_harness.evidence.records import RunRecord

ROOT = Path(__file__).resolve().parents[3]
ID = "FALSIFY-TOY-001"
SECOND = """\
- id: FALSIFY-TOY-002
  rule: zero is neutral
  prediction: add of 2 and 0 is 2
  if_fails: sums are wrong
  covers: [toy.math]
  bounds: {neutral: {eq: 2}}
  levels:
    PARTIAL: {}
  defects:
  - {id: minus, file: src/toy/math.py, find: "a + b", replace: "a - b - 1", expect: neutral}
  - {id: lost, file: src/toy/math.py, find: "a + b", replace: "b", expect: neutral}
"""
SECOND_CHECK = """\

from toy.math import add


@pytest.mark.falsifies("FALSIFY-TOY-002")
def test_zero_is_neutral(measure):
    measure("neutral", add(2, 0))
"""


def records(toy: Toy) -> list[RunRecord]:
    return [r for s in read_statements(toy.root / "reports" / "evidence") for r in s.runs]


@pytest.fixture
def two(toy: Toy) -> Toy:
    """A repository with two claims, of which one can rise above PARTIAL."""
    contract = (toy.root / "contracts/toy-v1.yaml").read_text()
    toy.write("contracts/toy-v1.yaml", contract + SECOND)
    check = (toy.root / "checks/test_toy.py").read_text()
    toy.write("checks/test_toy.py", check + SECOND_CHECK)
    return toy


def git(toy: Toy, *words: str) -> None:
    identity = ("-c", "user.name=n", "-c", "user.email=e@example.invalid")
    subprocess.run(
        ["git", *identity, *words],
        cwd=toy.root,
        check=True,
        capture_output=True,
        env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull},
    )


def commit(toy: Toy) -> None:
    toy.write(".gitignore", "reports/\n__pycache__/\n")
    git(toy, "init", "-q")
    git(toy, "add", "-A")
    git(toy, "commit", "-q", "-m", "first")


# what is chosen


def test_a_dry_run_says_what_and_why_and_stores_nothing(two: Toy) -> None:
    done = two.pv("run", "--dry-run")
    assert done.returncode == 3
    assert done.stdout == (
        "FALSIFY-TOY-001  never measured\n"
        "    checks/test_toy.py::test_two_and_three_make_five\n"
        "FALSIFY-TOY-002  never measured\n"
        "    checks/test_toy.py::test_zero_is_neutral\n"
        "would measure 2 of 2 falsifiers, 0 had fresh evidence\n"
    )
    assert not two.evidence()
    assert not (two.root / "reports").exists()


def test_a_dry_run_names_the_change_that_made_it_stale(proven: Toy) -> None:
    assert proven.pv("run", "--list").stdout == (
        "would measure 0 of 1 falsifiers, 1 had fresh evidence\n"
    )
    proven.edit("src/toy/math.py", "def add(a, b)", "def add(a, b, c=0)")
    done = proven.pv("run", "--dry-run")
    assert done.stdout.startswith(f"{ID}  stale: src/toy/math.py changed")
    done = proven.pv("run", "--dry-run", "--again", "--level", "INTEGRATION")
    assert f"{ID}  stale: " in done.stdout


def test_a_dry_run_says_that_it_was_asked_again(proven: Toy) -> None:
    done = proven.pv("run", "--dry-run", "--again")
    assert done.stdout.startswith(f"{ID}  asked for again\n")


def test_a_falsifier_without_a_check_is_counted_apart(two: Toy) -> None:
    two.edit("checks/test_toy.py", '@pytest.mark.falsifies("FALSIFY-TOY-002")\n', "")
    two.edit("contracts/toy-v1.yaml", "  rule: zero is neutral", "  counted: false\n  rule: z")
    done = two.pv("run", "--dry-run")
    assert done.stdout.splitlines()[-1] == (
        "would measure 1 of 2 falsifiers, 0 had fresh evidence, 1 had no check"
    )


def test_a_level_chooses_by_the_ceiling(two: Toy) -> None:
    done = two.pv("run", "--dry-run", "--level", "PARTIAL")
    assert "would measure 1 of 1 falsifiers" in done.stdout
    assert "FALSIFY-TOY-002" in done.stdout
    both = two.pv("run", "--dry-run", "--level", "PARTIAL", "--level", "INTEGRATION")
    assert "would measure 2 of 2 falsifiers" in both.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--level", "DISCHARGED"], "of 1 falsifiers none has the ceiling DISCHARGED"),
        (["--stale"], "of 1 falsifiers none is stale"),
        (["--failed"], "of 1 falsifiers none is failed"),
        (
            ["--stale", "--failed", "--level", "INTEGRATION"],
            "of 1 falsifiers none is stale or failed and has the ceiling INTEGRATION",
        ),
    ],
)
def test_nothing_chosen_is_never_a_pass(proven: Toy, words: list[str], sentence: str) -> None:
    done = proven.pv("run", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"pv: nothing is selected: {sentence}\n"


def test_what_is_stale_is_measured_and_nothing_else(two: Toy) -> None:
    assert two.pv("run", ID).returncode == 3
    two.edit("src/toy/math.py", "def add(a, b)", "def add(a, b, c=0)")
    done = two.pv("run", "--stale")
    assert "measured 1 of 1 falsifiers, 0 had fresh evidence" in done.stdout
    assert [r.falsifier_id for r in records(two)] == [ID, ID]


def test_what_failed_is_measured_once_more(two: Toy) -> None:
    two.edit("src/toy/math.py", "a + b", "a + b - 2 * b")
    assert two.pv("run").returncode == 1
    done = two.pv("run", "--failed")
    assert done.returncode == 1
    assert "measured 1 of 1 falsifiers" in done.stdout  # 2 - 0 is 2
    assert sorted(r.falsifier_id for r in records(two)) == [ID, ID, "FALSIFY-TOY-002"]


# what has changed since a revision


def test_a_change_chooses_whom_it_may_concern(two: Toy) -> None:
    two.write("src/toy/unrelated.py", "VALUE = 1\n")
    commit(two)
    done = two.pv("run", "--changed")
    assert done.stderr == (
        "pv: nothing is selected: of 2 falsifiers none is touched by a change since HEAD\n"
    )
    two.edit("src/toy/unrelated.py", "1", "2")
    assert two.pv("run", "--changed").returncode == 2
    two.edit("src/toy/cli.py", "int(sys.argv[1])", "int(sys.argv[1]) + 0")
    # The command imports it, but no import statement of the check says so: it shows once run.
    assert two.pv("run", "--changed").returncode == 2
    git(two, "commit", "-qam", "second")
    assert two.pv("run").returncode == 3
    two.edit("src/toy/cli.py", "+ 0", "- 0")
    done = two.pv("run", "--changed", "--dry-run")
    assert done.stdout.startswith(f"{ID}  stale: src/toy/cli.py changed")
    assert "would measure 1 of 1" in done.stdout


def test_a_change_of_a_claim_or_of_a_defect_chooses_that_claim(two: Toy) -> None:
    commit(two)
    two.edit("contracts/toy-v1.yaml", "zero is neutral", "nothing is neutral")
    done = two.pv("run", "--changed", "HEAD", "--dry-run")
    assert "would measure 1 of 1" in done.stdout
    assert "FALSIFY-TOY-002" in done.stdout
    git(two, "checkout", "-q", ".")
    two.edit("contracts/toy-v1.yaml", 'replace: "a + b + 1"', 'replace: "a + b + 2"')
    assert two.pv("run", "--changed", "--dry-run").stdout.startswith(ID)
    git(two, "checkout", "-q", ".")
    two.edit("contracts/toy-v1.yaml", "the toy adds", "the toy adds up")
    assert two.pv("run", "--changed", "--dry-run").returncode == 2


def test_an_untracked_and_a_deleted_file_are_changes(two: Toy) -> None:
    commit(two)
    assert two.pv("run").returncode == 3
    two.write("checks/conftest.py", "")
    assert "would measure 2 of 2" in two.pv("run", "--changed", "--dry-run").stdout
    (two.root / "checks/conftest.py").unlink()
    assert two.pv("run", "--changed", "--dry-run").returncode == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--changed", "no-such-branch"],
            "--changed no-such-branch: there is no such revision",
        ),
        (["--changed=-x"], "--changed '-x': that is no revision"),
        (
            ["--changed", ID],
            (
                f"--changed {ID}: there is no such revision; "
                f"{ID} is no revision; write --changed=HEAD {ID}"
            ),
        ),
    ],
)
def test_a_revision_that_means_nothing_is_a_usage_error(
    toy: Toy, words: list[str], message: str
) -> None:
    commit(toy)
    done = toy.pv("run", *words)
    assert (done.returncode, done.stderr) == (2, f"pv: {message}\n")


def test_changes_need_a_repository(toy: Toy) -> None:
    done = toy.pv("run", "--changed")
    assert done.returncode == 2
    assert "--changed HEAD: fatal: not a git repository" in done.stderr


# attempts

SOMETIMES = """\
import pathlib

import pytest

COUNT = pathlib.Path(__file__).parent / "count"


@pytest.mark.falsifies("FALSIFY-TOY-001")
def test_x(measure):
    tried = len(COUNT.read_text()) if COUNT.exists() else 0
    COUNT.write_text("x" * (tried + 1))
    {body}
"""


@pytest.mark.parametrize(
    ("body", "said", "code", "status"),
    [
        ("measure('sum', 4 + (tried > 0))", "1 FAILED, 2 PASSED", 1, "FLAKY"),
        ("measure('sum', 5 if tried else None)", "1 ERROR, 2 PASSED", 3, "NOT_RUN"),
        ("measure('sum', 4)", "1 FAILED, 2 FAILED, 3 FAILED", 1, "FAILED"),
    ],
)
def test_what_is_red_is_tried_again_and_every_attempt_is_kept(
    toy: Toy, body: str, said: str, code: int, status: str
) -> None:
    toy.write("checks/test_toy.py", SOMETIMES.format(body=body))
    done = toy.pv("run", "--retries", "2")
    assert done.returncode == code
    assert f"attempts at {ID}: {said}\n" in done.stdout
    assert status in done.stdout
    assert len(toy.evidence()) == 1
    attempts = [(r.attempt, r.verdict.value) for r in records(toy)]
    assert ", ".join(f"{n} {v}" for n, v in attempts) == said
    assert "checks, attempt 2: 1" in done.stderr


def test_what_passes_is_not_tried_again(toy: Toy) -> None:
    assert toy.pv("run", "--retries", "3").returncode == 3
    assert [r.attempt for r in records(toy)] == [1]


def test_a_hunt_for_flakes_measures_fresh_evidence_again(proven: Toy) -> None:
    done = proven.pv("run", "--repeat", "3")
    assert f"attempts at {ID}: 1 PASSED, 2 PASSED, 3 PASSED" in done.stdout
    assert sorted(r.attempt for r in records(proven)) == [1, 1, 2, 3]


# several seeds

SEEDED = """\
import pytest


@pytest.mark.falsifies("FALSIFY-TOY-001")
def test_x(measure, {asked}):
    measure("sum", {value})
"""


@pytest.mark.parametrize(
    ("bound", "rule", "value", "verdict", "said"),
    [
        ("{eq: 5}", "rule: bound", "5", Verdict.PASSED, ""),
        (
            "{eq: 5}",
            "rule: bound",
            "5 + (seed == 7)",
            Verdict.FAILED,
            f"[{ID}] sum is 6, but must be = 5",
        ),
        ("{lt: 6}", "rule: t-test, confidence: 0.95", "5 + seed / 100", Verdict.PASSED, ""),
        (
            "{lt: 5.09}",
            "rule: t-test, confidence: 0.95",
            "5 + seed / 100",
            Verdict.FAILED,
            (
                "sum is 5.09078 (upper 95 % limit of the mean 5.03 over 3 seeds), "
                "but must be < 5.09"
            ),
        ),
    ],
)
def test_a_claim_over_seeds_is_judged_by_its_rule(
    toy: Toy, bound: str, rule: str, value: str, verdict: Verdict, said: str
) -> None:
    toy.edit(
        "contracts/toy-v1.yaml",
        "bounds: {sum: {eq: 5}}",
        f"seeds: {{values: [0, 2, 7], {rule}}}\n  bounds: {{sum: {bound}}}",
    )
    toy.write("checks/test_toy.py", SEEDED.format(asked="seed", value=value))
    toy.pv("run")
    (record,) = records(toy)
    assert (record.verdict, record.reason[: len(said)]) == (verdict, said)
    assert sorted(m.seed or 0 for m in record.measurements) == [0, 2, 7]
    shown = toy.pv("explain", ID).stdout
    if verdict is Verdict.PASSED:
        assert "measured with seeds 0, 2, 7" in shown


def test_a_planted_defect_is_killed_by_the_mean_over_the_seeds(toy: Toy) -> None:
    rule = "seeds: {values: [0, 1, 2], rule: t-test, confidence: 0.95}"
    toy.edit(
        "contracts/toy-v1.yaml",
        "bounds: {sum: {eq: 5}}",
        f"{rule}\n  bounds: {{sum: {{lt: 6}}}}",
    )
    toy.edit("contracts/toy-v1.yaml", 'replace: "a - b"', 'replace: "a + 9 * b"')
    toy.write(
        "checks/test_toy.py",
        "import pytest\n\nfrom toy.math import add\n\n\n"
        "@pytest.mark.falsifies('FALSIFY-TOY-001')\n"
        "def test_x(measure, seed):\n"
        "    measure('sum', add(2, 3) + (seed - 1) / 10)\n",
    )
    done = toy.pv("run", "--prove")
    # One of the values of off-by-one, 5.9, is below the threshold; their mean is not.
    assert "2 of 2 declared defects killed" in done.stdout
    shown = " ".join(toy.pv("explain", ID).stdout.split())
    assert "off-by-one KILLED" in shown
    assert "swapped GREEN" in shown


def test_a_check_that_ignores_the_seeds_is_an_error(toy: Toy) -> None:
    toy.edit(
        "contracts/toy-v1.yaml",
        "bounds: {sum",
        "seeds: {values: [0, 1], rule: bound}\n  bounds: {sum",
    )
    toy.write("checks/test_toy.py", SEEDED.format(asked="tmp_path", value="5"))
    done = toy.pv("run")
    assert done.returncode == 4
    said = " ".join(done.stdout.split())
    assert "the check does not ask for the fixture `seed`" in said


def test_seeds_work_in_a_plain_pytest_too(toy: Toy) -> None:
    toy.edit(
        "contracts/toy-v1.yaml",
        "bounds: {sum",
        "seeds: {values: [0, 1], rule: bound}\n  bounds: {sum",
    )
    toy.write("checks/test_toy.py", SEEDED.format(asked="seed", value="5"))
    done = toy.python("-m", "pytest", "checks", "-q")
    assert "2 passed" in done.stdout


# what is recorded


def test_a_file_that_is_read_and_covered_by_nothing_is_recorded(toy: Toy) -> None:
    toy.write("data/expected.json", "5")
    toy.write(
        "checks/test_toy.py",
        "import pathlib, pytest\n\n\n"
        "@pytest.mark.falsifies('FALSIFY-TOY-001')\n"
        "def test_x(measure):\n"
        "    measure('sum', int(pathlib.Path('data/expected.json').read_text()))\n",
    )
    toy.pv("run")
    (record,) = records(toy)
    assert record.opened == ("data/expected.json",)


def test_a_curve_is_stored(toy: Toy) -> None:
    toy.write(
        "checks/test_toy.py",
        "import pytest\n\n\n"
        "@pytest.mark.falsifies('FALSIFY-TOY-001')\n"
        "def test_x(measure, record_series):\n"
        "    record_series('loss', [1, 2], [0.5, float('nan')], x_unit='step')\n"
        "    measure('sum', 5)\n",
    )
    toy.pv("run")
    (record,) = records(toy)
    (curve,) = record.series
    assert (curve.name, curve.x, curve.y[0], curve.x_unit) == ("loss", (1, 2), 0.5, "step")


def test_an_edit_within_the_second_is_measured_as_it_stands(toy: Toy) -> None:
    # Python itself would take the bytecode that the first run has left.
    toy.edit("src/toy/math.py", "a + b", "a + b + 0")
    source = toy.root / "src/toy/math.py"
    before = source.stat()
    run = [sys.executable, "-m", "pv_harness", "run", "--again"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "harness")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    for text, verdict in (("b + 0", Verdict.PASSED), ("b + 1", Verdict.FAILED)):
        source.write_text(source.read_text().replace("b + 0", text))
        os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
        subprocess.run(run, cwd=toy.root, env=environment, capture_output=True, check=False)
        assert max(records(toy), key=lambda r: r.finished_s).verdict is verdict


def test_an_entry_point_run_as_a_module_is_reached(toy: Toy) -> None:
    cli = (toy.root / "src/toy/cli.py").read_text()
    toy.write("src/toy/cli.py", cli + '\n\nif __name__ == "__main__":\n    main()\n')
    toy.edit("checks/test_toy.py", '"toy", "2"', '"toy.cli", "2"')
    toy.pv("run")
    (record,) = records(toy)
    assert record.reached == ("toy.cli:main",)


def test_several_workers_find_what_one_finds(two: Toy) -> None:
    two.pv("run")
    two.pv("run", "--jobs", "2", "--again")
    found = {(r.falsifier_id, r.verdict, r.reached, r.manifest) for r in records(two)}
    assert len(found) == 2


# usage


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--jobs", "0"], "argument --jobs: 0 is not at least 1"),
        (["--jobs", "many"], "argument --jobs: 'many' is not a whole number"),
        (["--retries", "-1"], "argument --retries: -1 is not at least 0"),
        (["--repeat", "0"], "argument --repeat: 0 is not at least 1"),
        (["--level", "HIGH"], "argument --level: invalid choice: 'HIGH'"),
    ],
)
def test_options_that_make_no_sense_are_usage_errors(
    toy: Toy, words: list[str], message: str
) -> None:
    done = toy.pv("run", *words)
    assert done.returncode == 2
    assert message in done.stderr


@pytest.mark.parametrize(
    ("module", "words", "message"),
    [
        ("pytest", [], "measuring needs pytest, which is not installed"),
        ("xdist", ["--jobs", "2"], "--jobs needs pytest-xdist, which is not installed"),
    ],
)
def test_what_is_not_installed_is_named(
    toy: Toy, module: str, words: list[str], message: str
) -> None:
    code = (
        f"import sys; sys.modules[{module!r}] = None\n"
        f"from pv_harness.cli import main; sys.exit(main(['run', *{words!r}]))"
    )
    done = toy.python("-c", code)
    assert done.returncode == 2
    assert done.stderr == f"pv: {message}: pip install 'pv-harness[run]'\n"


# while it works


def test_each_result_is_a_line_where_there_is_no_terminal(two: Toy) -> None:
    done = two.pv("run")
    lines = done.stderr.splitlines()
    assert lines[0] == "checks: 2"
    assert [re.sub(r"[0-9.]+s$", "", line) for line in lines[1:]] == [
        "[1/2] FALSIFY-TOY-001 passed ",
        "[2/2] FALSIFY-TOY-002 passed ",
    ]


def test_on_a_terminal_one_line_is_drawn_anew(two: Toy) -> None:
    two.edit(
        "checks/test_toy.py",
        'measure("neutral", add(2, 0))',
        '__import__("threading").Event().wait(1.0)\n    measure("neutral", 3)',
    )
    controller, terminal = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "harness"), "TERM": "xterm"}
    with subprocess.Popen(
        [sys.executable, "-m", "pv_harness", "run"],
        cwd=two.root,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=terminal,
    ) as process:
        os.close(terminal)
        said = b""
        while select.select([controller], [], [], 60)[0]:
            try:
                part = os.read(controller, 4096)
            except OSError:  # the last holder of the terminal has closed it
                break
            said += part
        assert process.wait() == 1
    os.close(controller)
    text = said.decode()
    assert re.search(r"\r\033\[Kchecks 1/2 · \d+s.* · running test_zero_is_neutral", text)
    assert "\033[KFALSIFY-TOY-002 failed 1." in text
    assert re.search(r"\r\033\[Kchecks: 2 of 2 in \d+s\r\n$", text)


# killed


HANGING = """\
import pathlib
import threading

import pytest


@pytest.mark.falsifies("FALSIFY-TOY-001")
def test_x(cli):
    cli("python", "-c", {code!r}, cwd={root!r})
"""


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="the test needs Linux")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_when_pv_is_killed_its_checks_end_and_its_folder_goes(
    toy: Toy, tmp_path: Path, jobs: str
) -> None:
    code = (
        "import os, pathlib, threading\n"
        "pathlib.Path('started.tmp').write_text(f'{os.getpid()} {os.getppid()}')\n"
        "pathlib.Path('started.tmp').rename('started')\n"
        "threading.Event().wait()"
    )
    toy.write("checks/test_toy.py", HANGING.format(code=code, root=str(tmp_path)))
    (tmp_path / "temporary").mkdir()
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "harness"),
        "TMPDIR": str(tmp_path / "temporary"),
    }
    with subprocess.Popen(
        [sys.executable, "-m", "pv_harness", "run", "--jobs", jobs],
        cwd=toy.root,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        while not (tmp_path / "started").exists():
            assert process.poll() is None
            os.sched_yield()
        pids = [int(pid) for pid in (tmp_path / "started").read_text().split()]
        descriptors = [os.pidfd_open(pid) for pid in pids]
        assert list((tmp_path / "temporary").glob("pv-run-*"))
        process.send_signal(signal.SIGKILL)
        process.wait()
    for descriptor in descriptors:
        assert select.select([descriptor], [], [], 30)[0], "a process of the check lives on"
        os.close(descriptor)
    for _ in range(1_000_000):
        if not list((tmp_path / "temporary").glob("pv-run-*")):
            break
        os.sched_yield()
    assert not list((tmp_path / "temporary").glob("pv-run-*"))


SLOW = """\

import pathlib
import threading


@pytest.mark.falsifies("FALSIFY-TOY-002")
def test_slow(measure):
    pathlib.Path(__file__).with_name("started").touch()
    threading.Event().wait()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_keeps_what_is_complete_and_says_nothing_of_the_rest(
    two: Toy, number: signal.Signals
) -> None:
    check = (two.root / "checks/test_toy.py").read_text()
    two.write("checks/test_toy.py", check[: check.index(SECOND_CHECK)] + SLOW)
    with subprocess.Popen(
        [sys.executable, "-m", "pv_harness", "run"],
        cwd=two.root,
        env={**os.environ, "PYTHONPATH": str(ROOT / "harness")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while not (two.root / "checks/started").exists():
            assert process.poll() is None
            os.sched_yield()
        process.send_signal(number)
        said, told = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "")
    assert told.endswith(
        "pv: interrupted; what was complete is stored, the rest is due again\n"
    )
    (statement,) = read_statements(two.root / "reports" / "evidence")
    assert statement.planned == (ID,)
    assert [(r.falsifier_id, r.verdict) for r in statement.runs] == [(ID, Verdict.PASSED)]
    assert two.pv("evidence", "verify").returncode == 0
    due = two.pv("run", "--dry-run").stdout
    assert due.startswith("FALSIFY-TOY-002  never measured\n")


EAGER = (
    "import sys\n"
    "from pv_harness.cli import main\n"
    "from pv_harness.workflow.keeping import ResultKeeper\n"
    "ResultKeeper.is_due = lambda self: True  # as if a minute had passed each time\n"
    "sys.exit(main(['run']))\n"
)


def test_a_run_that_is_killed_outright_loses_only_what_was_not_yet_stored(two: Toy) -> None:
    check = (two.root / "checks/test_toy.py").read_text()
    two.write("checks/test_toy.py", check[: check.index(SECOND_CHECK)] + SLOW)
    with subprocess.Popen(
        [sys.executable, "-c", EAGER],
        cwd=two.root,
        env={**os.environ, "PYTHONPATH": str(ROOT / "harness")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        while not two.evidence():
            assert process.poll() is None
            os.sched_yield()
        process.kill()
    assert [(r.falsifier_id, r.verdict) for r in records(two)] == [(ID, Verdict.PASSED)]
    assert two.pv("evidence", "verify").returncode == 0


def test_a_file_in_the_place_of_the_folder_of_reports_is_named(two: Toy) -> None:
    file = two.write("out", "a file")
    two.edit("pyproject.toml", "[tool.pv]", '[tool.pv]\nreports = "out"')
    done = two.pv("run", "FALSIFY-TOY-002")
    assert done.returncode == 4
    what = f"the report can't be written ({file} is a file; it should be a folder)"
    assert done.stderr.endswith(f"pv: {file}/scoreboard.md: {what}\n")
    # What was measured is not lost.
    assert [r.falsifier_id for r in records(two)] == ["FALSIFY-TOY-002"]


def test_the_steps_of_a_long_run_are_a_chain_that_a_red_one_can_not_be_taken_out_of(
    two: Toy,
) -> None:
    two.edit("checks/test_toy.py", "int(done.stdout)", "int(done.stdout) + 1")
    # The second waits for the first to be stored.
    two.edit(
        "checks/test_toy.py",
        'measure("neutral", add(2, 0))',
        "while not list(pathlib.Path('reports/evidence').glob('*.intoto.jsonl')):\n"
        '        pass\n    measure("neutral", add(2, 0))',
    )
    two.edit("checks/test_toy.py", "import pytest", "import pathlib\n\nimport pytest")
    assert two.python("-c", EAGER).returncode == 1
    first, second = read_statements(two.root / "reports" / "evidence")
    assert (first.planned, second.planned) == ((ID,), ("FALSIFY-TOY-002",))
    assert second.previous == (first.digest,)
    assert two.pv("evidence", "verify").returncode == 0
    (two.root / "reports" / "evidence" / f"{first.digest}.intoto.jsonl").unlink()
    done = two.pv("evidence", "verify")
    assert done.returncode == 4
    assert first.digest[:12] in done.stdout
