"""The tutorial and the README are what happens: commands are run in order, files are written.

`python tests/docs/test_tutorial.py` writes what the commands print into the documents.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path


ROOT = Path(__file__).resolve().parents[2]
TUTORIAL, README = ROOT / "docs/tutorial.md", ROOT / "README.md"
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
TIMES = re.compile(r" +\d+[smh](?= )")
RECORD = re.compile(r"^  evidence .*?(?=^  ✓)", re.DOTALL | re.MULTILINE)
"""Which record it is, and which machine it was made on."""
COLUMNS = "90"


class Shell:
    """A folder in which the commands of the tutorial are run, one after another."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, line: str) -> str:
        """What a command prints on standard output."""
        words = shlex.split(line)
        if words[0] == "cd":
            self.folder = self.folder / words[1]
            return ""
        if words[0] == "pv":
            words[:1] = [sys.executable, "-m", "pv_harness"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "harness"), "COLUMNS": COLUMNS}
        environment.pop("PV_PLAN", None)
        done = subprocess.run(
            words,
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode in (0, 1, 3), done.stdout + done.stderr
        return done.stdout

    def write(self, name: str, text: str) -> None:
        """Write a file, or put the last entry of a contract anew."""
        file = self.folder / name
        if file.suffix == ".yaml":
            first = text.partition("\n")[0]
            text = file.read_text(encoding="utf-8").partition(first)[0] + text
        file.write_text(text, encoding="utf-8")


def play(text: str, folder: Path) -> str:
    """The document with what its commands print now."""
    shell = Shell(folder)

    def replay(block: re.Match[str]) -> str:
        language, name, body = block.groups()
        if name is not None:
            shell.write(name, body)
        if language != "console":
            return block[0]
        commands = [line for line in body.splitlines() if line.startswith("$ ")]
        said = "".join(f"{c}\n{shell.run(c.removeprefix('$ '))}" for c in commands)
        return f"```console\n{said}```"

    return BLOCK.sub(replay, text)


def first_repository(folder: Path) -> Path:
    """What the README has its reader make."""
    folder.mkdir(exist_ok=True)
    Shell(folder).run("pv init loop")
    return folder / "loop"


def lasting(text: str) -> list[str]:
    """The lines that are the same at any time and on any machine."""
    return TIMES.sub(" N", RECORD.sub("", text)).splitlines()


def test_the_commands_print_what_stands_there(tmp_path: Path) -> None:
    text = TUTORIAL.read_text(encoding="utf-8")
    assert text.count("\n$ pv ") >= 10
    now = play(text, tmp_path)
    assert lasting(now) == lasting(text), "run: python tests/docs/test_tutorial.py"


def test_the_readme_shows_what_the_first_commands_print(tmp_path: Path) -> None:
    text = README.read_text(encoding="utf-8")
    assert "\npv init loop" in text.partition("```console")[0]
    now = play(text, first_repository(tmp_path))
    assert lasting(now) == lasting(text), "run: python tests/docs/test_tutorial.py"


def test_the_claim_that_is_shown_is_the_one_that_is_made(tmp_path: Path) -> None:
    Shell(tmp_path).run("pv init loop")
    made = (tmp_path / "loop/contracts/loop-v1.yaml").read_text(encoding="utf-8").splitlines()
    text = TUTORIAL.read_text(encoding="utf-8")
    shown = next(body for language, name, body in BLOCK.findall(text) if language == "yaml")
    assert [line for line in shown.splitlines() if line not in made] == []


def main() -> None:
    """Write the documents anew."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for document, start in ((TUTORIAL, folder), (README, first_repository(folder / "r"))):
            text = play(document.read_text(encoding="utf-8"), start)
            document.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
