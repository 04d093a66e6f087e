"""`pv validate`: what it explains, standard input, and --watch."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Self
from xml.etree import ElementTree as ET

import pytest
from tests.harness.conftest import ROOT


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.harness.conftest import Toy

PLACE = "contracts/toy-v1.yaml"
MISSPELT = f"{PLACE}:8:3: PV011 FALSIFY-TOY-001: predicton is an unknown key; did you mean 'pr"
TIMEOUT_S = 60


def misspell(toy: Toy) -> None:
    toy.edit(PLACE, "  prediction:", "  predicton:")


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "harness"), "COLUMNS": "100"}


def feed(toy: Toy, data: bytes, *args: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "pv_harness", "validate", *args],
        cwd=toy.root,
        env=environment(),
        input=data,
        capture_output=True,
        check=False,
        timeout=TIMEOUT_S,
    )
    out, err = done.stdout.decode(), done.stderr.decode()
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


def test_explain_shows_the_line_the_cause_and_the_remedy(toy: Toy) -> None:
    misspell(toy)
    done = toy.pv("validate", "contracts", "--explain")
    assert (done.returncode, done.stderr) == (2, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith(MISSPELT)
    assert lines[1:7] == [
        "  |",
        "8 |   predicton: add of 2 and 3 is 5",
        "  |   ^^^^^^^^^",
        "  = cause: A misspelt key; if it were ignored, what it says would be lost.",
        "  = remedy: Correct the spelling, or move the text to `note` or `description`.",
        "",
    ]
    assert lines[7].startswith("1 file: 1 native")


def test_explain_has_nothing_to_say_of_a_sound_project(toy: Toy) -> None:
    plain, explained = (toy.pv("validate", "contracts", *e) for e in ((), ("--explain",)))
    assert plain.stdout == explained.stdout
    assert (plain.returncode, explained.returncode) == (0, 0)


def test_explain_shows_lines_of_checks_and_of_files_outside_the_project(
    toy: Toy, tmp_path: Path
) -> None:
    toy.edit("checks/test_toy.py", "FALSIFY-TOY-001", "FALSIFY-TOY-010")
    done = toy.pv("validate", "contracts", "--explain")
    assert "did you mean 'FALSIFY-TOY-001'?" in done.stdout
    outside = tmp_path / "outside.yaml"
    outside.write_text("\tx: 1\n")
    assert (
        '4 | @pytest.mark.falsifies("FALSIFY-TOY-010")\n'
        "  |                        ^^^^^^^^^^^^^^^^^\n"
    ) in done.stdout
    done = toy.pv("validate", "contracts", str(outside), "--explain")
    assert f"{outside}:1:1: PV004 not YAML: a tab; indent with spaces\n" in done.stdout
    assert "1 |     x: 1\n  | ^^^^\n" in done.stdout


def test_as_junit(toy: Toy) -> None:
    sound = ET.fromstring(toy.pv("validate", "contracts", "--format", "junit").stdout)
    assert (sound.get("tests"), sound.get("failures"), sound.get("errors")) == ("1", "0", "0")
    misspell(toy)
    done = toy.pv("validate", "contracts", "--format", "junit")
    assert (done.returncode, done.stderr) == (2, "")
    failure = ET.fromstring(done.stdout).find("testsuite/testcase/failure")
    assert failure is not None
    assert failure.get("type") == "PV011"
    assert str(failure.text).startswith(MISSPELT)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--explain", "--format", "json"), "--explain goes with --format text, not json"),
        (("--watch", "--format", "sarif"), "--watch goes with --format text, not sarif"),
        (("-", "--watch"), "--watch: standard input is read once; name files"),
        (
            ("--stdin-filename", "x.yaml"),
            "--stdin-filename names standard input; give - among the paths",
        ),
    ],
)
def test_options_that_contradict_each_other(
    toy: Toy, args: tuple[str, ...], message: str
) -> None:
    done = toy.pv("validate", "contracts", *args)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"pv: {message}\n")


def test_standard_input_is_judged_beside_the_project(toy: Toy) -> None:
    data = (toy.root / PLACE).read_bytes()
    done = feed(toy, data, "-")
    assert done.returncode == 2
    # It repeats what the saved file declares; without a name it has no stem to be like.
    assert done.stdout.splitlines()[:-1] == [
        f"<stdin>:2:5: PV022 contract 'toy-v1' is declared twice; first at {PLACE}:2",
        f"<stdin>:6:7: PV021 'FALSIFY-TOY-001' is declared twice; first at {PLACE}:6",
    ]


def test_standard_input_stands_for_the_file_that_it_is_named_after(toy: Toy) -> None:
    data = (toy.root / PLACE).read_bytes()
    for paths in (("-",), ("-", "contracts"), ("-", PLACE)):
        done = feed(toy, data, *paths, "--stdin-filename", PLACE)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        assert done.stdout.startswith("1 file: 1 native")
    spoilt = data.replace(b"  prediction:", b"  predicton:")
    done = feed(toy, spoilt, "-", "--stdin-filename", PLACE, "--explain")
    assert done.stdout.startswith(MISSPELT)
    assert "8 |   predicton: add of 2 and 3 is 5\n" in done.stdout


def test_a_release_may_come_through_standard_input_too(toy: Toy) -> None:
    text = (
        "apiVersion: pv/v1\nkind: release\nid: toy-release\nversion: 1.0.0\n"
        "metadata: {title: t}\nrequires:\n- {falsifier: FALSIFY-TOY-001, level: ceiling}\n"
        "steps:\n- {id: a, title: t, falsifiers: [FALSIFY-TOY-001], command: x, needs: []}\n"
    )
    done = feed(toy, text.encode(), "-")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def validate_with(toy: Toy, redirection: str) -> subprocess.CompletedProcess[str]:
    """`pv validate -` with its standard input redirected by a shell."""
    return subprocess.run(
        f"exec {sys.executable} -m pv_harness validate - {redirection}",
        shell=True,
        cwd=toy.root,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )


def test_a_closed_standard_input_is_told(toy: Toy) -> None:
    done = validate_with(toy, "<&-")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "pv: -: standard input is closed; name a file\n"


def test_standard_input_that_can_not_be_read_is_told(toy: Toy) -> None:
    # Open for writing alone.
    done = validate_with(toy, "0>written")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("pv: -: standard input can't be read: ")


WATCHING = [sys.executable, "-m", "pv_harness", "validate", "--watch", "contracts"]


class Watcher:
    """`pv validate --watch` in a process; lines are waited for, never time."""

    def __init__(self, toy: Toy) -> None:
        self.process = subprocess.Popen(
            WATCHING,
            cwd=toy.root,
            env={**environment(), "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def until_idle(self) -> list[str]:
        """The lines up to the one that says that the next change is waited for."""
        assert self.process.stdout is not None
        lines: list[str] = []
        while (
            line := self.process.stdout.readline()
        ) != "pv: waiting for a change; Ctrl-C ends\n":
            assert line, lines
            lines.append(line.rstrip("\n"))
        return lines

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self.process:
            self.process.kill()

    def end(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        rest, _ = self.process.communicate(timeout=TIMEOUT_S)
        assert rest == ""
        return self.process.returncode


def test_watch_validates_again_after_each_change(toy: Toy) -> None:
    with Watcher(toy) as watcher:
        (counts,) = watcher.until_idle()
        assert counts.startswith("1 file: 1 native")
        misspell(toy)
        changed, problem, counts = watcher.until_idle()
        assert changed == f"pv: changed: {PLACE}"
        assert problem.startswith(MISSPELT)
        assert counts.endswith("1 error, 0 warnings")
        toy.edit(PLACE, "  predicton:", "  prediction:")
        assert watcher.until_idle()[-1].endswith("0 errors, 0 warnings")
        toy.edit("src/toy/math.py", "a + b", "a -  b")
        changed, *problems, counts = watcher.until_idle()
        assert "src/toy/math.py" in changed
        assert {problem.split()[1] for problem in problems} == {"PV052"}
        (toy.root / PLACE).unlink()
        lines = watcher.until_idle()
        assert lines[0] == f"pv: changed: {PLACE}"
        assert "no contract there" in lines[-1]
        assert watcher.end() == 2


@pytest.mark.parametrize(
    ("spoil", "code"), [(lambda _: None, 0), (misspell, 2)], ids=["sound", "broken"]
)
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_watch_ends_with_the_exit_code_of_the_last_validation(
    toy: Toy, spoil: Callable[[Toy], None], code: int, name: str
) -> None:
    spoil(toy)
    with Watcher(toy) as watcher:
        watcher.until_idle()
        assert watcher.end(getattr(signal, name)) == code


def test_watch_waits_for_a_broken_configuration_to_be_mended(toy: Toy) -> None:
    with Watcher(toy) as watcher:
        watcher.until_idle()
        sound = (toy.root / "pyproject.toml").read_text()
        toy.write("pyproject.toml", "[tool.pv]\nchecks = 3\n")
        changed, error = watcher.until_idle()
        assert changed == "pv: changed: pyproject.toml"
        assert error.startswith("pv: ")
        toy.write("pyproject.toml", sound)
        assert watcher.until_idle()[-1].startswith("1 file: 1 native")
        assert watcher.end() == 0


def test_watch_clears_a_terminal(toy: Toy) -> None:
    terminal, inside = pty.openpty()
    with subprocess.Popen(
        WATCHING, cwd=toy.root, env=environment(), stdout=inside, stderr=inside
    ) as process:
        os.close(inside)
        seen = b""
        while b"Ctrl-C ends" not in seen:
            seen += os.read(terminal, 4096)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=TIMEOUT_S) == 0
    os.close(terminal)
    assert seen.startswith(b"\x1b[2J\x1b[3J\x1b[H1 file: 1 native")
