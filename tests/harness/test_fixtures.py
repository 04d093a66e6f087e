"""The types that checks are annotated with are those of the fixtures."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from pv_harness import fixtures, plugin
from pv_harness.measuring.session import CheckSession


CHECK = """\
from __future__ import annotations

from pv_harness.fixtures import {names}


def test_it(measure: Measure, cli: Cli, inputs: Inputs, record_series: RecordSeries) -> None:
    measure("loss", 2.5, "nats", samples=3)
    done = cli("apr", Path("x"), 3, env={{"A": "b"}}, timeout_s=2.5)
    measure("code", done.returncode)
    record_series("loss", [1, 2], [2.5, 2.0], unit="nats")
    cli("apr", inputs("embedded")["checkpoint"])
    {line}


from pathlib import Path
"""


@pytest.mark.parametrize("name", fixtures.__all__)
def test_what_is_listed_can_be_imported(name: str) -> None:
    assert getattr(fixtures, name).__name__ == name


def test_measure_and_record_series_take_what_the_session_takes() -> None:
    for protocol, method in (
        (fixtures.Measure, CheckSession.measure),
        (fixtures.RecordSeries, CheckSession.record_series),
    ):
        told = inspect.signature(protocol.__call__).parameters
        taken = inspect.signature(method).parameters
        assert [(p.name, p.kind, p.default) for p in told.values()] == [
            (p.name, p.kind, p.default) for p in taken.values()
        ]


def test_every_callable_fixture_has_a_type() -> None:
    fixed = {"measure": "Measure", "record_series": "RecordSeries", "cli": "Cli"}
    fixed |= {"shared_cli": "Cli", "inputs": "Inputs", "reached": "Reached"}
    for name, kind in fixed.items():
        assert hasattr(plugin, name)
        assert kind in fixtures.__all__


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("pass", 0),
        ("measure(2.5)", 1),
        ('measure("loss", 1, "nats", sample=3)', 1),
        ('cli("apr", timeout=3)', 1),
        ('cli("apr", cwd="x").stdout', 1),
    ],
)
def test_a_type_checker_knows_them(line: str, code: int, tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="mypy comes with the group lint")
    names = "Cli, Inputs, Measure, RecordSeries"
    check = tmp_path / "check.py"
    check.write_text(CHECK.format(names=names, line=line))
    harness = Path(fixtures.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", str(check)],
        cwd=tmp_path,
        env={"MYPYPATH": str(harness), "MYPY_CACHE_DIR": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout
