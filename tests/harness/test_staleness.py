"""Evidence of a tree that is not this one any more is stale, in the real flow."""

from __future__ import annotations

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
