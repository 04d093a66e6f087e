"""A forked program can't tell that it is no process of its own; where it could, it is one."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from pv_harness.measuring import forked
from pv_harness.measuring.forked import python_program, start_command, start_up_key
from pv_harness.proving.templates import Templates


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

PY = sys.executable
TOLD = """\
import json, locale, os, resource, signal, sys, threading, warnings
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
streams = (sys.stdin, sys.stdout, sys.stderr)
json.dump({
    "argv": sys.argv, "words": sys.orig_argv, "program": sys.executable, "path": sys.path,
    "flags": str(sys.flags), "folder": os.getcwd(), "environment": dict(os.environ),
    "globals": sorted(globals()), "builtins": type(__builtins__).__name__,
    "file": globals().get("__file__"), "name": __name__, "package": __package__,
    "loader": str(__loader__).split(" ")[0], "spec": __spec__ and __spec__.name,
    "umask": status["Umask"], "ignored": status["SigIgn"], "blocked": status["SigBlk"],
    "handlers": [str(signal.getsignal(s)).split(" at ")[0] for s in signal.valid_signals()],
    "limits": [resource.getrlimit(n) for n in range(10)],
    "processors": sorted(os.sched_getaffinity(0)), "nice": os.nice(0),
    "leads": [os.getsid(0) == os.getpid(), os.getpgid(0) == os.getpid()],
    "open": sorted(os.listdir("/proc/self/fd")), "threads": threading.active_count(),
    "streams": [[s.encoding, s.errors, s.line_buffering, s.isatty()] for s in streams],
    "filters": len(warnings.filters), "locale": locale.setlocale(locale.LC_ALL),
    "depth": sys.getrecursionlimit(), "bytecode": sys.dont_write_bytecode,
}, sys.stdout)
"""


@dataclass(frozen=True)
class Ended:
    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Both:
    """Runs a program as a fork, and as a process."""

    folder: Path
    templates: Templates

    def fork(
        self,
        words: Sequence[str],
        *,
        environment: Mapping[str, str],
        cwd: Path | None = None,
        stdin: str | None = None,
    ) -> Ended | None:
        self.templates._ensure(
            start_up_key(environment), forked.start_up_variables(environment), wait=True
        )
        process = start_command(
            words, cwd=cwd, environment=environment, stdin=stdin is not None
        )
        if process is None:
            return None
        stdout, stderr = process.communicate(stdin, timeout=30)
        assert process.returncode is not None
        return Ended(process.returncode, stdout, stderr)

    def same(
        self,
        words: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stdin: str | None = None,
    ) -> Ended:
        """What both did, which is the same."""
        environment = dict(os.environ) if environment is None else environment
        fork = self.fork(words, environment=environment, cwd=cwd, stdin=stdin)
        assert fork is not None, "no fork would do"
        done = subprocess.run(
            words,
            env=environment,
            cwd=cwd,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            start_new_session=True,
            **({"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}),
        )
        process = Ended(done.returncode, done.stdout, done.stderr)
        assert fork == process
        return fork


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("f")
    templates = Templates(folder, ["json"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(forked.TEMPLATES_VARIABLE, str(folder))
        try:
            yield Both(folder, templates)
        finally:
            templates.close()


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """A folder with a program that says all that it knows of itself."""
    (tmp_path / "told.py").write_text(TOLD)
    (tmp_path / "package").mkdir()
    (tmp_path / "package/__init__.py").write_text("")
    (tmp_path / "package/__main__.py").write_text(TOLD)
    tool = tmp_path / "tool"
    tool.write_text(f"#!{PY}\n{TOLD}")
    tool.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        (PY, "told.py", "a", "-b"),
        (PY, "-m", "told", "a", "-b"),
        (PY, "-m", "package", "a"),
        (PY, "-c", TOLD, "a", "-b"),
        ("./tool", "a", "-b"),
    ],
    ids=["script", "module", "package", "code", "console script"],
)
def test_a_fork_knows_of_itself_what_a_process_knows(
    both: Both, told: Path, words: tuple[str, ...]
) -> None:
    facts = json.loads(both.same(words, cwd=told).stdout)
    assert facts["folder"] == str(told)
    assert facts["open"] == ["0", "1", "2", "3"]  # the last one lists them


@pytest.mark.parametrize(
    ("code", "returncode"),
    [
        ("pass", 0),
        ("import sys; sys.exit(7)", 7),
        ("import sys; sys.exit(300)", 44),
        ("import sys; sys.exit('said')", 1),
        ("import sys; sys.exit()", 0),
        ("1 / 0", 1),
        ("def f():\n    raise KeyError('deep')\nf()", 1),
        ("try:\n    1 / 0\nexcept Exception as e:\n    raise ValueError('b') from e", 1),
        ("x = (", 1),
        ("raise KeyboardInterrupt", -signal.SIGINT),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", -signal.SIGSEGV),
        ("import os; print('lost'); os._exit(3)", 3),
        ("import os; print('lost'); os.abort()", -signal.SIGABRT),
        ("import atexit; atexit.register(print, 'last'); print('first')", 0),
        ("import threading; threading.Thread(target=print, args=['t']).start()", 0),
        ("import sys; print(1); print(2, file=sys.stderr); print(3)", 0),
        ("import sys; sys.stdout.write('no line end')", 0),
        ("import sys; sys.stdout.buffer.write(b'\\xff\\r\\n')", 0),
        ("import warnings; warnings.warn('w')", 0),
        ("import logging; logging.warning('w')", 0),
        ("import sys; sys.stdin.close(); print('p' * 300_000)", 0),
        ("import unraisable_nowhere", 1),
    ],
)
def test_a_fork_ends_as_a_process_ends(both: Both, code: str, returncode: int) -> None:
    assert both.same((PY, "-c", code)).returncode == returncode


def test_a_script_that_is_not_there_is_told_by_a_process(both: Both) -> None:
    assert both.fork((PY, "nowhere.py"), environment=os.environ) is None


NAMES = st.text("ABCxyz_09é", min_size=1, max_size=6).map(lambda name: f"T_{name}")
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
LISTEN = "import os, sys; print(sys.argv, sorted(os.environ.items()), ascii(sys.stdin.read()))"


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    words=st.lists(TEXTS, max_size=3),
    variables=st.dictionaries(NAMES, TEXTS, max_size=3),
    stdin=st.none() | TEXTS,
)
def test_words_variables_and_input_arrive_as_they_were_sent(
    both: Both, words: list[str], variables: dict[str, str], stdin: str | None
) -> None:
    # Variables that differ by check take no template of their own.
    own = {f"PV_{name}": value for name, value in variables.items()}
    both.same((PY, "-c", LISTEN, *words), environment={**os.environ, **own}, stdin=stdin)


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o000, 0o027])
def test_a_fork_has_the_mask_of_its_starter(both: Both, mask: int, tmp_path: Path) -> None:
    code = "import os, sys; os.close(os.open(sys.argv[1], os.O_CREAT, 0o666))"
    before = os.umask(mask)
    try:
        fork = both.fork((PY, "-c", code, str(tmp_path / "f")), environment=os.environ)
    finally:
        assert os.umask(before) == mask
    assert fork == Ended(0, "", "")
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o666 & ~mask


def test_asking_for_the_mask_does_not_change_it_for_other_threads(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changed(_mask: int) -> int:
        pytest.fail("a thread that makes a file just now would have made it with this mask")

    monkeypatch.setattr(os, "umask", changed)
    assert both.fork((PY, "-c", "pass"), environment=os.environ) == Ended(0, "", "")


# where a fork would not be the same, there is none


def test_other_limits_take_a_process(both: Both) -> None:
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (100, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    )
    other = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        assert both.fork((PY, "-c", "pass"), environment=os.environ) is None
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (other[1], other[1]))
        resource.setrlimit(resource.RLIMIT_CORE, before)


def test_an_ignored_signal_takes_a_process(both: Both) -> None:
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        assert both.fork((PY, "-c", "pass"), environment=os.environ) is None
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert both.fork((PY, "-c", "pass"), environment=os.environ) is not None


def test_a_blocked_signal_takes_a_process(both: Both) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
    try:
        assert both.fork((PY, "-c", "pass"), environment=os.environ) is None
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def test_other_processors_take_a_process(both: Both) -> None:
    before = os.sched_getaffinity(0)
    if len(before) == 1:
        pytest.skip("there is one processor")
    os.sched_setaffinity(0, {min(before)})
    try:
        assert both.fork((PY, "-c", "pass"), environment=os.environ) is None
    finally:
        os.sched_setaffinity(0, before)


def test_a_module_of_the_project_that_the_template_has_takes_a_process(
    both: Both, tmp_path: Path
) -> None:
    (tmp_path / "json.py").write_text("print('mine')\n")
    words = (PY, "-c", "import json")
    assert both.fork(words, environment=os.environ, cwd=tmp_path) is None
    roots = {**os.environ, "PYTHONPATH": str(tmp_path)}
    assert both.fork(words, environment=roots) is None
    (tmp_path / "json.py").rename(tmp_path / "json.txt")
    assert both.fork(words, environment=roots) == Ended(0, "", "")


@pytest.mark.parametrize(
    "words",
    [
        (PY, "-u", "told.py"),
        (PY, "-X", "dev", "told.py"),
        (PY, "-"),
        (PY,),
        (PY, "-m"),
        ("/bin/sh", "-c", "true"),
        ("/nowhere/python", "told.py"),
        ("./told.py",),
    ],
)
def test_what_is_no_plain_program_of_this_python_takes_a_process(
    told: Path, words: tuple[str, ...]
) -> None:
    assert python_program(words, told) is None


def test_without_a_template_folder_nothing_is_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(forked.TEMPLATES_VARIABLE, raising=False)
    words = (PY, "-c", "pass")
    assert start_command(words, cwd=None, environment=os.environ, stdin=False) is None


def test_a_folder_without_an_owner_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(forked.TEMPLATES_VARIABLE, str(tmp_path))
    words = (PY, "-c", "pass")
    assert start_command(words, cwd=None, environment=os.environ, stdin=False) is None
    assert [path.suffix for path in tmp_path.iterdir()] == [".seen"]


# the name of a template


@given(st.dictionaries(NAMES, TEXTS, max_size=4), NAMES, TEXTS)
def test_a_template_is_told_by_all_that_may_be_read_at_the_start(
    variables: dict[str, str], name: str, value: str
) -> None:
    key = start_up_key(variables)
    assert start_up_key(dict(reversed(variables.items()))) == key
    changed = {**variables, name: value}
    assert (start_up_key(changed) == key) == (changed == variables)
    own = {"PYTHONPATH": value, "PV_PLAN": value, "PYTEST_CURRENT_TEST": value}
    assert start_up_key({**variables, **own}) == key


def test_many_forks_at_once_do_not_mix(both: Both) -> None:
    found: dict[int, Ended | None] = {}
    code = "import sys; print(sys.argv[1] * 50_000); sys.exit(int(sys.argv[1]))"

    def run(number: int) -> None:
        words = (PY, "-c", code, str(number))
        found[number] = both.fork(words, environment=os.environ)

    threads = [threading.Thread(target=run, args=[n]) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {n: Ended(n, f"{n}" * 50_000 + "\n", "") for n in range(8)}
