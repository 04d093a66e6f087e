"""Evidence of a tree that is not this one any more is stale, in the real flow."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest


if TYPE_CHECKING:
    from tests.harness.conftest import Toy

FALLBACK = """\
try:
    from toy._fast import add
except ImportError:
    def add(a, b):
        return a + b
"""


@pytest.mark.parametrize(
    ("math", "appears"),
    [
        (FALLBACK, "src/toy/_fast.py"),
        ("def add(a, b):\n    return a + b\n", "src/toy/__init__.py"),
        ("import json\n\n\ndef add(a, b):\n    return a + b\n", "src/json.py"),
    ],
)
def test_a_file_that_appears_and_would_be_imported_makes_evidence_stale(
    toy: Toy, math: str, appears: str
) -> None:
    (toy.root / "src/toy/__init__.py").unlink()
    toy.write("src/toy/math.py", math)
    assert toy.pv("run").returncode == 3
    toy.write("src/toy/unrelated.py", "X = 1\n")
    assert "STALE" not in toy.pv("scoreboard").stdout
    toy.write(appears, "raise SystemExit(3)\n")
    done = toy.pv("explain", "FALSIFY-TOY-001")
    assert done.stdout.startswith("FALSIFY-TOY-001 STALE")
    assert f"{appears} joined the sources" in done.stdout


LAZY = """\
import importlib
import pathlib

import pytest


@pytest.mark.falsifies("FALSIFY-TOY-001")
def test_two_and_three_make_five(measure, cli):
    done = cli("python", "-m", "toy", "2", "3")
    off = 0
    if pathlib.Path(__file__).with_name("off").exists():
        off = importlib.import_module("toy." + "extra").OFF
    measure("sum", int(done.stdout) + off)
"""


def status(toy: Toy) -> str:
    document = json.loads(toy.pv("scoreboard", "--format", "json").stdout)
    return str(document["falsifiers"][0]["status"])


def test_an_edit_of_what_only_a_red_run_imported_settles_nothing_until_it_is_measured(
    toy: Toy,
) -> None:
    toy.write("checks/test_toy.py", LAZY)
    toy.write("src/toy/extra.py", "OFF = 1\n")
    flag = toy.write("checks/off", "")
    assert toy.pv("run").returncode == 1
    flag.unlink()
    assert toy.pv("run", "--prove", "--again").returncode == 1
    assert status(toy) == "FLAKY"

    again = ("run", "--prove", "FALSIFY-TOY-001", "--again")
    toy.edit("src/toy/extra.py", "OFF = 1", "OFF = 0")
    assert status(toy) == "STALE(was FLAKY, because src/toy/extra.py changed: module level)"
    assert " ".join(again) in toy.pv("gate").stdout
    assert toy.pv(*again).returncode == 0
    assert status(toy) == "INTEGRATION/INTEGRATION"

    (toy.root / "src/toy/extra.py").unlink()
    assert status(toy) == "STALE(was FLAKY, because src/toy/extra.py is gone)"
    assert toy.pv(*again).returncode == 0
    assert status(toy) == "INTEGRATION/INTEGRATION"
    assert toy.pv("evidence", "verify").returncode == 0
