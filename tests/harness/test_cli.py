"""The real command line, in a subprocess, on a small repository."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pv_harness import __version__
from pv_harness.cli import main


ROOT = Path(__file__).resolve().parents[2]

if TYPE_CHECKING:
    from tests.harness.conftest import Toy


def status(toy: Toy) -> str:
    document = json.loads(toy.pv("scoreboard", "--format", "json").stdout)
    (row,) = document["falsifiers"]
    shown = row["status"]
    assert isinstance(shown, str)
    return shown


def test_the_whole_way_from_nothing_to_the_ceiling(toy: Toy) -> None:
    assert toy.pv("validate", "contracts").returncode == 0
    before = toy.pv("scoreboard")
    assert (before.returncode, "NOT_RUN" in before.stdout) == (3, True)
    measured = toy.pv("run")
    assert measured.returncode == 3
    assert "not planted at this fingerprint" in measured.stdout
    proven = toy.pv("prove")
    assert proven.returncode == 0, proven.stdout + proven.stderr
    assert status(toy) == "INTEGRATION/INTEGRATION"
    assert toy.pv("gate").returncode == 0
    assert "INTEGRATION/INTEGRATION" in (toy.root / "reports/scoreboard.md").read_text()


def test_fresh_evidence_is_not_measured_again(proven: Toy) -> None:
    before = proven.evidence()
    done = proven.pv("run", "--prove")
    assert done.returncode == 0
    assert "measured 0 of 1 falsifiers, 1 had fresh evidence" in done.stdout
    assert proven.evidence() == before
    assert proven.pv("run", "--again").returncode == 0
    assert len(proven.evidence()) == len(before) + 1


def test_an_edit_of_a_covered_file_makes_it_stale_by_name(proven: Toy) -> None:
    proven.edit("src/toy/math.py", "def add(a, b)", "def add(a, b=0)")
    assert status(proven) == "STALE(was INTEGRATION, because src/toy/math.py changed: add)"
    done = proven.pv("gate")
    assert done.returncode == 3
    assert "src/toy/math.py changed" in done.stdout
    explained = proven.pv("explain", "FALSIFY-TOY-001").stdout
    assert "src/toy/math.py changed" in explained
    assert "pv run --prove FALSIFY-TOY-001" in explained


def test_an_edit_of_a_module_that_was_only_observed_makes_it_stale(proven: Toy) -> None:
    proven.edit("src/toy/cli.py", "sys.argv[2]", "sys.argv[-1]")
    assert status(proven) == "STALE(was INTEGRATION, because src/toy/cli.py changed: main)"


def test_a_comment_does_not_make_it_stale(proven: Toy) -> None:
    proven.edit("src/toy/math.py", "    return a + b", "    # why\n\n    return a + b  # so")
    assert status(proven) == "INTEGRATION/INTEGRATION"


def test_a_moved_bound_makes_it_stale(proven: Toy) -> None:
    proven.edit("contracts/toy-v1.yaml", "sum: {eq: 5}", "sum: {le: 5}")
    assert status(proven).startswith("STALE(was INTEGRATION, because the claim changed")


def test_another_defect_text_asks_for_another_proof(proven: Toy) -> None:
    proven.edit("contracts/toy-v1.yaml", '"a + b + 1"', '"a + b + 2"')
    assert status(proven) == "NOT_RUN(passed, but not proven)"


def test_another_bound_check_makes_it_stale(proven: Toy) -> None:
    more = "@pytest.mark.falsifies('FALSIFY-TOY-001')\ndef test_more(measure):\n    pass\n"
    proven.write("checks/test_more.py", f"import pytest\n{more}")
    assert status(proven).startswith("STALE(was INTEGRATION")


def test_a_refuted_claim_is_denied(toy: Toy) -> None:
    toy.edit("src/toy/math.py", "a + b", "a +  b + 1")
    done = toy.pv("run", "--prove")
    assert done.returncode == 1  # the anchors of its defects are gone too: they are VOID
    assert "FAILED" in done.stdout
    toy.edit("src/toy/math.py", "a +  b + 1", "a + b")
    toy.edit("src/toy/cli.py", "print(add(", "print(1 + add(")
    done = toy.pv("run", "--prove")
    assert done.returncode == 1
    assert "FAILED" in done.stdout
    assert "sum is 6, but must be = 5" in done.stdout


def test_a_check_that_can_not_fail_is_vacuous(toy: Toy) -> None:
    toy.edit("checks/test_toy.py", "int(done.stdout)", "5")
    done = toy.pv("run", "--prove")
    assert done.returncode == 1
    assert "VACUOUS" in done.stdout
    assert "minus SURVIVED" in done.stdout.replace("\n", " ")


def test_all_skipped_is_no_pass(toy: Toy) -> None:
    toy.edit("checks/test_toy.py", "    done = cli", "    pytest.skip('no')\n    done = cli")
    done = toy.pv("run", "--prove")
    assert done.returncode == 3
    assert "NOT_RUN" in done.stdout


def test_a_bound_that_nothing_measures_is_an_error(toy: Toy) -> None:
    toy.edit("checks/test_toy.py", 'measure("sum"', 'measure("some"')
    done = toy.pv("run")
    assert done.returncode == 4
    assert "no check measured sum" in done.stdout


def test_integration_needs_the_command_itself(toy: Toy) -> None:
    toy.edit("checks/test_toy.py", 'done = cli("python", "-m", "toy", "2", "3")', "import sys")
    toy.edit("checks/test_toy.py", "int(done.stdout)", "add(2, 3)")
    toy.edit("checks/test_toy.py", "import sys", "from toy.math import add")
    assert toy.pv("run", "--prove").returncode == 0
    assert status(toy) == "PARTIAL/INTEGRATION"
    assert "toy.cli:main was not reached" in toy.pv("explain", "FALSIFY-TOY-001").stdout
    assert toy.pv("gate").returncode == 1
    assert toy.pv("gate", "--require", "PARTIAL").returncode == 0


def test_altered_evidence_is_found(proven: Toy) -> None:
    file = proven.evidence()[0]
    file.write_bytes(file.read_bytes().replace(b"payloadType", b"payloadtype"))
    for verb in ("scoreboard", "gate", "run"):
        done = proven.pv(verb)
        assert done.returncode == 4
        assert file.name[:12] in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("verb", ["run", "prove", "scoreboard", "gate"])
def test_an_invalid_contract_stops_everything_and_nothing_is_written(
    toy: Toy, verb: str
) -> None:
    toy.edit("contracts/toy-v1.yaml", "prediction:", "predicton:")
    done = toy.pv(verb)
    assert done.returncode == 2
    assert "contracts/toy-v1.yaml" in done.stderr
    assert "did you mean 'prediction'" in done.stderr
    assert not (toy.root / "reports").exists()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("explain", "FALSIFY-TOY-002"), "did you mean FALSIFY-TOY-001"),
        (("run", "nothing"), "neither a falsifier nor a contract"),
        (("run", "FALSIFY-NO*"), "'FALSIFY-NO*' matches neither a falsifier nor a contract"),
        (("validate", "nowhere"), "nowhere"),
        (("scoreboard", "--root", "nowhere"), "no such folder"),
    ],
)
def test_a_name_that_means_nothing_is_a_usage_error(
    toy: Toy, args: tuple[str, ...], message: str
) -> None:
    done = toy.pv(*args)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_broken_configuration_is_a_usage_error(toy: Toy) -> None:
    toy.edit("pyproject.toml", 'checks = ["checks"]', 'cheks = ["checks"]')
    done = toy.pv("scoreboard")
    assert done.returncode == 2
    assert "unknown key 'cheks'" in done.stderr


def test_a_project_without_contracts_can_not_be_judged(toy: Toy) -> None:
    (toy.root / "contracts/toy-v1.yaml").unlink()
    assert toy.pv("scoreboard").returncode == 2


def test_a_tree_that_changes_while_checks_run_is_no_pass(toy: Toy) -> None:
    toy.edit(
        "checks/test_toy.py",
        "    done = cli",
        "    import pathlib\n"
        "    p = pathlib.Path(__file__).parents[1] / 'src/toy/math.py'\n"
        "    p.write_text(p.read_text() + 'X = 1\\n')\n"
        "    done = cli",
    )
    done = toy.pv("run")
    assert done.returncode == 3
    assert status(toy) == "STALE(was ERROR, because src/toy/math.py changed: module level)"


@pytest.mark.parametrize("columns", [80, 140])
def test_the_board_fits_its_terminal(proven: Toy, columns: int) -> None:
    proven.edit("src/toy/math.py", "def add(a, b)", "def add(a, b=0)")
    done = proven.python("-m", "pv_harness", "scoreboard", columns=columns)
    assert max(len(line) for line in done.stdout.splitlines()) <= columns


def test_a_contract_can_not_drive_the_terminal(toy: Toy) -> None:
    toy.edit("contracts/toy-v1.yaml", "the toy adds", '"the \\e[31mtoy\\a"')
    done = toy.pv("scoreboard")
    assert "\x1b" not in done.stdout
    assert "\a" not in done.stdout


def test_a_contract_can_not_write_html_into_the_report(toy: Toy) -> None:
    toy.edit("contracts/toy-v1.yaml", "the toy adds", '"<script>alert(1)</script>"')
    done = toy.pv("scoreboard", "--format", "markdown")
    assert "<script>" not in done.stdout
    assert "&lt;script&gt;" in done.stdout


def test_a_plain_pytest_shows_the_scoreboard(toy: Toy) -> None:
    done = toy.python("-m", "pytest", "-q", "checks")
    assert done.returncode == 0, done.stdout
    assert "FALSIFY-TOY-001" in done.stdout
    assert "1 falsifier measured by this session, not stored" in done.stdout
    assert toy.evidence() == []


def test_a_plain_pytest_is_red_where_a_bound_is_broken(toy: Toy) -> None:
    toy.edit("src/toy/cli.py", "print(add(", "print(1 + add(")
    done = toy.python("-m", "pytest", "-q", "checks")
    assert done.returncode == 1
    assert "[FALSIFY-TOY-001] sum is 6, but must be = 5" in done.stdout


def test_the_help_names_every_exit_code(toy: Toy) -> None:
    text = toy.pv("--help").stdout
    assert all(f"\n  {code}  " in text for code in range(5))


def test_an_input_below_the_project_survives_the_scratch_copy(toy: Toy) -> None:
    toy.edit(
        "pyproject.toml",
        "[tool.pytest",
        '[tool.pv.inputs]\npair = ["python", "make.py"]\n[tool.pytest',
    )
    toy.write("make.py", 'import json\nprint(json.dumps({"parts": {"x": ".cache/x.bin"}}))\n')
    toy.write(".cache/x.bin", "1")
    toy.edit("contracts/toy-v1.yaml", "  bounds:", "  inputs: [pair]\n  bounds:")
    done = toy.pv("run", "--prove")
    assert done.returncode == 0, done.stdout + done.stderr
    assert status(toy) == "INTEGRATION/INTEGRATION"
    toy.write(".cache/x.bin", "2")
    assert status(toy) == "STALE(was INTEGRATION, because input pair.x changed (.cache/x.bin))"


def test_a_parameter_set_that_is_left_out_is_no_pass(toy: Toy) -> None:
    toy.edit(
        "checks/test_toy.py",
        "\n\n@pytest",
        '\n\n@pytest.mark.parametrize("n", [5, 6])\n@pytest',
    )
    toy.edit("checks/test_toy.py", "(measure, cli)", "(measure, cli, n)")
    toy.edit("checks/test_toy.py", "int(done.stdout)", "int(done.stdout) + n - 5")
    toy.edit("pyproject.toml", "filterwarnings", 'addopts = ["-k", "5"]\nfilterwarnings')
    done = toy.pv("run")
    assert done.returncode == 4
    assert "never run" in " ".join(done.stdout.split())


def test_a_value_measured_in_the_teardown_is_judged_too(toy: Toy) -> None:
    toy.edit(
        "checks/test_toy.py",
        "\n\n@pytest.mark.falsifies",
        "\n\n@pytest.fixture\ndef late(measure):\n    yield\n    measure('sum', 777)\n\n\n"
        "@pytest.mark.falsifies",
    )
    toy.edit("checks/test_toy.py", "(measure, cli)", "(measure, cli, late)")
    done = toy.pv("run")
    assert done.returncode == 1
    assert "sum is 777" in done.stdout


def test_a_helper_beside_the_check_counts(toy: Toy) -> None:
    toy.write("checks/helper.py", "def read(text):\n    return int(text)\n")
    toy.edit(
        "checks/test_toy.py", "import pytest\n", "import pytest\nfrom helper import read\n"
    )
    toy.edit("checks/test_toy.py", "int(done.stdout)", "read(done.stdout)")
    done = toy.pv("run", "--prove")
    assert done.returncode == 0, done.stdout + done.stderr
    toy.edit("checks/helper.py", "int(text)", "5")
    assert status(toy) == "STALE(was INTEGRATION, because checks/helper.py changed: read)"


def test_a_conftest_that_appears_makes_it_stale(proven: Toy) -> None:
    proven.write("checks/conftest.py", "X = 1\n")
    assert status(proven).startswith("STALE(was INTEGRATION, because checks/conftest.py joined")


def test_options_from_the_environment_do_not_reach_the_checks(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONOPTIMIZE", "1")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-k nothing")
    toy.edit(
        "checks/test_toy.py", "    measure(", "    assert done.stdout == '6'\n    measure("
    )
    assert toy.pv("run").returncode == 1


def test_a_module_of_the_same_name_elsewhere_is_not_the_entry_point(toy: Toy) -> None:
    toy.write("elsewhere/toy/__init__.py", "")
    toy.write("elsewhere/toy/cli.py", "def main():\n    print(5)\n")
    toy.edit(
        "checks/test_toy.py",
        'cli("python", "-m", "toy", "2", "3")',
        'cli("python", "-c", "import toy.cli; toy.cli.main()", cwd=ELSEWHERE)',
    )
    toy.edit(
        "checks/test_toy.py", "\n\n@pytest", f"\nELSEWHERE = '{toy.root}/elsewhere'\n\n@pytest"
    )
    toy.pv("run")
    assert "✗ toy.cli:main was not reached" in toy.pv("explain", "FALSIFY-TOY-001").stdout


def test_two_fixtures_of_one_name_are_not_mixed_up(toy: Toy) -> None:
    head = "import pytest\n\n\n@pytest.fixture(scope='module')\n"
    toy.write(
        "checks/test_other.py",
        head
        + "def out(shared_cli):\n    return shared_cli('python', '-m', 'toy', '2', '3')\n\n\n"
        "@pytest.mark.falsifies('FALSIFY-TOY-002')\ndef test_x(measure, out):\n"
        "    measure('sum', int(out.stdout))\n",
    )
    toy.write(
        "checks/test_toy.py",
        head + "def out():\n    return 5\n\n\n"
        "@pytest.mark.falsifies('FALSIFY-TOY-001')\ndef test_y(measure, out):\n"
        "    measure('sum', out)\n",
    )
    text = (toy.root / "contracts/toy-v1.yaml").read_text()
    second = text.partition("falsifiers:\n")[2].replace("TOY-001", "TOY-002")
    toy.write("contracts/toy-v1.yaml", text + second)
    toy.pv("run")
    done = toy.pv("explain", "FALSIFY-TOY-001")
    assert "✗ toy.cli:main was not reached" in done.stdout
    other = toy.pv("explain", "FALSIFY-TOY-002")
    assert "✓ reached toy.cli:main in a subprocess" in other.stdout


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_ends_proving_at_once_and_nothing_runs_on(toy: Toy, name: str) -> None:
    toy.edit(
        "checks/test_toy.py",
        "    done = cli",
        "    from toy.math import add\n\n    add(1, 1)\n    done = cli",
    )
    toy.edit(
        "contracts/toy-v1.yaml", 'replace: "a - b"', 'replace: "[0 for _ in iter(int, 1)]"'
    )
    temporary = toy.root.parent / "temporary"
    temporary.mkdir()
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "harness"),
        "TMPDIR": str(temporary),
    }
    environment.pop("PV_PLAN", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "pv_harness", "prove"],
        cwd=toy.root,
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert process.stderr is not None
    while "planted changes" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(getattr(signal, name))
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "interrupted" in err
    assert list(temporary.glob("pv-*")) == []
    assert [p for p in Path("/proc").glob("[0-9]*/cwd") if str(temporary) in _target(p)] == []


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""


def shell(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    """A command line of the shell, in which `pv` is the one under test."""
    script = f'pv() {{ "{sys.executable}" -m pv_harness "$@"; }}\n{line}\n'
    return subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "harness")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("pv validate contracts >&-", 4, "pv: standard output is closed; where nobody is to"),
        (
            "pv validate contracts > /dev/full",
            4,
            "pv: standard output can't be written: no space left on device\n",
        ),
        ("PYTHONUNBUFFERED=1 pv validate contracts > /dev/full", 4, "can't be written: no sp"),
        ("pv validate contracts > /dev/full 2> /dev/full", 4, ""),
        ("pv validate contracts >&- 2>&-", 4, ""),
        ("pv validate contracts 2>&- > /dev/null", 0, ""),
        ("pv validate contracts 0>&- > /dev/null", 0, ""),
        ("mkdir gone; cd gone; rmdir ../gone; pv scoreboard", 2, "pv: the current folder is g"),
        ("mkdir gone; cd gone; rmdir ../gone; pv init", 2, "pv: the current folder is gone; "),
    ],
)
def test_where_it_is_started_is_no_defect_of_pv(
    toy: Toy, line: str, code: int, said: str
) -> None:
    done = shell(toy.root, line)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "a defect of pv" not in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == bool(said)


def test_no_file_becomes_the_output_of_what_is_started(toy: Toy) -> None:
    done = shell(toy.root, "pv run 0>&- 2>&- > /dev/null; pv evidence verify")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("word", "end"), [("rnu", "did you mean 'run'?"), ("xyzzy", "`pv --help` lists them")]
)
def test_a_word_that_is_no_verb_is_told_with_the_one_that_was_meant(
    toy: Toy, word: str, end: str
) -> None:
    done = toy.pv(word, "--root", ".")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"pv: there is no verb '{word}'; {end}\n"


def test_a_validation_without_findings_imports_only_what_it_needs(toy: Toy) -> None:
    unneeded = {"hashlib", "jsonschema", "json", "difflib", "glob", "logging", "subprocess"}
    done = toy.python("-X", "importtime", "-m", "pv_harness", "validate", "--no-cache")
    assert done.returncode == 0, done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "pv_harness.validating.plain_files" in imported
    assert not imported & unneeded


def test_what_is_in_memory_at_the_end_is_left_to_the_system(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    frozen: list[str] = []
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append(capsys.readouterr().out))
    assert main(["--version"]) == 0
    assert main(["xyzzy"]) == 2
    assert frozen == [f"pv {__version__}\n", ""]
