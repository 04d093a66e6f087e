"""`pv prove` as people type it: what each fault is told, on the board and by explain."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pv_harness.evidence.records import PatchOutcome
from pv_harness.evidence.statement import RunStatement
from pv_harness.evidence.store import append_statement, read_statements


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness.conftest import Toy

    from pv_harness.evidence.records import PatchRecord

ROOT = Path(__file__).resolve().parents[3]
ID = "FALSIFY-TOY-001"
CONTRACT = "contracts/toy-v1.yaml"
MINUS = '{id: minus, file: src/toy/math.py, find: "a + b", replace: "a - b", expect: sum}'
LOG = '''

class Log:
    """Remembers, which no claim is about."""

    def note(self, text: str) -> int:
        self.last = text
        return len(text)


LOG = Log()
'''


def outcomes(toy: Toy) -> dict[str, str]:
    """Name of a planted change -> what is stored of it."""
    return {p.patch_id: p.outcome.value for p in stored(toy)}


def stored(toy: Toy) -> list[PatchRecord]:
    return [p for s in read_statements(toy.root / "reports/evidence") for p in s.patches]


def replace_minus(toy: Toy, replacement: str, more: str = "") -> None:
    """Make the first declared defect another one."""
    text = f'find: "return a + b", replace: "{replacement}", expect: sum{more}'
    toy.edit(CONTRACT, MINUS, f"{{id: minus, file: src/toy/math.py, {text}}}")


# four faults of a check, four answers


def test_a_check_that_can_not_fail_is_vacuous(toy: Toy) -> None:
    toy.edit("checks/test_toy.py", "int(done.stdout)", "5 * len(done.args) // 5")
    done = toy.pv("prove")
    assert done.returncode == 1
    assert f"✗ {ID} VACUOUS       0/2 " in done.stdout
    assert (
        "    minus SURVIVED: every bound check stayed green; off-by-one SURVIVED" in done.stdout
    )
    assert "0 of 2 declared defects killed\n" in done.stdout
    explained = toy.pv("explain", ID).stdout
    assert "  ✗ minus SURVIVED: every bound check stayed green\n" in explained
    assert "  to change that  sharpen the check, or correct the defect\n" in explained


def test_a_check_that_is_red_on_arrival_is_refuted_and_nothing_is_planted(toy: Toy) -> None:
    toy.edit("src/toy/math.py", "a + b", "a + b + 1")
    done = toy.pv("prove")
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"✗ {ID} FAILED        0/2 " in done.stdout
    assert "    sum is 6, but must be = 5\n" in done.stdout
    assert not stored(toy)
    explained = toy.pv("explain", ID).stdout
    assert "  ? minus: not planted: the check is not green without it\n" in explained
    assert f"correct code, check or claim; then pv run --prove {ID}\n" in explained


def test_a_change_whose_anchor_vanished_is_void_and_all_else_is_judged(proven: Toy) -> None:
    toy = proven
    other = toy.root / "contracts/other-v1.yaml"
    text = (toy.root / CONTRACT).read_text(encoding="utf-8")
    other.write_text(text.replace("toy-v1", "other-v1").replace("TOY-001", "OTHER-001"))
    toy.edit(CONTRACT, 'find: "a + b", replace: "a - b"', 'find: "a * b", replace: "a - b"')
    validated = toy.pv("validate")
    assert validated.returncode == 2
    assert f"{CONTRACT}:16:46: PV052 {ID}: minus: the text to find does not" in validated.stdout
    done = toy.pv("prove", ID)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"✗ {ID} VACUOUS " in done.stdout
    assert "pv prove --verify-anchors\n" in done.stdout
    board = toy.pv("scoreboard")
    assert "FALSIFY-OTHER-001 UNBOUND" in board.stdout
    explained = toy.pv("explain", ID).stdout
    assert "  ✗ minus VOID: the text to find does not stand in src/toy/math.py" in explained
    assert "  ✓ off-by-one KILLED\n" in explained
    assert toy.pv("gate").returncode == 1


def test_a_change_outside_the_subject_is_void_and_all_else_is_judged(proven: Toy) -> None:
    toy = proven
    text = (toy.root / CONTRACT).read_text(encoding="utf-8")
    entry = text.partition("falsifiers:\n")[2].replace("TOY-001", "TOY-002")
    toy.write(CONTRACT, text + entry.replace("toy.math", "toy.cli"))
    check = (toy.root / "checks/test_toy.py").read_text(encoding="utf-8")
    toy.write("checks/test_more.py", check.replace("TOY-001", "TOY-002"))
    toy.write("src/toy/sums.py", "from toy.math import add\n")
    assert toy.pv("run", "--prove").returncode == 0
    # The command gets its sums from elsewhere: the defects of the second claim stay behind.
    toy.edit("src/toy/cli.py", "from toy.math import add", "add = int.__add__")
    assert toy.pv("validate").stdout.count("PV058 FALSIFY-TOY-002: ") == 3
    done = toy.pv("run", "--prove")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "✗ FALSIFY-TOY-002 VACUOUS " in done.stdout
    assert f"✗ {ID} VACUOUS " in done.stdout, "it was judged as well, and notices nothing now"
    explained = toy.pv("explain", "FALSIFY-TOY-002").stdout
    assert "  ✗ minus VOID: changes 'src/toy/math.py', which is neither covered" in explained
    assert "pv prove --verify-anchors\n" in explained
    assert "every bound check stayed green" in toy.pv("explain", ID).stdout
    restored = "from toy.math import add"
    toy.edit("src/toy/cli.py", "add = int.__add__", restored)
    assert toy.pv("gate").returncode == 0


def test_a_file_that_holds_what_a_defect_would_plant_is_measured_and_named(toy: Toy) -> None:
    toy.edit("src/toy/math.py", "a + b", "a - b")
    done = toy.pv("run", "--prove")
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"✗ {ID} FAILED " in done.stdout
    told = " ".join(done.stdout.split())
    assert (
        "sum is -1, but must be = 5; src/toy/math.py holds what minus would plant: 'a - b' →"
        in told
    )
    assert (
        "minus: src/toy/math.py holds what minus would plant: 'a - b'; take it out of there"
        in (toy.pv("validate").stdout)
    )


def test_a_file_that_the_copy_lacks_is_void_and_says_why(toy: Toy) -> None:
    toy.write("src/toy/rate.json", '{"rate": 1}\n')
    toy.edit(
        CONTRACT,
        MINUS,
        '{id: minus, file: src/toy/rate.json, find: "1", replace: "2", expect: sum}',
    )
    toy.edit(CONTRACT, "  rule: add adds", "  counted: false\n  rule: add adds")
    toy.write(".gitignore", "*.json\nreports\n")
    subprocess.run(["git", "init", "-q", toy.root], check=True)
    done = toy.pv("prove")
    assert f"✗ {ID}¹ VACUOUS" in done.stdout
    assert "[1/3] FALSIFY-TOY-001 minus: VOID" in done.stderr
    explained = toy.pv("explain", ID).stdout
    why = "src/toy/rate.json: not in the copy of the project; does git ignore it?"
    assert f"  ✗ minus VOID: {why}\n" in explained


def test_a_generated_source_that_git_ignores_belongs_to_the_project(toy: Toy) -> None:
    toy.write("src/toy/_version.py", "VERSION = 1\n")
    toy.edit("src/toy/cli.py", "import sys\n", "import sys\n\nfrom toy import _version\n")
    toy.write(".gitignore", "_version.py\nreports\n")
    subprocess.run(["git", "init", "-q", toy.root], check=True)
    done = toy.pv("prove")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_defect_that_crashes_is_vacuous_too_and_called_a_crash(toy: Toy) -> None:
    replace_minus(toy, "import os; os.abort()")
    done = toy.pv("prove")
    assert done.returncode == 1
    assert f"✗ {ID} VACUOUS       1/2 " in done.stdout
    assert re.search(r"\n +minus KILLED_BY_CRASH: .*ValueError: invalid", done.stdout)
    explained = toy.pv("explain", ID).stdout
    assert "  ✗ minus KILLED_BY_CRASH: ValueError: invalid literal for int()" in explained
    assert "  ✓ off-by-one KILLED\n" in explained


def test_a_crash_that_the_contract_accepts_is_a_kill(toy: Toy) -> None:
    replace_minus(toy, "import os; os.abort()", ", accept: [KILLED_BY_CRASH]")
    done = toy.pv("prove")
    assert done.returncode == 0, done.stdout
    assert "2 of 2 declared defects killed\n" in done.stdout
    (record,) = (p for p in stored(toy) if p.patch_id == "minus")
    assert record.outcome is PatchOutcome.KILLED
    assert record.reason.startswith("KILLED_BY_CRASH, which the contract accepts: ValueError")


HANG = "import threading; threading.Event().wait()"


@pytest.mark.parametrize("accepted", [False, True])
def test_a_defect_that_hangs_is_a_timeout(toy: Toy, *, accepted: bool) -> None:
    replace_minus(toy, HANG, ", accept: [TIMEOUT]" if accepted else "")
    toy.edit(CONTRACT, "  covers: [toy.math]", "  covers: [toy.math]\n  timeout_s: 1")
    done = toy.pv("prove")
    assert done.returncode == (0 if accepted else 1), done.stdout + done.stderr
    if accepted:
        assert outcomes(toy)["minus"] == "KILLED"
    else:
        assert "    minus TIMEOUT: " in done.stdout
        assert "did not end within 1 s and was killed" in toy.pv("explain", ID).stdout
        # It says nothing of the defect itself, and so it is planted again.
        assert "minus: TIMEOUT" in toy.pv("prove").stderr


def test_a_control_that_turns_red_is_vacuous(toy: Toy) -> None:
    toy.edit(CONTRACT, 'replace: "b + a"', 'replace: "b + a + 7"')
    done = toy.pv("prove")
    assert done.returncode == 1
    assert re.search(r"\n +swapped RED: .*sum is 12, but must be = 5\n", done.stdout)
    assert "2 of 2 declared defects killed\n" in done.stdout
    explained = toy.pv("explain", ID).stdout
    assert f"  ✗ control swapped RED: [{ID}] sum is 12, but must be = 5\n" in explained


# what is planted, and when again


def test_what_has_a_fresh_answer_is_not_planted_again(proven: Toy) -> None:
    done = proven.pv("prove")
    assert done.returncode == 0
    assert done.stdout.startswith("measured 0 of 1 falsifiers, 1 had fresh evidence\n")
    assert (done.stderr, len(proven.evidence())) == ("", len(proven.evidence()))
    again = proven.pv("prove", "--again", "--jobs", "1")
    assert "planted 3 changes\n" in again.stdout
    assert len(stored(proven)) == 6


def test_a_defect_that_is_new_is_planted_alone(proven: Toy) -> None:
    new = (
        '{id: doubled, file: src/toy/math.py, find: "a + b", replace: "a + 2 * b", expect: sum}'
    )
    proven.edit(CONTRACT, f"  - {MINUS}", f"  - {MINUS}\n  - {new}")
    done = proven.pv("prove")
    assert "planted 1 changes\n" in done.stdout
    assert "[1/1] FALSIFY-TOY-001 doubled: KILLED" in done.stderr
    assert "3 of 3 declared defects killed\n" in done.stdout


def test_a_source_that_changed_has_everything_planted_again(proven: Toy) -> None:
    proven.edit("src/toy/math.py", "    return a + b", "    c = 0\n    return a + b + c")
    assert "planted 3 changes\n" in proven.pv("prove").stdout


def test_a_falsifier_without_defects_plants_nothing(toy: Toy) -> None:
    text = (toy.root / CONTRACT).read_text()
    bare = re.sub(r"  defects:.*", "  defects: []\n", text, flags=re.DOTALL)
    toy.write(CONTRACT, bare.replace("  rule: add adds", "  counted: false\n  rule: add adds"))
    done = toy.pv("prove")
    assert "planted" not in done.stdout + done.stderr
    assert done.stdout.startswith("measured 1 of 1 falsifiers")
    anchors = toy.pv("prove", "--verify-anchors")
    assert anchors.returncode == 2
    assert anchors.stdout == (
        "0 of 0 planted changes apply (0 defects, 0 controls) · 1 falsifier · 0 files\n"
        "nothing is declared, so nothing was looked at\n"
    )


def test_an_unknown_name_is_a_usage_error(toy: Toy) -> None:
    for question in ([], ["--verify-anchors"], ["--suggest"]):
        done = toy.pv("prove", *question, "FALSIFY-NO-001")
        assert (done.returncode, done.stdout) == (2, "")
        assert "FALSIFY-NO-001" in done.stderr
    assert not toy.evidence()


def test_a_broken_proof_of_one_lane_is_seen_beside_the_other(proven: Toy) -> None:
    assert "(cpu " not in proven.pv("explain", ID).stdout
    (whole, *_) = [s for s in read_statements(proven.root / "reports/evidence") if s.patches]
    other = [
        replace(
            p,
            lane="cuda",
            finished_s=p.finished_s + number,
            environment={**(p.environment or {}), "devices": "cpu cuda"},
            outcome=PatchOutcome.SURVIVED if p.patch_id == "minus" else p.outcome,
            reason="every bound check stayed green" if p.patch_id == "minus" else p.reason,
        )
        for number, p in enumerate(whole.patches, 1)
    ]
    statement = RunStatement(
        planned=whole.planned,
        configuration=whole.configuration,
        runs=(),
        patches=tuple(other),
        started_s=whole.started_s,
        pv_version=whole.pv_version,
    )
    append_statement(proven.root / "reports/evidence", statement)
    explained = proven.pv("explain", ID)
    assert "cpu 2/2 · cuda 1/2" in explained.stdout
    assert "VACUOUS" in explained.stdout


# interrupts

WITH_QUICK_STORE = """\
import sys
from pv_harness import cli
from pv_harness.workflow import prove
prove._STORE_EVERY_S = 0.02
sys.exit(cli.main())
"""


@pytest.fixture
def hanging(toy: Toy) -> Toy:
    """A repository in which the last planted change hangs for two minutes."""
    toy.edit(CONTRACT, "{id: off-by-one", "{id: last")
    toy.edit(CONTRACT, '"a + b", replace: "a + b + 1"', f'"return a + b", replace: "{HANG}"')
    return toy


@pytest.fixture
def temporary(tmp_path: Path) -> Iterator[Path]:
    """The temporary folder of a `pv`, with a short path since sockets lie in it."""
    del tmp_path
    with tempfile.TemporaryDirectory(prefix="t-") as folder:
        yield Path(folder).resolve()


def _descendants(pid: int) -> set[int]:
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                text = (entry / "stat").read_text()
            except OSError:
                continue
            parents[int(entry.name)] = int(text.rpartition(") ")[2].split()[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def _wait_for_the_end(pid: int) -> None:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([descriptor], [], [], 30.0)[0], f"process {pid} lives on"
    finally:
        os.close(descriptor)


def _left_in(folder: Path) -> list[Path]:
    # What pytest keeps of a check's `tmp_path` is its own business.
    return [path for path in folder.iterdir() if not path.name.startswith("pytest-of-")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupt_keeps_what_is_done_and_leaves_nothing_behind(
    hanging: Toy, temporary: Path, number: signal.Signals
) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "harness"),
        "TMPDIR": str(temporary),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    environment.pop("PV_PLAN", None)
    started = subprocess.Popen(
        [sys.executable, "-c", WITH_QUICK_STORE, "prove", "--jobs", "2"],
        cwd=hanging.root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert started.stderr is not None
    seen = ""
    while not ("swapped: GREEN" in seen and "minus: KILLED" in seen):
        line = started.stderr.readline()
        assert line, seen
        seen += line
    deadline = time.monotonic() + 30
    while number is signal.SIGKILL and len(outcomes(hanging)) < 2:
        assert time.monotonic() < deadline, "nothing is stored while a change hangs"
    children = _descendants(started.pid)
    assert children
    started.send_signal(number)
    _, errors = started.communicate(timeout=60)
    for child in children:
        _wait_for_the_end(child)
    assert outcomes(hanging) == {"swapped": "GREEN", "minus": "KILLED"}
    if number is signal.SIGKILL:
        # Whoever cleans up for it is no child of ours.
        deadline = time.monotonic() + 30
        while _left_in(temporary) and time.monotonic() < deadline:
            os.sched_yield()
    else:
        assert started.returncode == 130
        assert errors == "pv: interrupted; what was complete is stored, the rest is due again\n"
    assert _left_in(temporary) == []
    hanging.edit(CONTRACT, f'"{HANG}"', '"return a * b"')
    done = hanging.pv("prove")
    assert "planted 1 changes\n" in done.stdout
    assert done.returncode == 0


# --verify-anchors


def test_anchors_that_stand_are_counted(toy: Toy) -> None:
    done = toy.pv("prove", "--verify-anchors")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "3 of 3 planted changes apply (2 defects, 1 control) · 1 falsifier · 1 file\n"
    )
    assert not (toy.root / "reports").exists()


def test_an_anchor_that_moved_is_found_at_its_place(toy: Toy) -> None:
    toy.edit(
        CONTRACT, 'find: "a + b", replace: "b + a"', 'find: "return a+b", replace: "b + a"'
    )
    done = toy.pv("prove", "--verify-anchors")
    assert done.returncode == 2
    problem, counts = done.stdout.splitlines()
    assert problem.startswith(
        f"{CONTRACT}:19:48: PV052 {ID}: swapped: the text to find does not"
    )
    assert "nearest is line 6: 'return a + b'" in problem
    assert counts == (
        "2 of 3 planted changes apply (2 defects, 1 control) · 1 falsifier · 1 file"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--verify-anchors", "--suggest"], "not allowed with argument --verify-anchors"),
        (["--verify-anchors", "--stale"], "--verify-anchors takes no --stale; leave it out"),
        (["--verify-anchors", "--again"], "--verify-anchors takes no --again; leave it out"),
        (
            ["--verify-anchors", "--limit", "3"],
            "--verify-anchors takes no --limit; leave it out",
        ),
        (["--suggest", "--again"], "--suggest takes no --again; leave it out"),
        (["--limit", "3"], "pv prove without --suggest takes no --limit; leave it out"),
        (["--suggest", "--limit", "0"], "0 is not at least 1"),
        (["--jobs", "0"], "0 is not at least 1"),
    ],
)
def test_an_option_that_means_nothing_here_is_refused(
    toy: Toy, words: list[str], message: str
) -> None:
    done = toy.pv("prove", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


# --suggest


def test_a_function_that_nothing_notices_is_printed_as_an_entry(toy: Toy) -> None:
    _log(toy)
    done = toy.pv("prove", "--suggest", "--jobs", "2")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        f"# {CONTRACT}:15 below `defects:` of {ID}\n"
        "  # src/toy/math.py:13 Log.note: no check notices `return 0` or `return 1` as its "
        "first line\n"
        "  - id: log-note-returns-constant\n"
        '    file: "src/toy/math.py"\n'
        '    find: "self.last = text"\n'
        '    replace: "return 0\\n        self.last = text"\n'
        "    expect: sum\n"
        "\n"
        "sharpen a check until it notices, and keep the entry as the proof;\n"
        "or leave both as they are, if the claim is not about that function\n"
        "2 functions covered by 1 falsifier · 2 entered by a check · 2 tried · 1 noticed · "
        "1 not noticed\n"
    )
    assert "src/toy/math.py:13 Log.note: not noticed" in done.stderr
    assert not (toy.root / "reports").exists(), "advice is not evidence"


def _log(toy: Toy) -> None:
    toy.write("src/toy/math.py", (toy.root / "src/toy/math.py").read_text() + LOG)
    toy.edit("src/toy/math.py", "    return a + b", '    LOG.note("adding")\n    return a + b')


def test_a_printed_entry_can_be_pasted_as_it_is(toy: Toy) -> None:
    _log(toy)
    text = toy.pv("prove", "--suggest").stdout
    place = re.match(r"# (\S+):(\d+) below", text)
    assert place is not None
    path = toy.root / place[1]
    lines = path.read_text().splitlines()
    lines[int(place[2]) : int(place[2])] = text.partition("\n\n")[0].splitlines()
    path.write_text("\n".join(lines) + "\n")
    validated = toy.pv("validate", "contracts")
    assert validated.returncode == 0, validated.stdout + validated.stderr
    assert toy.pv("prove", "--verify-anchors").stdout.startswith("4 of 4 planted changes apply")
    assert outcomes_after(toy) == "SURVIVED"
    # What is declared is asked by `pv prove` from now on.
    again = toy.pv("prove", "--suggest").stdout
    assert again.endswith("1 tried · 1 noticed · 0 not noticed · 1 declared already\n")


def outcomes_after(toy: Toy) -> str:
    done = toy.pv("prove")
    assert done.returncode == 1
    assert "log-note-returns-constant SURVIVED" in done.stdout
    return outcomes(toy)["log-note-returns-constant"]


def test_what_a_covered_module_imports_is_covered_too(toy: Toy) -> None:
    toy.edit(CONTRACT, "covers: [toy.math]", "covers: [toy.cli]")
    done = toy.pv("prove", "--suggest")
    assert done.stdout == (
        "2 functions covered by 1 falsifier · 2 entered by a check · 2 tried · 2 noticed · "
        "0 not noticed\n"
    )
    limited = toy.pv("prove", "--suggest", "--limit", "1")
    # Those of the modules that the claim names come first.
    assert "src/toy/cli.py:6 main: noticed" in limited.stderr
    assert "math.py" not in limited.stderr
    assert limited.stdout.endswith("1 left out by --limit 1\n")


def test_a_claim_that_does_not_pass_is_not_asked(toy: Toy) -> None:
    toy.edit("checks/test_toy.py", '"3")', '"4")')
    done = toy.pv("prove", "--suggest")
    assert done.returncode == 2
    assert done.stdout == (
        f"{ID}: not asked, since it does not pass as it is: [{ID}] sum is 6, but must be = 5\n"
        "nothing was tried, so nothing is known\n"
        "0 functions covered by 1 falsifier · 0 entered by a check · 0 tried · 0 noticed · "
        "0 not noticed\n"
    )
