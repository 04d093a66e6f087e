"""The same search, led by coverage: `python tests/fuzz/coverage_guided.py -max_total_time=600`.

It needs atheris, which is no dependency of anything here: `pip install atheris` in an
environment that has pv-harness. What it finds lies in crash-* files of the current folder; they
belong into tests/fuzz/findings, from where test_validate.py begins.

Source: atheris, README; the options are libFuzzer's.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from pathlib import Path
from typing import Any


def main() -> None:
    """Fuzz until a limit among the options is met, or something fails."""
    atheris: Any = importlib.import_module("atheris")

    root = Path(__file__).resolve().parents[2]
    sys.path[:0] = [str(root), str(root / "harness")]
    with atheris.instrument_imports(include=["pv_harness"]):
        from tests.fuzz.arena import Arena, seeds

    with tempfile.TemporaryDirectory(prefix="pv-fuzz-") as folder:
        arena = Arena(Path(folder) / "project")
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        for number, data in enumerate(seeds()):
            (corpus / f"{number}.yaml").write_bytes(data)

        def judge(data: bytes) -> None:
            arena.judge(data)

        atheris.Setup([*sys.argv, "-max_len=8192", str(corpus)], judge)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
