"""The owner of templates: it starts them when they are wanted, and leaves none behind."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest

from pv_harness.errors import InfrastructureError
from pv_harness.measuring.forked import start_forked, start_up_key
from pv_harness.measuring.forked_process import ForkedProcess
from pv_harness.proving.templates import Templates


if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder with a short path, since the name of a socket has at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="pv-") as folder:
        yield Path(folder).resolve()


@pytest.fixture
def templates(tmp_path: Path) -> Iterator[Templates]:
    owner = Templates(tmp_path, ["pytest"])
    yield owner
    owner.close()


@pytest.fixture
def output() -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as stream:
        yield stream


def said(output: IO[bytes]) -> str:
    output.seek(0)
    return output.read().decode()


def test_pytest_runs_in_a_fork_as_in_a_process(
    templates: Templates, output: IO[bytes], tmp_path: Path
) -> None:
    process = templates.start(["--version"], tmp_path, os.environ, output)
    assert isinstance(process, ForkedProcess)
    assert process.wait(30) == 0
    forked = said(output)
    output.truncate(0)
    output.seek(0)
    real = templates.start_real(["--version"], tmp_path, os.environ, output)
    assert not isinstance(real, ForkedProcess)
    assert real.wait(30) == 0
    assert forked == said(output) != ""


def test_one_template_serves_one_set_of_variables(
    templates: Templates, output: IO[bytes], tmp_path: Path
) -> None:
    for variables in ({}, {"PV_PLAN": "x"}, {"LANG_OF_MINE": "y"}, {}):
        environment = {**os.environ, **variables}
        templates.start(["--version"], tmp_path, environment, output).wait(30)
    assert len(list(tmp_path.glob("*.sock"))) == 2


def test_there_are_never_many_templates(
    templates: Templates, output: IO[bytes], tmp_path: Path
) -> None:
    processes = [
        templates.start(["--version"], tmp_path, {**os.environ, "N": str(n)}, output)
        for n in range(6)
    ]
    assert [process.wait(30) for process in processes] == [0] * 6
    assert [isinstance(process, ForkedProcess) for process in processes].count(True) == 4


def test_a_template_that_is_wished_for_twice_is_started(
    templates: Templates, tmp_path: Path
) -> None:
    environment = {**os.environ, "WISHED": "1"}
    words = (sys.executable, "-c", "pass")
    with open(os.devnull, "r+b") as nothing:  # noqa: PTH123 - a device
        streams = [nothing.fileno()] * 3
        first = start_forked(
            tmp_path, words, cwd=tmp_path, environment=environment, streams=streams
        )
        second = start_forked(
            tmp_path, words, cwd=tmp_path, environment=environment, streams=streams
        )
    assert first is None, "what is asked for once may never be asked for again"
    assert second is not None
    assert second.wait(30) == 0
    assert (tmp_path / f"{start_up_key(environment)}.sock").exists()
    del templates


def test_nothing_is_started_once_it_is_closed(tmp_path: Path, output: IO[bytes]) -> None:
    owner = Templates(tmp_path, [])
    owner.check_open()
    owner.close()
    with pytest.raises(InfrastructureError, match="proving was stopped"):
        owner.check_open()
    with pytest.raises(InfrastructureError, match="proving was stopped"):
        owner.start_real(["--version"], tmp_path, os.environ, output)
    with pytest.raises(InfrastructureError, match="proving was stopped"):
        owner.start(["--version"], tmp_path, os.environ, output)


WAIT = "import threading\ndef test_x():\n    threading.Event().wait()\n"


@pytest.mark.parametrize("forked", [True, False])
def test_closing_ends_what_runs(tmp_path: Path, output: IO[bytes], *, forked: bool) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    (tmp_path / "test_a.py").write_text(WAIT)
    owner = Templates(folder, ["pytest"])
    start = owner.start if forked else owner.start_real
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    process = start(["test_a.py"], tmp_path, environment, output)
    owner.close()
    assert process.wait(30) != 0


def test_closing_leaves_no_descriptor_open(tmp_path: Path) -> None:
    before = _open()
    Templates(tmp_path, []).close()
    assert _open() == before


def _open() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names alone
