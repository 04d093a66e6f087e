from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest


if TYPE_CHECKING:
    from tests.harness.conftest import Toy

ROOT = Path(__file__).resolve().parents[3]


def read_format(name: str, text: str) -> None:
    """Parse a document with its own format's parser, or look for what it begins with."""
    match name:
        case "json" | "sarif" | "badge":
            assert json.loads(text)
        case "junit" | "badge-svg":
            assert ET.fromstring(text).tag
        case "markdown":
            assert text.startswith("# Scoreboard\n")
        case "html":
            assert text.startswith("<!DOCTYPE html>")
        case "github":
            assert text.startswith("::warning file=contracts/toy-v1.yaml,line=6,")
        case _:
            assert text.endswith("NOT_RUN 1\n")


FORMATS = ("text", "markdown", "json", "junit", "sarif", "github", "badge", "badge-svg", "html")


def test_every_format_is_printed_and_the_exit_code_is_the_same(toy: Toy) -> None:
    for name in FORMATS:
        done = toy.pv("scoreboard", "--format", name)
        assert (done.returncode, done.stderr) == (3, ""), name
        read_format(name, done.stdout)


def test_all_formats_at_once_each_in_its_file_and_one_printed(toy: Toy) -> None:
    files = [f"--format={name}=out/deep/{name}" for name in FORMATS if name != "text"]
    done = toy.pv("scoreboard", "--format", "text", *files)
    assert done.returncode == 3
    read_format("text", done.stdout)
    for name in FORMATS[1:]:
        read_format(name, (toy.root / "out/deep" / name).read_text(encoding="utf-8"))
        assert f"written: out/deep/{name}\n" in done.stderr


def test_output_is_where_the_one_document_goes(toy: Toy) -> None:
    done = toy.pv("scoreboard", "--format", "json", "--output", "board.json")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "written: board.json\n"
    assert json.loads((toy.root / "board.json").read_text())["format"] == "pv-scoreboard/2"
    assert toy.pv("scoreboard", "--output", "board.txt").returncode == 3
    assert "NOT_RUN" in (toy.root / "board.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--format", "jsn"], "'jsn' is no format; did you mean json?"),
        (["--format", "zzz"], "'zzz' is no format; known: text, markdown, json, junit, sarif"),
        (["--format", "json="], "'json=' names no file behind the ="),
        (
            ["--format", "json", "--format", "sarif"],
            (
                "pv: --format json and sarif: one document goes to standard output or "
                "--output; give the others as FORMAT=FILE"
            ),
        ),
        (
            ["--format", "json=a", "--output", "b"],
            "pv: --output b: every --format has a file of its own already",
        ),
        (
            ["--format", "json=a", "--format", "sarif=a"],
            "pv: a: two formats would be written there; name two files",
        ),
        (["FALSIFY-NO"], "FALSIFY-NO"),
    ],
)
def test_what_can_not_be_asked_for_ends_with_2(
    toy: Toy, words: list[str], message: str
) -> None:
    done = toy.pv("scoreboard", *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (toy.root / "a").exists()


def test_a_file_that_can_not_be_written_ends_with_4(toy: Toy) -> None:
    # A name of the greatest length, so that none is left for the file before it is whole.
    name = "b" * 250 + ".json"
    done = toy.pv("scoreboard", "--format", f"json={name}")
    assert done.returncode == 4
    assert f"{name}: the report can't be written (" in done.stderr


def test_a_place_where_no_file_can_be_ends_with_2(toy: Toy) -> None:
    toy.write("taken", "a file")
    toy.write("folder/x", "")
    for words, what in (
        (("--format", "json=taken/board.json"), "'taken/board.json' goes on below a file"),
        (("--output", "folder"), "'folder' is a directory; name a file to write"),
    ):
        done = toy.pv("scoreboard", *words)
        assert (done.returncode, done.stdout) == (2, "")
        assert what in done.stderr


def test_an_old_report_is_replaced_whole(toy: Toy) -> None:
    toy.write("board.json", "x" * 1_000_000)
    toy.pv("scoreboard", "--format", "json=board.json")
    json.loads((toy.root / "board.json").read_text())
    assert [p.name for p in toy.root.iterdir() if p.name.startswith(".board")] == []


def test_a_proven_project_ends_with_0_and_says_so_in_every_format(proven: Toy) -> None:
    done = proven.pv("scoreboard", "--format", "junit")
    assert done.returncode == 0
    suite = ET.fromstring(done.stdout)
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("1", "0", "0")
    badge = json.loads(proven.pv("scoreboard", "--format", "badge").stdout)
    assert (badge["message"], badge["color"]) == ("1/1 at ceiling", "brightgreen")
    sarif = json.loads(proven.pv("scoreboard", "--format", "sarif").stdout)
    assert sarif["runs"][0]["results"] == []
    assert "::" not in proven.pv("scoreboard", "--format", "github").stdout
    row = json.loads(proven.pv("scoreboard", "--format", "json").stdout)["falsifiers"][0]
    assert (row["line"], row["status"]) == (6, "INTEGRATION/INTEGRATION")
    assert [d["outcome"] for d in row["defects"]] == ["KILLED", "KILLED"]


def test_a_run_writes_the_reports(proven: Toy) -> None:
    assert proven.pv("run").returncode == 0
    reports = proven.root / "reports"
    read_format("markdown", (reports / "scoreboard.md").read_text(encoding="utf-8"))
    read_format("json", (reports / "scoreboard.json").read_text(encoding="utf-8"))
    read_format("html", (reports / "index.html").read_text(encoding="utf-8"))


def test_a_title_that_is_a_script_tag_is_text_everywhere(toy: Toy) -> None:
    script = "</script><script>alert(1)</script>"
    toy.edit("contracts/toy-v1.yaml", "title: the toy adds", f"title: '{script}'")
    toy.edit("contracts/toy-v1.yaml", "rule: add adds", f"rule: '{script} ]]> | `x`'")
    for name in ("markdown", "junit", "html", "badge-svg"):
        text = toy.pv("scoreboard", "--format", name).stdout
        read_format(name, text)
        assert "<script>alert" not in text, name


def test_a_refuted_claim_ends_with_1_and_stands_last(toy: Toy) -> None:
    toy.edit("src/toy/cli.py", "print(add(", "print(1 + add(")
    assert toy.pv("run").returncode == 1
    done = toy.pv("scoreboard")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[-7].startswith("✗ FALSIFY-TOY-001 FAILED")
    assert lines[-6] == "    sum is 6, but must be = 5"


@pytest.mark.parametrize(
    ("environment", "colored"),
    [
        ({}, True),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": ""}, True),
        ({"TERM": "dumb"}, False),
    ],
)
def test_a_terminal_gets_colours_unless_nobody_wants_them(
    toy: Toy, environment: dict[str, str], *, colored: bool
) -> None:
    clean = {k: v for k, v in os.environ.items() if k not in {"NO_COLOR", "PV_PLAN"}}
    ours, theirs = pty.openpty()
    subprocess.run(
        [sys.executable, "-m", "pv_harness", "scoreboard"],
        cwd=toy.root,
        env={
            **clean,
            "TERM": "xterm",
            "PYTHONPATH": str(ROOT / "harness"),
            "PYTHONDONTWRITEBYTECODE": "1",
            **environment,
        },
        stdout=theirs,
        check=False,
        timeout=60,
    )
    os.close(theirs)
    shown = os.read(ours, 1 << 16)
    os.close(ours)
    assert b"NOT_RUN" in shown
    assert (b"\x1b[" in shown) is colored
